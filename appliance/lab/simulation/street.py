"""`street:` - a simulated street with passers-by whose faces are real and whose names are known.

People come out of the shops, walk towards the camera and past it: with perspective, steps, turning heads, others in
the way, motion blur, sensor noise, flickering exposure and compression. The same source gives the same pixels.

    street:?people=8&faces=DIR&seed=1&gap=2.2&photo=last

The ground truth of a frame is in `Frame.truth` (a list of `FaceInView`); that of a whole street in `ground_truth`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from appliance.core.types import Image
from appliance.lab.simulation.imaging import compress_faces, expose, noise_about_grey
from appliance.lab.simulation.pedestrians import (
    BODY_PX_PER_M,
    BODY_WH_M,
    PHASES,
    back_of_head,
    draw_pedestrian,
    level_for,
    paste,
)
from appliance.lab.simulation.portraits import HEAD_PX_PER_M, Head, cut_head
from appliance.lab.simulation.scenery import draw_street
from appliance.lab.simulation.street_options import StreetSettings
from appliance.lab.simulation.timetable import Walk, extra_walks
from appliance.lab.simulation.walker import PIVOT, FaceInView, Walker, draw_shadow, visible_share


def open_street(source: str) -> StreetReader:
    """The reader of a `street:` source, for `camera.sources.open`.

    Raises
    ------
    SourceUnusable
        An option is unknown or not allowed, or there are no such people.
    """
    return StreetReader(StreetSettings.parse(source))


class StreetReader:
    """Renders the street, one frame after another, in media time. Implements `camera.sources.reader.Reader`."""

    live = False

    def __init__(self, settings: StreetSettings) -> None:
        self._settings = settings
        self.fps = settings.fps
        self.shape: tuple[int, int, int] | None = (settings.view.size_wh[1], settings.view.size_wh[0], 3)
        self.dropped: dict[str, int] = {}
        self.notice = ""
        self.media_s = 0.0
        self._index = -1
        self._walks: list[Walk] = []
        self._coming: list[tuple[Walk | None, Iterator[Walk]]] = []
        self._ends_s = self._end()
        self.finite = math.isfinite(self._ends_s)

    def open(self) -> None:
        self._index, self.media_s, self._walks = -1, 0.0, []
        settings = self._settings
        makers = (settings.walks(), extra_walks(settings.view, settings.seed, settings.extras))
        self._coming = [(next(maker, None), maker) for maker in makers]
        draw_street(settings.view.size_wh)
        noise_about_grey(settings.view.size_wh)
        # Cutting a head takes longer than a frame may: the first people are ready before they come.
        for person, photo in settings.people[:12]:
            self._body(person, cut_head(photo))

    def advance(self) -> bool:
        media_s = (self._index + 1) / self.fps
        if media_s >= self._ends_s:
            return False
        self._index, self.media_s = self._index + 1, media_s
        for i, (walk, maker) in enumerate(self._coming):
            while walk is not None and walk.enter_s <= media_s:
                self._walks.append(walk)
                walk = next(maker, None)
            self._coming[i] = (walk, maker)
        self._walks = [walk for walk in self._walks if walk.leave_s >= media_s]
        return True

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        view = self._settings.view
        street = draw_street(view.size_wh)
        image = into if into.shape == street.shape else np.empty_like(street)
        np.copyto(image, street)
        placed = [Walker(walk, self.media_s, view) for walk in self._walks]
        placed.sort(key=lambda one: -one.z_m)
        for one in placed:
            self._draw(image, one)
        rng = random.Random(f"{self._settings.seed}/frame/{self._index}")  # noqa: S311
        expose(image, self.media_s, self._settings.noise, rng)
        compress_faces(image, placed, self._settings.quality)
        return image, self._truth(placed)

    def in_view(self) -> list[FaceInView]:
        """The ground truth of the present moment, without drawing it."""
        placed = [Walker(walk, self.media_s, self._settings.view) for walk in self._walks]
        return self._truth(sorted(placed, key=lambda one: -one.z_m))

    def close(self) -> None:
        self._walks = []

    def _end(self) -> float:
        settings = self._settings
        if settings.seconds or settings.loop:
            return settings.seconds or math.inf
        return max((walk.leave_s for walk in settings.walks()), default=0.0) + 0.4

    def _body(self, person: str, head: Head) -> Any:
        return draw_pedestrian(f"{self._settings.seed}/{person}", head.skin_bgr)

    def _draw(self, image: Image, one: Walker) -> None:
        walk, ppm = one.walk, one.px_per_m
        head = None if walk.photo is None else cut_head(walk.photo)
        if head is None:
            figure = draw_pedestrian(
                f"{self._settings.seed}/extra/{walk.style}", (120.0, 140.0, 180.0), from_behind=True
            )
            levels = back_of_head(f"{self._settings.seed}/extra/{walk.style}")
        else:
            figure, levels = self._body(walk.person, head), head.levels
        draw_shadow(image, one)
        phase = figure.phases[int(one.phase / (2 * math.pi) * PHASES) % PHASES]
        scale = ppm / BODY_PX_PER_M
        level = level_for(scale, len(phase))
        step = scale * 2**level
        width, height = (side * BODY_PX_PER_M / 2**level for side in BODY_WH_M)
        body = np.array([[step, 0, one.foot[0] - width / 2 * step], [0, step, one.foot[1] - height * step], [0, 0, 1]])
        paste(image, phase[level], body, (0, 0), one.fade)
        scale = ppm / HEAD_PX_PER_M
        level = level_for(scale, len(levels))
        pivot = PIVOT if head is not None else (120.0, 150.0)
        paste(image, levels[level], one.head_matrix(pivot) @ np.diag([2.0**level, 2.0**level, 1]), one.blur, one.fade)

    def _truth(self, placed: list[Walker]) -> list[FaceInView]:
        in_view = []
        for i, one in enumerate(placed):
            if one.walk.photo is None:
                continue
            box = one.face_box(cut_head(one.walk.photo))
            visible = one.fade * visible_share(box, placed[i + 1 :], self._settings.view.size_wh)
            if visible > 0:
                in_view.append(FaceInView(one.walk.person, box, visible, one.walk.index))
        return in_view
