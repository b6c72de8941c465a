"""Who passes the simulated camera when, and on which way: the ground truth that recognition is counted against."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.lab.simulation.pedestrians import EYES_M
from appliance.lab.simulation.scenery import View

FACE_M = 0.205
"""Height of a face as a detector boxes it, forehead to chin."""
NEAREST_M = 2.0
_STEP_S = 0.05


@dataclass(frozen=True)
class Walk:
    """One person's way, in metres and seconds; from `start` to `goal` (x, z) at a steady pace along z.

    Attributes
    ----------
    person
        Name; empty for somebody who is seen from behind only.
    enter_s, leave_s
        Between these the person is in the picture.
    peak_px
        Height of the face at its largest while it is wholly in the picture, pixels; 0 from behind.
    """

    index: int
    person: str
    photo: Path | None
    start: tuple[float, float]
    goal: tuple[float, float]
    speed_m_s: float
    tall: float
    style: int
    enter_s: float
    leave_s: float = 0.0
    peak_px: float = 0.0

    @property
    def away(self) -> bool:
        """Whether the person walks away from the camera."""
        return self.goal[1] > self.start[1]

    def at(self, since_s: float) -> tuple[float, float]:
        """x and z, metres, so long after entering."""
        way = self.goal[1] - self.start[1]
        share = min(1.0, since_s * self.speed_m_s / abs(way))
        # Sideways first, then straight on: people leave a shop, then follow the street.
        turn = min(1.0, share / 0.8)
        eased = turn * turn * (3 - 2 * turn)
        return self.start[0] + (self.goal[0] - self.start[0]) * eased, self.start[1] + way * share

    @property
    def lasts_s(self) -> float:
        """Seconds from start to goal."""
        return abs(self.goal[1] - self.start[1]) / self.speed_m_s


@dataclass(frozen=True)
class Pass:
    """One person's passing: one opportunity to recognise them.

    Attributes
    ----------
    enter_s, leave_s
        Media time, seconds.
    peak_px
        Height of the face at its largest while it is wholly in the picture, pixels.
    """

    index: int
    person: str
    photo: Path
    enter_s: float
    leave_s: float
    peak_px: float


def passing_walks(
    people: Sequence[tuple[str, Path]], view: View, seed: int, gap_s: float, loop: bool, ends_s: float | None
) -> Iterator[Walk]:
    """The ways of `people` (name and photo) towards the camera, by time of entering; each once, or for ever.

    Nobody enters who could not leave before `ends_s`, and nobody is in the street twice at a time.
    """
    free_at: dict[str, float] = {}
    clock_s, index = 0.4, 0
    while loop or index < len(people):
        person, photo = people[index % len(people)]
        rng = random.Random(f"{seed}/pass/{index}")  # noqa: S311
        enter_s = max(clock_s, free_at.get(person, 0.0))
        side = rng.choice((-1.0, 1.0))
        goal_x = rng.uniform(-0.75, 0.75) if rng.random() < 0.6 else rng.choice((-1, 1)) * rng.uniform(0.75, 1.4)
        walk = Walk(
            index=index,
            person=person,
            photo=photo,
            start=(side * rng.uniform(1.2, 3.0), rng.uniform(11.5, 17.0)),
            goal=(goal_x, NEAREST_M),
            speed_m_s=rng.uniform(1.15, 1.5),
            tall=_height(person, seed),
            style=index,
            enter_s=enter_s,
        )
        walk = _measured(walk, view)
        if ends_s is not None and walk.leave_s > ends_s:
            return
        yield walk
        free_at[person] = walk.leave_s + 1.0
        clock_s = enter_s + gap_s * rng.uniform(0.7, 1.3)
        index += 1


def extra_walks(view: View, seed: int, per_minute: float) -> Iterator[Walk]:
    """People who walk away from the camera, for ever: nobody sees their faces, and they stand in the way."""
    index = 0
    while per_minute > 0:
        rng = random.Random(f"{seed}/extra/{index}")  # noqa: S311
        side = rng.choice((-1.0, 1.0))
        walk = Walk(
            index=index,
            person="",
            photo=None,
            start=(side * rng.uniform(0.8, 1.5), 2.4),
            goal=(side * rng.uniform(0.3, 2.4), rng.uniform(22, 32)),
            speed_m_s=rng.uniform(1.1, 1.4),
            tall=rng.uniform(0.94, 1.08),
            style=index,
            enter_s=(index + rng.uniform(0, 0.6)) * 60.0 / per_minute,
        )
        yield _measured(walk, view)
        index += 1


def _height(person: str, seed: int) -> float:
    return random.Random(f"{seed}/tall/{person}").uniform(0.93, 1.08)  # noqa: S311


def _measured(walk: Walk, view: View) -> Walk:
    """The walk with `leave_s` and `peak_px`, found by walking it."""
    width, height = view.size_wh
    peak_px, since_s, seen = 0.0, 0.0, walk.away
    while since_s < walk.lasts_s:
        x_m, z_m = walk.at(since_s)
        face_m, eyes_m = FACE_M * walk.tall, EYES_M * walk.tall
        left, top = view.project(x_m - face_m * 0.39, eyes_m + face_m * 0.4, z_m)
        right, bottom = view.project(x_m + face_m * 0.39, eyes_m - face_m * 0.6, z_m)
        if left >= 0 and top >= 0 and right <= width and bottom <= height:
            peak_px, seen = max(peak_px, bottom - top), True
        elif seen and not walk.away and (right < -40 or left > width + 40 or top > height):
            break
        since_s += _STEP_S
    leave_s = walk.enter_s + min(since_s, walk.lasts_s)
    return Walk(
        **{name: getattr(walk, name) for name in walk.__dataclass_fields__ if name not in {"leave_s", "peak_px"}},
        leave_s=round(leave_s, 3),
        peak_px=0.0 if walk.away else math.floor(peak_px * 10) / 10,
    )
