"""Bodies for the passers-by: drawn in the phases of a step, in clothes that chance chooses, and put into a picture."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from appliance.core.types import Image

BODY_PX_PER_M = 300.0
BODY_WH_M = (0.96, 1.56)
"""Width and height of a body's picture: from the ground, feet in the middle of its lower edge, to the neck."""
EYES_M = 1.585
PHASES = 8

Picture = npt.NDArray[np.uint8]
"""An array of shape `(height, width, 4)`: blue, green, red (multiplied by the share), share 0-255."""

_TOPS_BGR = ((62, 48, 40), (108, 74, 44), (48, 52, 120), (70, 88, 62), (44, 44, 46), (150, 140, 128), (96, 120, 150),
             (120, 60, 84), (84, 92, 98), (52, 100, 150), (160, 120, 70), (58, 70, 46))  # fmt: skip
_LEGS_BGR = ((70, 52, 40), (44, 42, 40), (96, 78, 60), (58, 66, 76), (90, 100, 112), (40, 36, 52))
_SHIRTS_BGR = ((222, 224, 226), (200, 170, 140), (150, 150, 200), (90, 90, 96))
_HAIR_BGR = ((30, 34, 44), (44, 66, 96), (60, 90, 130), (150, 156, 160), (24, 24, 26))


@dataclass(frozen=True, eq=False)
class Pedestrian:
    """A body in each phase of two steps, at full, half and quarter size; `phases[phase][level]`."""

    phases: tuple[tuple[Picture, ...], ...]


@functools.lru_cache(maxsize=128)
def draw_pedestrian(seed: str, skin_bgr: tuple[float, float, float], from_behind: bool = False) -> Pedestrian:
    """A person's body in clothes that `seed` chooses; seen from behind with a head of its own."""
    rng = random.Random(seed)  # noqa: S311
    clothes = _Clothes(
        top=rng.choice(_TOPS_BGR),
        legs=rng.choice(_LEGS_BGR),
        shirt=rng.choice(_SHIRTS_BGR),
        hair=rng.choice(_HAIR_BGR),
        cut=rng.choice(("jacket", "jumper", "coat", "shirt")),
        bag=rng.choice(("none", "none", "strap", "rucksack")),
        skin=skin_bgr,
        wide=rng.uniform(0.93, 1.1),
        grain=rng.randrange(1 << 30),
    )
    return Pedestrian(tuple(_pyramid(_draw(clothes, 2 * np.pi * i / PHASES, from_behind)) for i in range(PHASES)))


def paste(
    canvas: Image, picture: Picture, matrix: npt.NDArray[np.float64], blur_px: tuple[float, float], fade: float
) -> None:
    """Put a picture into the canvas, in place.

    Parameters
    ----------
    matrix
        A homography of shape `(3, 3)` from pixels of the picture to pixels of the canvas.
    blur_px
        Way of the picture during the exposure, x and y in pixels.
    fade
        0 (not there) to 1 (wholly there).
    """
    height, width = picture.shape[:2]
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)], np.float64) @ matrix.T
    corners = corners[:, :2] / corners[:, 2:]
    margin = 1 + np.abs(np.array(blur_px)) / 2
    left, top = (int(v) for v in np.floor(np.maximum(corners.min(axis=0) - margin, 0)))
    right, bottom = (
        int(v) for v in np.ceil(np.minimum(corners.max(axis=0) + margin, (canvas.shape[1], canvas.shape[0])))
    )
    if right - left < 2 or bottom - top < 2:
        return
    shift = np.array([(1.0, 0.0, -left), (0.0, 1.0, -top), (0.0, 0.0, 1.0)])
    local, size = shift @ matrix, (right - left, bottom - top)
    if abs(local[2, 0]) < 1e-9 and abs(local[2, 1]) < 1e-9:
        put = cv2.warpAffine(picture, local[:2] / local[2, 2], size, flags=cv2.INTER_LINEAR)
    else:
        put = cv2.warpPerspective(picture, local, size, flags=cv2.INTER_LINEAR)
    kernel = _streak(blur_px)
    if kernel is not None:
        put = cv2.filter2D(put, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    if fade < 1:
        put = cv2.convertScaleAbs(put, alpha=fade)
    region = canvas[top:bottom, left:right]
    behind = cv2.merge([255 - cv2.extractChannel(put, 3)] * 3)
    cv2.multiply(region, behind, dst=behind, scale=1 / 255)
    cv2.add(behind, cv2.cvtColor(put, cv2.COLOR_BGRA2BGR), dst=region)


def level_for(scale: float, levels: int) -> int:
    """Which level of a pyramid to shrink from, so that no pixel is left out."""
    return int(np.clip(np.floor(-np.log2(max(scale, 1e-6)) + 0.25), 0, levels - 1))


def _streak(way_px: tuple[float, float]) -> npt.NDArray[np.float32] | None:
    """A kernel that smears along a way; None where it is too short to see."""
    length = float(np.hypot(*way_px))
    if length < 1.0:
        return None
    half = min(7, int(np.ceil(length / 2)))
    steps = np.linspace(-0.5, 0.5, 4 * half + 1)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for step in steps * min(1.0, 2 * half / length):
        x, y = half + step * way_px[0], half + step * way_px[1]
        column, row = int(np.floor(x)), int(np.floor(y))
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if 0 <= column + dx <= 2 * half and 0 <= row + dy <= 2 * half:
                kernel[row + dy, column + dx] += (1 - abs(x - column - dx)) * (1 - abs(y - row - dy))
    kernel /= kernel.sum()
    return kernel


@dataclass(frozen=True)
class _Clothes:
    top: tuple[int, int, int]
    legs: tuple[int, int, int]
    shirt: tuple[int, int, int]
    hair: tuple[int, int, int]
    cut: str
    bag: str
    skin: tuple[float, float, float]
    wide: float
    grain: int


class _Drawing:
    """Draws in metres, feet at (0, 0), y upward, at twice the size; colour and share apart."""

    def __init__(self) -> None:
        self.scale = 2 * BODY_PX_PER_M
        self.width, self.height = (int(side * self.scale) for side in BODY_WH_M)
        self.colour = np.zeros((self.height, self.width, 3), np.uint8)
        self.share = np.zeros((self.height, self.width), np.uint8)

    def _px(self, points: list[tuple[float, float]]) -> npt.NDArray[np.int32]:
        flat = [(self.width / 2 + x * self.scale, self.height - y * self.scale) for x, y in points]
        return np.round(np.array(flat)).astype(np.int32)

    def shape(self, points: list[tuple[float, float]], bgr: tuple[float, ...], tone: float = 1.0) -> None:
        spots = self._px(points)
        cv2.fillPoly(self.colour, [spots], [min(255.0, c * tone) for c in bgr])
        cv2.fillPoly(self.share, [spots], 255)

    def limb(self, points: list[tuple[float, float]], wide_m: float, bgr: tuple[float, ...], tone: float = 1.0) -> None:
        spots = self._px(points)
        thick = max(1, int(wide_m * self.scale))
        cv2.polylines(self.colour, [spots], False, [min(255.0, c * tone) for c in bgr], thick, cv2.LINE_8)
        cv2.polylines(self.share, [spots], False, 255, thick, cv2.LINE_8)

    def oval(
        self, centre: tuple[float, float], axes_m: tuple[float, float], bgr: tuple[float, ...], tone: float = 1.0
    ) -> None:
        spot = self._px([centre])[0]
        axes = (int(axes_m[0] * self.scale), int(axes_m[1] * self.scale))
        for canvas, value in ((self.colour, [min(255.0, c * tone) for c in bgr]), (self.share, 255)):
            cv2.ellipse(canvas, (int(spot[0]), int(spot[1])), axes, 0, 0, 360, value, -1)


def _draw(clothes: _Clothes, phase: float, from_behind: bool) -> Picture:
    drawing, w = _Drawing(), clothes.wide
    swing = float(np.sin(phase))
    # The leg that swings forward is lifted, so its foot is higher; the other one carries.
    for side in (-1, 1):
        lift = max(0.0, side * swing) * 0.09
        hip, knee, foot = (side * 0.085 * w, 0.90), (side * 0.105 * w, 0.48 + 0.5 * lift), (side * 0.10, 0.08 + lift)
        tone = 0.86 if lift else 1.0
        drawing.limb([hip, knee], 0.155 * w, clothes.legs, tone)
        drawing.limb([knee, foot], 0.115 * w, clothes.legs, tone * 0.95)
        drawing.oval((side * 0.112, 0.055 + lift), (0.055, 0.045), (34, 32, 36))
    hem = {"coat": 0.56, "jacket": 0.82, "jumper": 0.86, "shirt": 0.84}[clothes.cut]
    for side in (-1, 1):
        reach = 0.05 * side * swing
        arm = [(side * 0.205 * w, 1.37), (side * 0.262 * w, 1.12), (side * 0.252 * w, 0.90 + reach)]
        drawing.oval((arm[2][0], arm[2][1] - 0.05), (0.042, 0.06), clothes.skin, 0.92)
        drawing.limb(arm, 0.105 * w, clothes.top, 0.84)
    torso = [(-0.075, 1.475), (-0.19 * w, 1.425), (-0.235 * w, 1.37), (-0.2 * w, 1.16), (-0.178 * w, 1.02)]
    torso += [(-0.205 * w, hem), (0.205 * w, hem)]
    torso += [(-x, y) for x, y in reversed(torso[:5])]
    drawing.shape(torso, clothes.top)
    if from_behind:
        drawing.limb([(0, 1.40), (0, 1.56)], 0.11, clothes.skin, 0.8)
        drawing.oval((0, 1.45), (0.10, 0.035), clothes.top, 0.9)
    else:
        _front_of(drawing, clothes, hem)
    if clothes.bag == "rucksack":
        if from_behind:
            bag = [(-0.11, 1.42), (0.11, 1.42), (0.16, 1.34), (0.17, 1.04), (0.14, 0.98), (-0.14, 0.98), (-0.17, 1.04)]
            drawing.shape([*bag, (-0.16, 1.34)], (66, 60, 52))
            drawing.limb([(-0.14, 1.22), (0.14, 1.22)], 0.01, (66, 60, 52), 0.6)
            drawing.limb([(-0.1, 1.16), (-0.1, 1.03), (0.1, 1.03), (0.1, 1.16)], 0.01, (66, 60, 52), 0.6)
        for side in (-1, 1) if not from_behind else ():
            drawing.limb([(side * 0.135, 1.44), (side * 0.15, 1.12)], 0.04, (40, 44, 48))
    elif clothes.bag == "strap":
        drawing.limb([(-0.13, 1.44), (0.17, 0.92)], 0.032, (44, 58, 84))
    return _finish(drawing, clothes)


def _front_of(drawing: _Drawing, clothes: _Clothes, hem: float) -> None:
    drawing.shape([(-0.062, 1.56), (0.062, 1.56), (0.072, 1.44), (0, 1.37), (-0.072, 1.44)], clothes.skin, 0.80)
    if clothes.cut in {"jacket", "coat"}:
        drawing.shape(
            [(-0.072, 1.455), (0, 1.40), (0.072, 1.455), (0.05, 1.30), (0, 1.12), (-0.05, 1.30)], clothes.shirt
        )
        for side in (-1, 1):
            drawing.shape(
                [(side * 0.062, 1.49), (side * 0.095, 1.44), (side * 0.085, 1.29), (0.0, 1.10), (side * 0.042, 1.36)],
                clothes.top,
                1.22,
            )
        drawing.limb([(0, 1.12), (0, hem)], 0.008, clothes.top, 0.55)
        for y in (1.04, 0.94):
            drawing.oval((0.022, y), (0.009, 0.009), clothes.top, 0.45)
    elif clothes.cut == "shirt":
        for side in (-1, 1):
            drawing.shape(
                [(side * 0.066, 1.485), (side * 0.09, 1.44), (side * 0.03, 1.36), (0, 1.40)], clothes.top, 1.25
            )
        drawing.limb([(0, 1.39), (0, hem)], 0.012, clothes.top, 0.8)
    else:
        drawing.limb([(-0.08, 1.462), (-0.04, 1.415), (0, 1.40), (0.04, 1.415), (0.08, 1.462)], 0.026, clothes.top, 1.2)


def _finish(drawing: _Drawing, clothes: _Clothes) -> Picture:
    """Give the flat drawing volume and cloth, and shrink it to its size."""
    size = (drawing.width // 2, drawing.height // 2)
    colour = cv2.resize(drawing.colour, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    share = cv2.resize(drawing.share, size, interpolation=cv2.INTER_AREA)
    inside = cv2.distanceTransform((share > 127).astype(np.uint8), cv2.DIST_L2, 3)
    volume = 0.66 + 0.36 * np.sqrt(np.clip(inside / 26, 0, 1))
    rng = np.random.default_rng(clothes.grain)
    folds = cv2.resize(rng.normal(0, 1, (26, 9)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    cloth = rng.normal(0, 0.02, (size[1], size[0])).astype(np.float32)
    light = np.linspace(1.08, 0.90, size[0], dtype=np.float32)[None, :]
    colour *= (volume * light * (1 + 0.075 * folds + cloth))[..., None]
    soft = np.asarray(cv2.GaussianBlur(colour, (0, 0), 0.7), np.float32)
    return np.dstack([np.minimum(soft, share[..., None]), share]).clip(0, 255).astype(np.uint8)


def _pyramid(picture: Picture) -> tuple[Picture, ...]:
    levels = [picture]
    while len(levels) < 4:
        levels.append(np.asarray(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(levels)


@functools.lru_cache(maxsize=8)
def back_of_head(seed: str) -> tuple[Picture, ...]:
    """A head from behind, hair only, 0.4 m by 0.44 m; with its pyramid."""
    rng = random.Random(seed)  # noqa: S311
    hair = np.array(rng.choice(_HAIR_BGR), np.float32)
    height, width = 264, 240
    share = np.zeros((height, width), np.uint8)
    cv2.ellipse(share, (width // 2, 120), (50, 66), 0, 0, 360, 255, -1)
    if rng.random() < 0.5:
        cv2.ellipse(share, (width // 2, 150), (56, 74), 0, 0, 360, 255, -1)
    share = np.asarray(cv2.GaussianBlur(share, (0, 0), 2.5), np.uint8)
    grain = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 1, (12, width)).astype(np.float32)
    strands = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    shine = np.exp(-(((np.arange(height) - 88) / 34.0) ** 2))[:, None] * 34
    colour = hair + shine[..., None] + 7 * strands[..., None]
    colour = np.clip(colour, 0, 255) * (share[..., None] / 255.0)
    return _pyramid(np.dstack([colour, share]).astype(np.uint8))
