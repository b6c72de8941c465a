"""A folder of images as a source, and how an image file is read."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image as PillowImage

from appliance.camera.sources.options import SourceOptions
from appliance.core.errors import SourceError, SourceUnusable
from appliance.core.types import Image

MAX_IMAGE_PIXELS = 50_000_000
MAX_IMAGE_BYTES = 100_000_000
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_BOMBS = (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning)


class FolderReader:
    """The images of a folder in the natural order of their names (`2.jpg` before `10.jpg`), at a steady rate.

    An image that is damaged, a bomb or no image is stepped over and counted (`unreadable`).
    """

    live = False

    def __init__(self, path: Path, options: SourceOptions) -> None:
        self.fps = options.number("fps", 5, 0.01, 1000)
        self.finite = not options.flag("loop")
        self.shape: tuple[int, int, int] | None = None
        self.media_s = 0.0
        self.dropped: dict[str, int] = {}
        self.notice = ""
        self._path = path
        self._files: list[Path] = []
        self._next = 0
        self._shown = 0
        self._image: Image | None = None

    def open(self) -> None:
        try:
            files = [f for f in self._path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()]
        except OSError as error:
            raise SourceUnusable(f"{self._path} cannot be read: {error.strerror}.") from None
        if not files:
            kinds = " ".join(sorted(IMAGE_SUFFIXES))
            raise SourceUnusable(f"{self._path} holds no images.", f"Images end in {kinds}.")
        self._files = sorted(files, key=lambda file: _natural(file.name))
        self._next = self._shown = 0

    def advance(self) -> bool:
        failed_in_a_row = 0
        while failed_in_a_row < len(self._files):
            if self._next == len(self._files):
                if self.finite:
                    break
                self._next = 0
            file = self._files[self._next]
            self._next += 1
            # Decoded here, as what cannot be read is not a frame.
            self._image = read_image(file)
            if self._image is not None:
                self.shape = (self._image.shape[0], self._image.shape[1], 3)
                self.media_s = self._shown / self.fps
                self._shown += 1
                return True
            failed_in_a_row += 1
            self.dropped["unreadable"] = self.dropped.get("unreadable", 0) + 1
        unreadable = self.dropped.get("unreadable", 0)
        if unreadable:
            self.notice = f"{unreadable} of {len(self._files)} images in {self._path.name} could not be read."
        return False

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        image, self._image = self._image, None
        if image is None:
            raise SourceError("There is no picture to retrieve.")
        if into.shape != image.shape:
            return image, None
        np.copyto(into, image)
        image.fill(0)
        return into, None

    def close(self) -> None:
        if self._image is not None:
            self._image.fill(0)
            self._image = None


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def read_image(path: Path) -> Image | None:
    """An image file as blue-green-red; None when it is damaged, larger than the limits, or no image."""
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
            # Reads the header only: the size is known before anything is unpacked.
            with PillowImage.open(path) as header:
                width, height = header.size
        if width * height > MAX_IMAGE_PIXELS:
            return None
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, ValueError, SyntaxError, cv2.error, *_BOMBS):
        return None
    return cast("Image", image) if image is not None and image.size else None
