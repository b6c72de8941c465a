"""A moving test pattern as a source, to try an appliance without a camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from appliance.camera.sources.options import SourceOptions
from appliance.core.types import Image

_ALLOWED = {"size": "WIDTHxHEIGHT", "fps": "frames a second", "seconds": "ends after so long"}


def open_pattern(source: str) -> PatternReader:
    """The reader of `test:?size=640x480&fps=25&seconds=10`.

    Raises
    ------
    SourceUnusable
        An option is unknown or not allowed.
    """
    _, _, query = source.partition("?")
    return PatternReader(SourceOptions("test:", query, _ALLOWED))


class PatternReader:
    """`test:` - colour bars, a moving bar and the frame's number; without faces."""

    live = False

    def __init__(self, options: SourceOptions) -> None:
        width, height = options.size("size", (640, 480))
        self.fps = options.number("fps", 25, 0.1, 1000)
        seconds = options.number("seconds", 0, 0.04, 86_400)
        self.finite = seconds > 0
        self.shape: tuple[int, int, int] | None = (height, width, 3)
        self.media_s = 0.0
        self.dropped: dict[str, int] = {}
        self.notice = ""
        self._count = max(1, round(seconds * self.fps))
        self._index = -1
        colours = np.array([[c * 75 for c in (i & 1, i >> 2 & 1, i >> 1 & 1)] for i in range(8)], np.uint8) + 40
        bars = colours[np.arange(width) * 8 // width]
        self._ground = np.ascontiguousarray(np.broadcast_to(bars, (height, width, 3)))

    def open(self) -> None:
        self._index = -1

    def advance(self) -> bool:
        if self.finite and self._index + 1 >= self._count:
            return False
        self._index += 1
        self.media_s = self._index / self.fps
        return True

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        image = into if into.shape == self._ground.shape else np.empty_like(self._ground)
        np.copyto(image, self._ground)
        height, width, _ = image.shape
        left = self._index * 4 % width
        image[height // 2 : height // 2 + height // 8, left : left + width // 16] = 255
        cv2.putText(image, str(self._index), (8, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
        return image, None

    def close(self) -> None:
        self._index = -1
