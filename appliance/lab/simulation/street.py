"""`street:` - a simulated street with passers-by whose faces are real and whose names are known.

People come out of the shops, walk towards the camera and past it: with perspective, steps, turning heads, others in
the way, motion blur, sensor noise, flickering exposure and compression. The same source gives the same pixels.

    street:?people=8&faces=DIR&seed=1&gap=2.2&photo=last

The ground truth of a frame is in `Frame.truth` (a list of `Seen`); that of the passes in `list_passes`.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from appliance.camera.sources.options import SourceOptions
from appliance.core.errors import SourceUnusable
from appliance.core.types import Image
from appliance.lab.simulation.pedestrians import (
    BODY_PX_PER_M,
    BODY_WH_M,
    EYES_M,
    PHASES,
    back_of_head,
    draw_pedestrian,
    level_for,
    paste,
)
from appliance.lab.simulation.portraits import HEAD_PX_PER_M, HEAD_WH, Head, choose_photo, cut_head, list_people
from appliance.lab.simulation.scenery import View, draw_street
from appliance.lab.simulation.timetable import Pass, Walk, extra_walks, passing_walks
from appliance.vision.boxes import intersection_over_union
from appliance.vision.redactor import SAME_FACE_IOU

ALLOWED = {
    "faces": "folder with one folder of photos a person; default: two public-domain portraits",
    "people": "how many pass",
    "order": "who passes: NAME,NAME,… or @FILE with one name a line; instead of people",
    "photo": "first, last or random photo of a person",
    "seed": "whole number; another one is another day",
    "gap": "seconds between two people",
    "loop": "1 for again and again",
    "seconds": "ends after so long; nobody comes who could not have passed by then",
    "extras": "people a minute who walk away",
    "fps": "frames a second",
    "size": "WIDTHxHEIGHT",
    "noise": "1 is that of a usual camera, 0 none",
    "quality": "of the compression, 20 to 100 (none)",
}
EXPOSURE_S = 0.008
FADE_S = 0.5
_MAX_NAMES = 100_000
_PIVOT = (HEAD_WH[0] / 2, 170.0)
"""What a head turns about, in pixels of its picture: between eyes and mouth."""
_PIVOT_M = EYES_M - 0.05


class Seen(NamedTuple):
    """A person in a frame whose face is towards the camera.

    Attributes
    ----------
    person
        Name, as in the folder of faces.
    box_xyxy
        The face as a detector would box it, pixels; may reach beyond the frame.
    visible
        Share of that box that is inside the frame and not behind somebody else, 0 to 1; less while the person is
        still coming out of a doorway.
    pass_index
        Which of `list_passes` this is.
    """

    person: str
    box_xyxy: tuple[float, float, float, float]
    visible: float
    pass_index: int


@dataclass(frozen=True)
class _Settings:
    view: View
    people: tuple[tuple[str, Path], ...]
    seed: int
    gap_s: float
    loop: bool
    seconds: float
    extras: float
    fps: float
    noise: float
    quality: int


def open_street(source: str) -> StreetReader:
    """The reader of a `street:` source, for `camera.sources.open`.

    Raises
    ------
    SourceUnusable
        An option is unknown or not allowed, or there are no such people.
    """
    return StreetReader(_settings(source))


def list_passes(source: str, until_s: float | None = None) -> list[Pass]:
    """Who passes when in a `street:` source, in order of entering.

    Parameters
    ----------
    until_s
        Only those who have left by then, media time; needed where the source has no end.

    Raises
    ------
    SourceUnusable
        As `open_street`; or the source has no end and `until_s` is not given.
    """
    settings = _settings(source)
    if settings.loop and not settings.seconds and until_s is None:
        raise SourceUnusable(f"{source} never ends.", "Give seconds=.")
    passes = []
    for walk in _passing(settings):
        if until_s is not None and walk.enter_s > until_s:
            break
        if walk.photo is not None and (until_s is None or walk.leave_s <= until_s):
            passes.append(Pass(walk.index, walk.person, walk.photo, walk.enter_s, walk.leave_s, walk.peak_px))
    return passes


class Truth:
    """Who was where in a `street:` source: read off the simulation itself, never off a recognition."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._reader = open_street(source)
        self._reader.open()

    def who(self, media_s: float, box_xyxy: Sequence[float], scene_wh: tuple[int, int]) -> str:
        """The person whose face a box is on; empty when it is on nobody's.

        Parameters
        ----------
        media_s
            The moment, seconds from the beginning.
        box_xyxy, scene_wh
            Box in pixels of a picture of this width and height (the published scene may be smaller than the frame).
        """
        if self._reader.media_s > media_s:
            self._reader.open()
        while self._reader.media_s < media_s - 0.5 / self._reader.fps and self._reader.advance():
            pass
        shape = self._reader.shape
        scale = 1.0 if shape is None or not scene_wh[0] else shape[1] / scene_wh[0]
        there = self._reader.seen()
        if not there:
            return ""
        overlaps = intersection_over_union(np.asarray(box_xyxy) * scale, np.array([seen.box_xyxy for seen in there]))
        best = int(overlaps.argmax())
        return there[best].person if overlaps[best] > SAME_FACE_IOU else ""


class StreetReader:
    """Renders the street, one frame after another, in media time. Implements `camera.sources.reader.Reader`."""

    live = False

    def __init__(self, settings: _Settings) -> None:
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
        makers = (_passing(settings), extra_walks(settings.view, settings.seed, settings.extras))
        self._coming = [(next(maker, None), maker) for maker in makers]
        draw_street(settings.view.size_wh)
        _noise(settings.view.size_wh)
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
        placed = [_Placed(walk, self.media_s, view) for walk in self._walks]
        placed.sort(key=lambda one: -one.z_m)
        for one in placed:
            self._draw(image, one)
        self._degrade(image, placed)
        return image, self._truth(placed)

    def seen(self) -> list[Seen]:
        """The ground truth of the present moment, without drawing it."""
        placed = [_Placed(walk, self.media_s, self._settings.view) for walk in self._walks]
        return self._truth(sorted(placed, key=lambda one: -one.z_m))

    def close(self) -> None:
        self._walks = []

    def _end(self) -> float:
        settings = self._settings
        if settings.seconds or settings.loop:
            return settings.seconds or math.inf
        return max((walk.leave_s for walk in _passing(settings)), default=0.0) + 0.4

    def _body(self, person: str, head: Head) -> Any:
        return draw_pedestrian(f"{self._settings.seed}/{person}", head.skin_bgr)

    def _draw(self, image: Image, one: _Placed) -> None:
        walk, ppm = one.walk, one.px_per_m
        head = None if walk.photo is None else cut_head(walk.photo)
        if head is None:
            figure = draw_pedestrian(
                f"{self._settings.seed}/extra/{walk.style}", (120.0, 140.0, 180.0), from_behind=True
            )
            levels = back_of_head(f"{self._settings.seed}/extra/{walk.style}")
        else:
            figure, levels = self._body(walk.person, head), head.levels
        _shadow(image, one)
        phase = figure.phases[int(one.phase / (2 * math.pi) * PHASES) % PHASES]
        scale = ppm / BODY_PX_PER_M
        level = level_for(scale, len(phase))
        step = scale * 2**level
        width, height = (side * BODY_PX_PER_M / 2**level for side in BODY_WH_M)
        body = np.array([[step, 0, one.foot[0] - width / 2 * step], [0, step, one.foot[1] - height * step], [0, 0, 1]])
        paste(image, phase[level], body, (0, 0), one.fade)
        scale = ppm / HEAD_PX_PER_M
        level = level_for(scale, len(levels))
        pivot = _PIVOT if head is not None else (120.0, 150.0)
        paste(image, levels[level], one.head_matrix(pivot) @ np.diag([2.0**level, 2.0**level, 1]), one.blur, one.fade)

    def _truth(self, placed: list[_Placed]) -> list[Seen]:
        seen = []
        for i, one in enumerate(placed):
            if one.walk.photo is None:
                continue
            box = one.face_box(cut_head(one.walk.photo))
            visible = one.fade * _visible(box, placed[i + 1 :], self._settings.view.size_wh)
            if visible > 0:
                seen.append(Seen(one.walk.person, box, visible, one.walk.index))
        return seen

    def _degrade(self, image: Image, placed: list[_Placed]) -> None:
        """Exposure, noise, and what compression does to faces, in place."""
        settings = self._settings
        width, height = settings.view.size_wh
        rng = random.Random(f"{settings.seed}/frame/{self._index}")  # noqa: S311
        gain = 1 + 0.014 * math.sin(2.3 * self.media_s) + 0.006 * rng.uniform(-1, 1)
        left, top = rng.randrange(64), rng.randrange(64)
        strength = 0.25 * settings.noise
        grain = _noise(settings.view.size_wh)[top : top + height, left : left + width]
        cv2.addWeighted(image, gain, grain, strength, -128 * strength, dst=image)
        if settings.quality >= 100:
            return
        for one in placed:
            reach = 0.24 * one.px_per_m
            x0, x1 = int(one.head[0] - reach) // 16 * 16, int(one.head[0] + reach) // 16 * 16 + 16
            y0, y1 = int(one.head[1] - 1.2 * reach) // 16 * 16, int(one.head[1] + 1.2 * reach) // 16 * 16 + 16
            x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
            if x1 - x0 < 16 or y1 - y0 < 16:
                continue
            region = image[y0:y1, x0:x1]
            _, packed = cv2.imencode(".jpg", region, [cv2.IMWRITE_JPEG_QUALITY, settings.quality])
            np.copyto(region, np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8))


class _Placed:
    """A walker at one moment, in pixels."""

    def __init__(self, walk: Walk, now_s: float, view: View) -> None:
        self.walk, self._view = walk, view
        since_s = now_s - walk.enter_s
        self.head, self.foot, self.z_m, self.phase = self._pose(since_s)
        before, _, _, _ = self._pose(max(0.0, since_s - 0.02))
        speed = ((self.head[0] - before[0]) / 0.02, (self.head[1] - before[1]) / 0.02)
        self.blur = (speed[0] * EXPOSURE_S, speed[1] * EXPOSURE_S) if since_s > 0.02 else (0.0, 0.0)
        self.px_per_m = view.focal_px / self.z_m * walk.tall
        self.fade = max(0.0, min(1.0, since_s / FADE_S))
        if walk.away:
            self.fade = min(1.0, max(0.0, (walk.leave_s - now_s) / 1.5)) if since_s > 0 else 0.0
        x0, x1 = walk.at(max(0.0, since_s - 0.1))[0], walk.at(since_s + 0.1)[0]
        heading = math.atan2((x1 - x0) / 0.2, walk.speed_m_s)
        wander = random.Random(f"{walk.person}/{walk.index}").uniform(0, 6)  # noqa: S311
        # A flat picture cannot be turned far before it looks flat.
        self.yaw = max(-0.22, min(0.22, 0.35 * heading + 0.12 * math.sin(0.9 * since_s + wander)))
        self.pitch = 0.05 + 0.06 * math.sin(0.7 * since_s + 2 * wander)
        self.roll = 0.045 * math.sin(self.phase) + 0.05 * math.sin(0.5 * since_s + wander)

    def _pose(self, since_s: float) -> tuple[tuple[float, float], tuple[float, float], float, float]:
        walk = self.walk
        x_m, z_m = walk.at(since_s)
        phase = 2 * math.pi * 0.92 * walk.speed_m_s / 1.3 * since_s + walk.style
        bob_m = 0.018 * abs(math.sin(phase))
        sway_m = 0.015 * math.sin(phase)
        head = self._view.project(x_m + sway_m, _PIVOT_M * walk.tall + bob_m, z_m)
        foot = self._view.project(x_m + 0.4 * sway_m, bob_m * 0.8, z_m)
        return head, foot, z_m, phase

    def head_matrix(self, pivot: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Homography of shape `(3, 3)` from pixels of a head's full-size picture to pixels of the frame."""
        yaw, pitch, far = self.yaw, self.pitch, 900.0
        turn = np.array(
            [
                [math.cos(yaw), math.sin(yaw) * math.sin(pitch), 0.0],
                [0.0, math.cos(pitch), 0.0],
                [-math.sin(yaw) / far, math.cos(yaw) * math.sin(pitch) / far, 1.0],
            ]
        )
        scale = self.px_per_m / HEAD_PX_PER_M
        cos, sin = scale * math.cos(self.roll), scale * math.sin(self.roll)
        put = np.array([[cos, -sin, self.head[0]], [sin, cos, self.head[1]], [0.0, 0.0, 1.0]])
        away = np.array([[1.0, 0.0, -pivot[0]], [0.0, 1.0, -pivot[1]], [0.0, 0.0, 1.0]])
        return np.asarray(put @ turn @ away, np.float64)

    def face_box(self, head: Head) -> tuple[float, float, float, float]:
        """Where the face is in the frame, xyxy."""
        left, top, right, bottom = head.face_xyxy
        edges = [((left + right) / 2, top), (right, (top + bottom) / 2), ((left + right) / 2, bottom)]
        points = np.array([(x, y, 1.0) for x, y in [*edges, (left, (top + bottom) / 2)]]) @ self.head_matrix(_PIVOT).T
        points = points[:, :2] / points[:, 2:]
        low, high = points.min(axis=0), points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def hides(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which points, in pixels, are behind this person's head or body."""
        ppm = self.px_per_m
        in_head = ((x - self.head[0]) / (0.09 * ppm)) ** 2 + ((y - self.head[1]) / (0.14 * ppm)) ** 2 < 1
        shoulders = self.foot[1] - 1.42 * ppm
        in_body = (np.abs(x - self.foot[0]) < 0.24 * ppm) & (y > shoulders) & (y < self.foot[1])
        return in_head | in_body


def _visible(box: tuple[float, float, float, float], nearer: list[_Placed], size_wh: tuple[int, int]) -> float:
    x, y = np.meshgrid(np.linspace(box[0], box[2], 9), np.linspace(box[1], box[3], 9))
    shown = (x >= 0) & (y >= 0) & (x < size_wh[0]) & (y < size_wh[1])
    for other in nearer:
        shown &= ~other.hides(x, y)
    return float(shown.mean())


def _shadow(image: Image, one: _Placed) -> None:
    """The soft shadow that feet have under a clouded sky, in place."""
    half_w, half_h = 0.36 * one.px_per_m, 0.10 * one.px_per_m
    x0, x1 = max(0, int(one.foot[0] - half_w)), min(image.shape[1], int(one.foot[0] + half_w))
    y0, y1 = max(0, int(one.foot[1] - half_h)), min(image.shape[0], int(one.foot[1] + half_h))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    x = (np.arange(x0, x1, dtype=np.float32) - one.foot[0]) / half_w
    y = (np.arange(y0, y1, dtype=np.float32) - one.foot[1]) / half_h
    dark = 1 - 0.5 * one.fade * np.clip(1 - x[None, :] ** 2 - y[:, None] ** 2, 0, 1)
    image[y0:y1, x0:x1] = (image[y0:y1, x0:x1] * dark[..., None]).astype(np.uint8)


@functools.lru_cache(maxsize=4)
def _noise(size_wh: tuple[int, int]) -> Image:
    """Noise about 128, larger than the frame so that each frame can take another part of it."""
    rng = np.random.default_rng(11)
    shape = (size_wh[1] + 64, size_wh[0] + 64, 3)
    grain = rng.standard_normal(shape, np.float32) * 8 + rng.standard_normal((*shape[:2], 1), np.float32) * 10 + 128
    return grain.clip(0, 255).astype(np.uint8)


def _passing(settings: _Settings) -> Iterator[Walk]:
    ends_s = settings.seconds or None
    return passing_walks(settings.people, settings.view, settings.seed, settings.gap_s, settings.loop, ends_s)


def _settings(source: str) -> _Settings:
    _, _, query = source.partition("?")
    head = source.partition("?")[0]
    if head.lower() != "street:":
        raise SourceUnusable(f"{source} is not a street.", "It looks like street:?people=8&seed=1.")
    options = SourceOptions("street:", query, ALLOWED)
    seed = options.whole("seed", 1, 0, 2**31)
    return _Settings(
        view=View(options.size("size", (1280, 720))),
        people=_people(options, seed),
        seed=seed,
        gap_s=options.number("gap", 2.2, 0.2, 3600),
        loop=options.flag("loop"),
        seconds=options.number("seconds", 0, 1, 86_400),
        extras=options.number("extras", 5, 0, 60),
        fps=options.number("fps", 25, 1, 120),
        noise=options.number("noise", 1, 0, 8),
        quality=options.whole("quality", 80, 20, 100),
    )


def _people(options: SourceOptions, seed: int) -> tuple[tuple[str, Path], ...]:
    folder = Path(options.text("faces")).expanduser() if options.text("faces") else None
    known = list_people(folder)
    which = options.choice("photo", "last", ("first", "last", "random"))
    rng = random.Random(f"{seed}/people")  # noqa: S311
    order = options.text("order")
    if order.startswith("@"):
        try:
            with Path(order[1:]).expanduser().open(encoding="utf-8") as file:
                names = [line.strip() for _, line in zip(range(_MAX_NAMES), file, strict=False) if line.strip()]
        except (OSError, UnicodeDecodeError):
            raise SourceUnusable(f"{order[1:]} cannot be read as a list of names.", "Give order=@FILE.") from None
    elif order:
        names = [name.strip() for name in order.split(",") if name.strip()]
    else:
        count = options.whole("people", 2 if folder is None else min(8, len(known)), 1, _MAX_NAMES)
        if folder is None:
            names = [sorted(known)[i % len(known)] for i in range(count)]
        elif count <= len(known):
            names = rng.sample(sorted(known), count)
        else:
            raise SourceUnusable(f"{folder} holds {len(known)} people, not {count}.", "Ask for fewer with people=.")
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        raise SourceUnusable(
            f"street: nobody is called {', '.join(unknown[:5]) or 'that'} here.", f"order= names people of {folder}."
        )
    return tuple((name, choose_photo(known[name], which, rng)) for name in names)
