"""The few buffers that frames live in: made once, wiped when a frame is given back, never more than agreed."""

from __future__ import annotations

import threading

import numpy as np

from appliance.core.types import Frame, Image

_GONE: Image = np.zeros((0, 0, 3), np.uint8)


class BufferPool:
    """Buffers of one shape that are handed out, wiped on return and handed out again; safe between threads.

    Parameters
    ----------
    limit
        The most buffers that exist at one time, those that readers hold included.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self.limit = limit
        self._lock = threading.Lock()
        self._shape: tuple[int, ...] = ()
        self._free: list[Image] = []
        self._held: dict[int, Image] = {}

    @property
    def held(self) -> int:
        """How many buffers are out."""
        with self._lock:
            return len(self._held)

    def take(self, shape: tuple[int, ...]) -> Image | None:
        """A buffer of `shape` `(height, width, 3)`, all zero; None when all of them are out."""
        with self._lock:
            if shape != self._shape:
                self._shape = shape
                self._free.clear()
            if self._free:
                image = self._free.pop()
            elif len(self._held) < self.limit:
                image = np.zeros(shape, np.uint8)
            else:
                return None
            self._held[id(image)] = image
            return image

    def exchange(self, taken: Image, filled: Image) -> Image:
        """Take `filled` into the pool instead of `taken`, where a decoder put its picture elsewhere; gives `filled`."""
        if filled is taken:
            return filled
        with self._lock:
            self._held.pop(id(taken), None)
            taken.fill(0)
            if filled.shape != self._shape:
                self._shape = filled.shape
                self._free.clear()
            self._held[id(filled)] = filled
        return filled

    def give_back(self, image: Image) -> None:
        """Wipe a buffer and keep it for the next frame; one that is not out is left alone."""
        with self._lock:
            if self._held.get(id(image)) is not image:
                return
            image.fill(0)
            del self._held[id(image)]
            if image.shape == self._shape and len(self._free) + len(self._held) < self.limit:
                self._free.append(image)

    def release(self, frame: Frame) -> None:
        """Wipe a frame's picture, take its buffer back and leave the frame empty, so that nobody can see the next one.

        A frame that was released before is left alone.
        """
        image, frame.image_bgr = frame.image_bgr, _GONE
        self.give_back(image)
