"""A pedestrian street on an overcast day, drawn once: paving, shop fronts, awnings, upper floors, sky.

World coordinates are metres: X to the right, Y up from the ground, Z away from the camera. Each plane of the street
is painted as a flat texture and put into place by the homography of a pinhole camera.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from appliance.core.types import Image

LEFT_M, RIGHT_M = -3.6, 4.6
"""Where the house fronts stand."""
NEAR_M, FAR_M = 1.2, 70.0
FRONT_M = 8.0
"""Height of the house fronts."""
SHOPS = ("BAKERY", "BOOKS", "CAFE", "FLOWERS", "SHOES", "OPTICIAN", "TOYS", "PHARMACY", "RECORDS", "DELI")

_TEXTURE_PX_PER_M = 48
_HAZE_BGR = np.array([205.0, 200.0, 196.0])
_WALLS_BGR = ((96, 118, 142), (148, 160, 170), (86, 98, 128), (170, 184, 190), (120, 132, 138), (104, 124, 160))
_AWNINGS_BGR = ((58, 44, 128), (70, 92, 48), (110, 72, 40), (40, 92, 150), (60, 60, 66))


@dataclass(frozen=True)
class View:
    """A pinhole camera that looks along the street, level, from a van's roof.

    Attributes
    ----------
    size_wh
        Width and height of its picture, pixels.
    """

    size_wh: tuple[int, int]
    height_m: float = 2.4

    @property
    def focal_px(self) -> float:
        """Focal length in pixels: a field of view of 37 degrees across."""
        return 1.5 * self.size_wh[0]

    @property
    def horizon_px(self) -> float:
        """Row of the horizon; above the middle, as the lens is shifted down."""
        return 0.22 * self.size_wh[1]

    def project(self, x_m: float, y_m: float, z_m: float) -> tuple[float, float]:
        """A point of the world to x, y in pixels."""
        scale = self.focal_px / z_m
        return self.size_wh[0] / 2 + x_m * scale, self.horizon_px + (self.height_m - y_m) * scale


@functools.lru_cache(maxsize=4)
def draw_street(size_wh: tuple[int, int]) -> Image:
    """The empty street, of shape `(height, width, 3)`; read-only, as callers share it."""
    rng = np.random.default_rng(7)
    width, height = size_wh[0] * 2, size_wh[1] * 2
    view = View((width, height))
    canvas = _sky(width, height, rng)
    _end_of_street(canvas, view, rng)
    ground = _paving(rng)
    _place(canvas, view, ground, [(LEFT_M, 0, FAR_M), (RIGHT_M, 0, FAR_M), (RIGHT_M, 0, NEAR_M), (LEFT_M, 0, NEAR_M)])
    for side in (LEFT_M, RIGHT_M):
        front = _front(rng, flip=side > 0)
        _place(
            canvas,
            view,
            front,
            [(side, FRONT_M, NEAR_M), (side, FRONT_M, FAR_M), (side, 0, FAR_M), (side, 0, NEAR_M)],
        )
        _awnings(canvas, view, side, rng)
    for z_m in (48.0, 34.0, 24.0, 17.5):
        _lamp(canvas, view, LEFT_M + 0.45, z_m)
        _planter(canvas, view, RIGHT_M - 0.6, z_m - 3, rng)
    street = cv2.resize(canvas, size_wh, interpolation=cv2.INTER_AREA)
    street = cv2.GaussianBlur(street, (0, 0), max(0.5, size_wh[0] / 1800))
    finished: Image = np.clip(street.astype(np.float32) * _vignette(size_wh), 0, 255).astype(np.uint8)
    finished.flags.writeable = False
    return finished


def _vignette(size_wh: tuple[int, int]) -> npt.NDArray[np.float32]:
    x = np.linspace(-1, 1, size_wh[0], dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, size_wh[1], dtype=np.float32)[:, None]
    return np.asarray((1.07 - 0.13 * (x**2 + y**2))[..., None], np.float32)


def _clouds(height: int, width: int, rng: np.random.Generator, octaves: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Smooth noise about 0 of shape `(height, width)`, the coarser the stronger."""
    total = np.zeros((height, width), np.float32)
    for cells in octaves:
        small = rng.normal(0, 1, (max(2, cells * height // max(width, 1)), cells)).astype(np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) / cells * octaves[0]
    return total


def _sky(width: int, height: int, rng: np.random.Generator) -> Image:
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([226, 214, 204], np.float32) * (1 - rows * 0.1) + 10 * rows
    canvas = np.broadcast_to(sky, (height, width, 3)) + _clouds(height, width, rng, (6, 14, 30))[..., None] * 5
    return np.asarray(np.clip(canvas, 0, 255), np.uint8)


def _end_of_street(canvas: Image, view: View, rng: np.random.Generator) -> None:
    """Houses across the far end, hazy."""
    x_m = LEFT_M - 2
    while x_m < RIGHT_M + 2:
        wide, high = rng.uniform(1.8, 3.2), rng.uniform(5.0, 7.5)
        colour = 0.35 * np.array(_WALLS_BGR[rng.integers(len(_WALLS_BGR))]) + 0.65 * _HAZE_BGR
        left, top = view.project(x_m, high, FAR_M)
        right, bottom = view.project(x_m + wide, 0, FAR_M)
        cv2.rectangle(canvas, (int(left), int(top)), (int(right), int(bottom)), colour.tolist(), -1)
        for row_m in np.arange(1.2, high - 0.8, 1.5):
            for column_m in np.arange(x_m + 0.35, x_m + wide - 0.5, 0.8):
                a, b = view.project(column_m, row_m + 0.9, FAR_M), view.project(column_m + 0.45, row_m, FAR_M)
                dark = (colour * 0.72).tolist()
                cv2.rectangle(canvas, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), dark, -1)
        x_m += wide


def _paving(rng: np.random.Generator) -> Image:
    """Slabs in courses, a darker gutter at each side and a cover in the middle; rows run from far to near."""
    scale = _TEXTURE_PX_PER_M
    height, width = int((FAR_M - NEAR_M) * scale), int((RIGHT_M - LEFT_M) * scale)
    slab_z, slab_x = int(0.45 * scale), int(0.6 * scale)
    tones = rng.normal(0, 5.0, (height // slab_z + 2, width // slab_x + 3)).astype(np.float32)
    rows = np.arange(height) // slab_z
    shift = np.where(rows % 2 == 0, 0, slab_x // 2)
    columns = (np.arange(width)[None, :] + shift[:, None]) // slab_x
    texture = 150 + tones[rows[:, None], columns]
    joints = (np.arange(height) % slab_z < 2)[:, None] | ((np.arange(width)[None, :] + shift[:, None]) % slab_x < 2)
    texture[joints] -= 26
    texture += rng.normal(0, 3.5, texture.shape).astype(np.float32)
    wear = cv2.resize(_clouds(height // 8, width // 8, rng, (4, 9, 19)), (width, height))
    texture += 4.0 * wear
    image = np.repeat(texture[..., None], 3, axis=2) + np.array([-5, 0, 5], np.float32)
    for edge_m in (0.9, RIGHT_M - LEFT_M - 1.1):
        left = int(edge_m * scale)
        image[:, left : left + int(0.22 * scale)] *= 0.72
    # Nothing that touches the ground throws much light back: darker along the houses.
    across = np.minimum(np.arange(width), np.arange(width)[::-1]) / scale
    image *= (0.70 + 0.30 * np.clip(across / 0.9, 0, 1))[None, :, None].astype(np.float32)
    texture8 = np.clip(image, 0, 255).astype(np.uint8)
    for z_m, x_m in ((6.2, 0.9), (15.0, -1.2), (27.0, 1.4)):
        centre = (int((x_m - LEFT_M) * scale), int((FAR_M - z_m) * scale))
        cv2.circle(texture8, centre, int(0.33 * scale), (92, 96, 100), -1, cv2.LINE_AA)
        cv2.circle(texture8, centre, int(0.33 * scale), (70, 72, 76), 2, cv2.LINE_AA)
        cv2.circle(texture8, centre, int(0.20 * scale), (78, 82, 86), 1, cv2.LINE_AA)
    depth_m = np.linspace(FAR_M, NEAR_M, height)
    return _haze(texture8, depth_m[:, None])


def _front(rng: np.random.Generator, flip: bool) -> Image:
    """House fronts side by side; columns run from near to far, rows from the eaves to the ground."""
    scale = _TEXTURE_PX_PER_M
    width, height = int((FAR_M - NEAR_M) * scale), int(FRONT_M * scale)
    texture = np.zeros((height, width, 3), np.uint8)
    at, number = 0, int(flip) * 5
    while at < width:
        wide = int(rng.uniform(4.2, 6.0) * scale)
        _house(texture[:, at : at + wide], SHOPS[number % len(SHOPS)], number, rng, flip)
        at += wide
        number += 1
    noise = rng.normal(0, 3.0, texture.shape[:2]).astype(np.float32)[..., None]
    noise = noise + 6 * cv2.resize(_clouds(height // 4, width // 4, rng, (30, 70)), (width, height))[..., None]
    shade = np.linspace(1.05, 0.86, height, dtype=np.float32)[:, None, None] * (0.86 if flip else 1.0)
    texture = np.clip((texture + noise) * shade, 0, 255).astype(np.uint8)
    return _haze(texture, np.linspace(NEAR_M, FAR_M, width)[None, :])


def _house(texture: Image, name: str, number: int, rng: np.random.Generator, flip: bool) -> None:
    height, width = texture.shape[:2]
    scale = _TEXTURE_PX_PER_M
    wall = np.array(_WALLS_BGR[(number * 5 + 2) % len(_WALLS_BGR)], np.float64)
    texture[:] = wall
    courses = np.arange(height) % max(4, scale // 10) == 0
    texture[courses] = wall * 0.93
    ground = int((FRONT_M - 3.3) * scale)
    for top in (int(0.5 * scale), int(2.6 * scale)):
        for left in range(int(0.5 * scale), width - int(1.1 * scale), int(1.55 * scale)):
            _window(texture, left, top, int(0.95 * scale), int(1.45 * scale), rng)
    cv2.rectangle(texture, (0, ground - int(0.12 * scale)), (width, ground), (wall * 1.15).clip(0, 255).tolist(), -1)
    frame = np.array(_AWNINGS_BGR[number % len(_AWNINGS_BGR)], np.float64)
    cv2.rectangle(texture, (0, ground), (width, height), (frame * 0.8).tolist(), -1)
    sign_bottom = ground + int(0.62 * scale)
    cv2.rectangle(texture, (4, ground + 4), (width - 4, sign_bottom), frame.tolist(), -1)
    size = cv2.getTextSize(name, cv2.FONT_HERSHEY_DUPLEX, 0.72, 1)[0]
    label = np.zeros((int(0.5 * scale), size[0] + 8, 3), np.uint8)
    cv2.putText(label, name, (4, label.shape[0] - 6), cv2.FONT_HERSHEY_DUPLEX, 0.72, (215, 228, 236), 1, cv2.LINE_AA)
    if not flip:
        left = max(2, (width - label.shape[1]) // 2)
    else:
        label, left = label[:, ::-1], max(2, (width - label.shape[1]) // 2)
    target = texture[ground + 5 : ground + 5 + label.shape[0], left : left + label.shape[1]]
    np.maximum(target, label[: target.shape[0], : target.shape[1]], out=target)
    door = width - int(1.15 * scale)
    _glass(texture, int(0.25 * scale), sign_bottom + 6, door - int(0.15 * scale), height - int(0.45 * scale), rng)
    _glass(texture, door, sign_bottom + 6, width - int(0.2 * scale), height - 3, rng)
    cv2.rectangle(texture, (width - 5, 0), (width, height), (wall * 0.7).tolist(), -1)


def _window(texture: Image, left: int, top: int, wide: int, high: int, rng: np.random.Generator) -> None:
    cv2.rectangle(texture, (left - 4, top - 4), (left + wide + 4, top + high + 6), (206, 212, 216), -1)
    _glass(texture, left, top, left + wide, top + high, rng)
    cv2.line(texture, (left + wide // 2, top), (left + wide // 2, top + high), (200, 206, 210), 3)
    cv2.line(texture, (left, top + high // 2), (left + wide, top + high // 2), (200, 206, 210), 3)
    cv2.rectangle(texture, (left - 7, top + high + 5), (left + wide + 7, top + high + 10), (170, 176, 180), -1)


def _glass(texture: Image, left: int, top: int, right: int, bottom: int, rng: np.random.Generator) -> None:
    """Dark glass with a little of the sky in its upper part and things behind it."""
    pane = texture[top:bottom, left:right]
    if pane.size == 0:
        return
    rows = np.linspace(1, 0, pane.shape[0], dtype=np.float32)[:, None, None]
    glass = np.array([66, 62, 58], np.float32) + rows * np.array([62, 58, 52], np.float32)
    glass = np.broadcast_to(glass, pane.shape).copy()
    for _ in range(pane.shape[1] // 22):
        x, wide, high = (
            rng.integers(0, pane.shape[1]),
            rng.integers(6, 20),
            rng.integers(10, max(11, pane.shape[0] // 2)),
        )
        warm = np.array([60, 96, 128], np.float32) * rng.uniform(0.5, 1.25)
        glass[pane.shape[0] - high :, x : x + wide] = 0.55 * glass[pane.shape[0] - high :, x : x + wide] + 0.45 * warm
    pane[:] = np.clip(cv2.GaussianBlur(glass, (0, 0), 1.6), 0, 255).astype(np.uint8)


def _awnings(canvas: Image, view: View, side: float, rng: np.random.Generator) -> None:
    inward = 1.1 if side < 0 else -1.1
    z_m = 62.0
    while z_m > 12:
        long = rng.uniform(2.6, 3.6)
        colour = np.array(_AWNINGS_BGR[rng.integers(len(_AWNINGS_BGR))], np.float64)
        haze = _haze_share(np.array(z_m))
        stripes = 8
        for i in range(stripes):
            a, b = z_m - long * i / stripes, z_m - long * (i + 1) / stripes
            tone = colour if i % 2 else np.array([206.0, 212, 216])
            tone = tone * (1 - haze) + _HAZE_BGR * haze
            high, low = 2.95, 2.55
            quad = [view.project(side, high, a), view.project(side, high, b)]
            quad += [view.project(side + inward, low, b), view.project(side + inward, low, a)]
            cv2.fillPoly(canvas, [np.array(quad, np.int32)], (tone * 0.95).tolist(), cv2.LINE_AA)
            flap = [view.project(side + inward, low, a), view.project(side + inward, low, b)]
            flap += [view.project(side + inward, low - 0.2, b), view.project(side + inward, low - 0.2, a)]
            cv2.fillPoly(canvas, [np.array(flap, np.int32)], (tone * 0.78).tolist(), cv2.LINE_AA)
        z_m -= long + rng.uniform(3.5, 6.5)


def _lamp(canvas: Image, view: View, x_m: float, z_m: float) -> None:
    haze = float(_haze_share(np.array(z_m)))
    tone = (np.array([52.0, 50, 48]) * (1 - haze) + _HAZE_BGR * haze).tolist()
    foot, top = view.project(x_m, 0, z_m), view.project(x_m, 4.2, z_m)
    thick = max(2, int(0.09 * view.focal_px / z_m))
    cv2.line(canvas, (int(foot[0]), int(foot[1])), (int(top[0]), int(top[1])), tone, thick, cv2.LINE_AA)
    base = view.project(x_m, 0.8, z_m)
    cv2.line(canvas, (int(foot[0]), int(foot[1])), (int(base[0]), int(base[1])), tone, thick * 2, cv2.LINE_AA)
    cv2.circle(canvas, (int(top[0]), int(top[1])), thick * 2, (214, 226, 230), -1, cv2.LINE_AA)


def _planter(canvas: Image, view: View, x_m: float, z_m: float, rng: np.random.Generator) -> None:
    haze = float(_haze_share(np.array(z_m)))
    left, top = view.project(x_m - 0.38, 0.62, z_m)
    right, bottom = view.project(x_m + 0.38, 0, z_m)
    scale = view.focal_px / z_m
    for _ in range(60):
        centre = view.project(x_m + rng.normal(0, 0.2), 0.85 + rng.normal(0, 0.16), z_m)
        leaf = np.array([40.0, 92, 62]) * rng.uniform(0.55, 1.25)
        leaf = leaf * (1 - haze) + _HAZE_BGR * haze
        cv2.circle(canvas, (int(centre[0]), int(centre[1])), max(2, int(0.07 * scale)), leaf.tolist(), -1, cv2.LINE_AA)
    box = np.array([70.0, 76, 80]) * (1 - haze) + _HAZE_BGR * haze
    cv2.rectangle(canvas, (int(left), int(top)), (int(right), int(bottom)), box.tolist(), -1)
    cv2.rectangle(canvas, (int(left), int(top)), (int(right), int(top + 0.08 * scale)), (box * 1.25).tolist(), -1)


def _haze_share(depth_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 0.62 * (1 - np.exp(-np.maximum(depth_m - 6, 0) / 42.0))


def _haze(texture: Image, depth_m: npt.NDArray[np.float64]) -> Image:
    share = _haze_share(depth_m)[..., None]
    return np.clip(texture * (1 - share) + _HAZE_BGR * share, 0, 255).astype(np.uint8)


def _place(canvas: Image, view: View, texture: Image, corners_m: list[tuple[float, float, float]]) -> None:
    """Put a flat texture into the picture; corners are world points of its top left, clockwise."""
    height, width = texture.shape[:2]
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    seen = np.array([view.project(*corner) for corner in corners_m], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, seen)
    size = (canvas.shape[1], canvas.shape[0])
    put = cv2.warpPerspective(texture, matrix, size, flags=cv2.INTER_LINEAR)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(seen).astype(np.int32), 255)
    canvas[mask > 0] = put[mask > 0]
