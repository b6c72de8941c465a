"""A photo's bytes → upright pixels of a bounded size, or why there are none.

Whatever a file holds ends in pixels or in a sentence; the size in its header is judged before any pixel is decoded.
"""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageOps, UnidentifiedImageError

from appliance.core.errors import LfrError
from appliance.core.types import Image

MAX_PIXELS = 60_000_000
MIN_SIDE_PX = 32
WORK_SIDE_PX = 2048
"""Larger pictures are shrunk to this before anything else: a face in them is still far larger than the embedder's."""
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")


class Unreadable(LfrError):
    """A picture that cannot be used as a picture: the reason, and what would help."""


class Photo(NamedTuple):
    """A decoded photo.

    Attributes
    ----------
    image_bgr
        Upright as its EXIF says, at most `WORK_SIDE_PX` a side.
    shrunk
        By how much it was shrunk: pixels of the original to one of `image_bgr`, at least 1.
    """

    image_bgr: Image
    shrunk: float

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the original, upright, pixels."""
        height, width = self.image_bgr.shape[:2]
        return round(width * self.shrunk), round(height * self.shrunk)


def decode(content: bytes) -> Photo:
    """The pixels of a photo.

    Raises
    ------
    Unreadable
        Not a picture, truncated, damaged, a bomb, or too small to hold a face.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; a bomb is judged below
            with Pil.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height = picture.size
                _judge_size(width, height)
                picture.draft("RGB", (WORK_SIDE_PX, WORK_SIDE_PX))
                upright = ImageOps.exif_transpose(picture)
                pixels = _to_bgr(upright)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("not a picture, or of a kind that is not read", "Save it as JPEG or PNG.") from None
    except (Pil.DecompressionBombError, MemoryError):
        raise Unreadable("too large to be decoded", f"At most {MAX_PIXELS // 10**6} million pixels.") from None
    except Exception as error:  # noqa: BLE001 (a decoder's errors on damaged files are of every kind)
        text = str(error)
        cut = isinstance(error, OSError) and ("truncat" in text or "unexpected end" in text.lower())
        raise Unreadable(
            "truncated: its end is missing" if cut else f"damaged ({text[:80]})", "Copy it again."
        ) from None
    longest = max(pixels.shape[:2])
    if longest > WORK_SIDE_PX:
        ratio = WORK_SIDE_PX / longest
        size = (max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return Photo(pixels, max(width, height) / max(pixels.shape[:2]))


def _judge_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unreadable(f"too large: {width} × {height} pixels", f"At most {MAX_PIXELS // 10**6} million pixels.")
    if min(width, height) < MIN_SIDE_PX:
        raise Unreadable(
            f"too small: {width} × {height} pixels", "Get the original picture, not a preview or a picture of a screen."
        )


def _to_bgr(picture: Pil.Image) -> Image:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float32)
        top = max(255.0, float(values.max(initial=0)))
        gray = (values * (255 / (65535.0 if top > 255 else top))).clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(gray[:, :, None], 3, axis=2))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        picture = Pil.alpha_composite(Pil.new("RGBA", layered.size, (128, 128, 128, 255)), layered)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])
