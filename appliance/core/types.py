"""The few values that rooms hand to one another: frames and faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Image = npt.NDArray[np.uint8]
"""An image of shape `(height, width, 3)`, blue-green-red, 0-255."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The faces of one frame, as a struct of arrays; valid when empty, checked when made.

    Attributes
    ----------
    boxes_xyxy
        An array of shape `(n, 4)`: left, top, right, bottom, in pixels of the frame.
    landmarks
        An array of shape `(n, 5, 2)`: x, y in pixels of the frame; in the order subject's right eye (left in the
        image), subject's left eye, nose tip, right mouth corner, left mouth corner.
    scores
        An array of shape `(n,)`: the detector's confidence, 0 to 1.
    """

    boxes_xyxy: Float32
    landmarks: Float32
    scores: Float32

    def __post_init__(self) -> None:
        n = len(self.scores)
        expected: tuple[tuple[str, tuple[int, ...]], ...] = (
            ("boxes_xyxy", (n, 4)),
            ("landmarks", (n, 5, 2)),
            ("scores", (n,)),
        )
        for name, shape in expected:
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"Faces.{name} must be float32 of shape {shape}, not {array.dtype} {array.shape}")

    @classmethod
    def empty(cls) -> Self:
        """No faces."""
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, which: npt.NDArray[Any]) -> Faces:
        """The faces at a boolean mask of shape `(n,)` or at an array of indices."""
        return Faces(self.boxes_xyxy[which], self.landmarks[which], self.scores[which])


@dataclass(slots=True, eq=False)
class Frame:
    """One picture from a source, and when it was taken.

    Attributes
    ----------
    image_bgr
        An array of shape `(height, width, 3)`. It belongs to whoever read the frame, until `wipe`.
    index
        Counts the frames of the source from 0, dropped ones included.
    captured_at_utc, captured_monotonic_s
        The same moment on both clocks. For a file read at pace `fast`, UTC is the start of the reading plus
        `media_s`, so that intervals are those of the recording; monotonic is when the frame was read, so that the
        time that it takes through the appliance is a true one.
    media_s
        Position in a file, seconds; None for a live source.
    """

    image_bgr: Image
    index: int
    captured_at_utc: datetime
    captured_monotonic_s: float
    media_s: float | None = None
    truth: Any = field(default=None, repr=False)
    """Ground truth of a simulated frame (`lab.simulation.walker.FaceInView`); None for every real source."""

    def wipe(self) -> None:
        """Overwrite the pixels in place."""
        self.image_bgr.fill(0)
