"""The picture of the rooms: an SVG drawn from the imports that the code has."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

BOX_W, BOX_H, GAP_X, GAP_Y = 124, 36, 76, 56


@dataclass(frozen=True)
class Rooms:
    """Which room imports which.

    Attributes
    ----------
    uses
        Each room and every other one that a module of it imports.
    """

    uses: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, package: Path) -> Rooms:
        """Read the imports of every module below `package`; those inside functions count like the others."""
        rooms = {path.parent.name for path in package.glob("*/__init__.py")}
        uses: dict[str, set[str]] = {room: set() for room in rooms}
        for path in package.glob("*/**/*.py"):
            room = path.relative_to(package).parts[0]
            if room in rooms:
                uses[room] |= (_imported(path, package.name) & rooms) - {room}
        return cls({room: frozenset(found) for room, found in uses.items()})

    @functools.cached_property
    def below(self) -> dict[str, frozenset[str]]:
        """Each room and every one that it depends on, directly or by way of others."""
        found: dict[str, frozenset[str]] = {}
        for room in TopologicalSorter(self.uses).static_order():
            found[room] = self.uses[room].union(*(found[other] for other in self.uses[room]))
        return found

    def arrows(self, room: str) -> frozenset[str]:
        """What this room uses, without what follows from the other arrows."""
        used = self.uses[room]
        return frozenset(one for one in used if not any(one in self.below[other] for other in used - {one}))

    def rank(self, room: str) -> int:
        """How many floors are below: 0 for a room that uses none."""
        return 1 + max((self.rank(other) for other in self.uses[room]), default=-1)


def _imported(path: Path, package: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        parts = (name.split(".") for name in names)
        found |= {part[1] for part in parts if part[0] == package and len(part) > 1}
    return found


def svg(rooms: Rooms) -> str:
    """The picture: each room a box on the floor above all that it uses, each arrow an import."""
    floors: dict[int, list[str]] = {}
    for room in sorted(rooms.uses):
        floors.setdefault(rooms.rank(room), []).append(room)
    widest = max((len(floor) for floor in floors.values()), default=1)
    pitch = BOX_W + GAP_X
    width = widest * pitch + pitch // 2
    height = len(floors) * (BOX_H + GAP_Y) + GAP_Y
    at: dict[str, tuple[float, float]] = {}
    for rank, floor in floors.items():
        for column, room in enumerate(_settled(floor, at, rooms)):
            aside = pitch / 4 if rank % 2 else -pitch / 4  # an arrow over two floors passes between boxes
            x = width / 2 + (column - (len(floor) - 1) / 2) * pitch + aside
            at[room] = (x, height - GAP_Y - BOX_H - rank * (BOX_H + GAP_Y))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="The rooms of the package and which imports which" style="max-width: 100%; height: auto">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>',
    ]
    for room in sorted(rooms.uses):
        lines += [_arrow(at[room], at[other], f"{room} → {other}") for other in sorted(rooms.arrows(room))]
    lines += [_box(room, *at[room]) for room in sorted(rooms.uses)]
    return "\n".join([*lines, "</svg>"])


def _settled(floor: list[str], at: dict[str, tuple[float, float]], rooms: Rooms) -> list[str]:
    """The rooms of a floor in the order of what they stand on, so that few arrows cross."""

    def middle(room: str) -> float:
        below = [at[other][0] for other in rooms.arrows(room) if other in at]
        return sum(below) / len(below) if below else 0.0

    return sorted(floor, key=lambda room: (middle(room), room))


def _box(room: str, x: float, y: float) -> str:
    return (
        f'<g class="room" data-room="{room}"><rect x="{x - BOX_W / 2:.0f}" y="{y:.0f}" width="{BOX_W}" '
        f'height="{BOX_H}" rx="5" fill="var(--md-default-bg-color, #fff)" stroke="currentColor"/>'
        f'<text x="{x:.0f}" y="{y + 23:.0f}" text-anchor="middle" font-size="15" fill="currentColor">{room}</text></g>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float], name: str) -> str:
    (x1, y1), (x2, y2) = (start[0], start[1] + BOX_H), end
    middle = (y1 + y2) / 2
    return (
        f'<path data-arrow="{name}" d="M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} '
        f'{y2:.0f}" fill="none" stroke="currentColor" stroke-opacity=".55" marker-end="url(#tip)"/>'
    )
