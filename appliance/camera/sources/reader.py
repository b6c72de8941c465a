"""What a source reads from: pictures and media time. Its forms are in `video`, `image_folder` and `pattern`.

A reader knows nothing of clocks, threads, or buffers that are full. Those are the business of `open` (every frame) and
`live` (the newest frame).
"""

from __future__ import annotations

from typing import Any, Protocol

from appliance.core.types import Image


class Reader(Protocol):
    """Pictures one after another. One thread uses it; `close` and a new `open` start it again.

    Attributes
    ----------
    finite
        It comes to an end by itself.
    live
        The pictures are of now: nothing sets their pace but the camera, and a failure may pass.
    fps
        Pictures a second as announced; 0 when unknown.
    shape
        `(height, width, 3)` that the next picture is expected to have; None when unknown.
    media_s
        Position of the picture that `advance` has reached, seconds.
    dropped
        Pictures that cannot be had, by reason; grows.
    notice
        A plain sentence about what was not right with what was read; empty when all was.
    """

    finite: bool
    live: bool
    fps: float
    shape: tuple[int, int, int] | None
    media_s: float
    dropped: dict[str, int]
    notice: str

    def open(self) -> None:
        """Start from the beginning. Raises `SourceError` when it cannot now, `SourceUnusable` when it never will."""
        ...

    def advance(self) -> bool:
        """Go to the next picture, waiting for it; False at the end, or when a live source is lost."""
        ...

    def retrieve(self, into: Image) -> tuple[Image, Any]:
        """The picture and its ground truth, in `into` where that has the right shape, else in a new array."""
        ...

    def close(self) -> None:
        """Let go; harmless when closed."""
        ...
