"""A passer-by at one moment, in pixels: where head and feet are, how the head is held, and what of the face is seen."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from appliance.core.types import Image
from appliance.lab.simulation.pedestrians import EYES_M
from appliance.lab.simulation.portraits import HEAD_PX_PER_M, HEAD_WH, Head
from appliance.lab.simulation.scenery import View
from appliance.lab.simulation.timetable import Walk

EXPOSURE_S = 0.008
FADE_S = 0.5
PIVOT = (HEAD_WH[0] / 2, 170.0)
"""What a head turns about, in pixels of its picture: between eyes and mouth."""
_PIVOT_M = EYES_M - 0.05


class FaceInView(NamedTuple):
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


class Walker:
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
        points = np.array([(x, y, 1.0) for x, y in [*edges, (left, (top + bottom) / 2)]]) @ self.head_matrix(PIVOT).T
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


def visible_share(box: tuple[float, float, float, float], nearer: list[Walker], size_wh: tuple[int, int]) -> float:
    """Share of a box, 0 to 1, that is inside a picture of this size and not behind those who are nearer."""
    x, y = np.meshgrid(np.linspace(box[0], box[2], 9), np.linspace(box[1], box[3], 9))
    shown = (x >= 0) & (y >= 0) & (x < size_wh[0]) & (y < size_wh[1])
    for other in nearer:
        shown &= ~other.hides(x, y)
    return float(shown.mean())


def draw_shadow(image: Image, one: Walker) -> None:
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
