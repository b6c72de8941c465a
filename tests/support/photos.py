"""Pictures as files: encoded, and as arrays."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pil

from appliance.core.types import Image


def saved(picture: Pil.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(image_bgr: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image_bgr)[1])


def read(content: bytes) -> Image:
    """The pixels of an encoded picture, blue-green-red."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8, copy=False)


def beside(face_bgr: np.ndarray, others: list[tuple[int, int, int]]) -> Image:
    """A grey picture 640×440 with a face in its middle and more of it at (left, top, height) each."""
    wide = np.full((440, 640, 3), 90, np.uint8)
    height, width = face_bgr.shape[:2]
    wide[110 : 110 + height, 215 : 215 + width] = face_bgr
    for left, top, high in others:
        small = cv2.resize(face_bgr, (high * width // height, high), interpolation=cv2.INTER_AREA)
        wide[top : top + high, left : left + small.shape[1]] = small
    return wide
