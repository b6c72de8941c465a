"""What a camera makes of a scene: an exposure that flickers, noise, and what compression does to faces."""

from __future__ import annotations

import functools
import math
import random

import cv2
import numpy as np

from appliance.core.types import Image
from appliance.lab.simulation.walker import Walker

_MORE_PX = 64


def expose(image: Image, media_s: float, noise: float, rng: random.Random) -> None:
    """Flicker and noise, in place.

    Parameters
    ----------
    noise
        1 is that of a usual camera, 0 none.
    """
    height, width = image.shape[:2]
    gain = 1 + 0.014 * math.sin(2.3 * media_s) + 0.006 * rng.uniform(-1, 1)
    left, top = rng.randrange(_MORE_PX), rng.randrange(_MORE_PX)
    strength = 0.25 * noise
    grain = noise_about_grey((width, height))[top : top + height, left : left + width]
    cv2.addWeighted(image, gain, grain, strength, -128 * strength, dst=image)


def compress_faces(image: Image, walkers: list[Walker], quality: int) -> None:
    """What JPEG of this quality does to the blocks about each head, in place; from 100 on nothing."""
    if quality >= 100:
        return
    height, width = image.shape[:2]
    for one in walkers:
        reach = 0.24 * one.px_per_m
        x0, x1 = int(one.head[0] - reach) // 16 * 16, int(one.head[0] + reach) // 16 * 16 + 16
        y0, y1 = int(one.head[1] - 1.2 * reach) // 16 * 16, int(one.head[1] + 1.2 * reach) // 16 * 16 + 16
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        if x1 - x0 < 16 or y1 - y0 < 16:
            continue
        region = image[y0:y1, x0:x1]
        _, packed = cv2.imencode(".jpg", region, [cv2.IMWRITE_JPEG_QUALITY, quality])
        np.copyto(region, np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8))


@functools.lru_cache(maxsize=4)
def noise_about_grey(size_wh: tuple[int, int]) -> Image:
    """Noise about 128, larger than the frame by `_MORE_PX` so that each frame can take another part of it."""
    rng = np.random.default_rng(11)
    shape = (size_wh[1] + _MORE_PX, size_wh[0] + _MORE_PX, 3)
    grain = rng.standard_normal(shape, np.float32) * 8 + rng.standard_normal((*shape[:2], 1), np.float32) * 10 + 128
    return grain.clip(0, 255).astype(np.uint8)
