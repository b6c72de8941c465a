"""What a test expects to be there."""

from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from appliance.core.types import Image

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value; a failed test where there is none."""
    assert value is not None
    return value


def image_of(picture: Path | bytes) -> Image:
    """A file's picture or an encoded one, `(height, width, 3)` BGR."""
    encoded = picture if isinstance(picture, bytes) else picture.read_bytes()
    return present(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)).astype(np.uint8, copy=False)
