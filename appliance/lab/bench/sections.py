"""The sections of a benchmark by name: what each measures, as JSON holds it.

Each loads what it needs when it is measured: the names alone, for `lfr bench --help`, cost nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.core.errors import LfrError

Said = Callable[[str], None]
"""Told in a few words what is being done."""
SECTIONS: Final = ("pipeline", "run", "stream", "watchlist", "console")
STREET: Final = "street:?people=8&seed=2&gap=1.2&fps=12.5"
MAX_PHOTOS: Final = 240


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What to measure with.

    Attributes
    ----------
    entries
        People on the watchlist.
    seconds
        Of street that the running appliance sees.
    faces
        Folder with one folder of photos a person, for the rate of building a list; None leaves that out.
    """

    entries: int = 10_000
    seconds: float = 30
    min_face_px: int = 40
    faces: Path | None = None


def chosen(names: str) -> list[str]:
    """Sections of a list with commas, in its order.

    Raises
    ------
    LfrError
        One of them does not exist.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(SECTIONS))
    if unknown:
        raise LfrError(f"There is no section {', '.join(unknown)}.", f"There are: {', '.join(SECTIONS)}.")
    return wanted


def measure(section: str, asked: Asked, said: Said = lambda _: None) -> dict[str, Any]:
    """Measure one section here and now."""
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "pipeline": lambda: _pipeline(asked),
        "run": lambda: _run(asked, said),
        "stream": _stream,
        "watchlist": lambda: _watchlist(asked),
        "console": _console,
    }
    return measures[section]()


def _pipeline(asked: Asked) -> dict[str, Any]:
    import cv2

    from appliance.config.sections import Models
    from appliance.lab.bench.frame import measure_pipeline

    cv2.setNumThreads(1)
    return dataclasses.asdict(measure_pipeline(STREET, 25.0, asked.entries, Models(), asked.min_face_px))


def _run(asked: Asked, said: Said) -> dict[str, Any]:
    from appliance.lab.bench.run import measure_run

    return dataclasses.asdict(measure_run(asked.seconds, said))


def _stream() -> dict[str, Any]:
    from appliance.lab.bench.stream import measure_latency

    return dataclasses.asdict(measure_latency(200))


def _watchlist(asked: Asked) -> dict[str, Any]:
    from appliance.enrolment.photo_sources import is_photo
    from appliance.lab.bench import watchlist

    photos: list[Path] = []
    if asked.faces is not None:
        photos = sorted(path for path in asked.faces.rglob("*") if is_photo(path.name))[:MAX_PHOTOS]
        if not photos:
            raise LfrError(f"{asked.faces} holds no photos.", "Name a folder with one folder of photos a person.")
    found: dict[str, Any] = {"load": watchlist.as_json(watchlist.measure_load(asked.entries))}
    if not photos:
        found["build"] = {"skipped": "name a folder of photos with --faces"}
    else:
        found["build"] = watchlist.as_json(watchlist.measure_build(photos))
    return found


def _console() -> dict[str, Any]:
    from appliance.lab.bench import console

    missing = console.missing()
    return {"skipped": str(missing)} if missing is not None else dict(console.measure())
