"""What everybody else asks of a face detector and a face embedder; any that answer so can take their place."""

from __future__ import annotations

from typing import Protocol

from appliance.core.types import Faces, Float32, Image


class FaceDetector(Protocol):
    """Finds faces.

    Attributes
    ----------
    ref
        Name and beginning of its sha256, as alerts and records name it.
    provider
        The execution provider that it was proven on: `cpu`, `cuda` or `tensorrt`.
    match_threshold
        A face with this score or a higher one may be recognised; weaker ones are only redacted.
    """

    ref: str
    provider: str
    match_threshold: float

    def detect(self, frame_bgr: Image, min_face_px: float | None = None) -> Faces:
        """All faces that are to be redacted, best first; down to another height for this one picture."""
        ...

    def refine(self, frame_bgr: Image, faces: Faces) -> Faces:
        """The same faces in the same order, with landmarks found again from a closer look, to be embedded."""
        ...


class FaceEmbedder(Protocol):
    """Turns aligned crops into unit vectors that are compared by cosine similarity.

    Attributes
    ----------
    ref, provider
        As those of a detector.
    dimension
        Of the vectors.
    crop_px, template
        Side of the crops, and where the five landmarks (x, y) lie in one, pixels: what `aligner.align` is to make.
    threshold
        The similarity from which a candidate is an alert, where the configuration names no other.
    """

    ref: str
    provider: str
    dimension: int
    crop_px: int
    template: tuple[tuple[float, float], ...]
    threshold: float

    def embed(self, crops_bgr: Image) -> Float32:
        """Crops of shape `(n, crop_px, crop_px, 3)` to unit vectors of shape `(n, dimension)`; n may be 0."""
        ...

    def embed_enrolment(self, crops_bgr: Image) -> Float32:
        """Like `embed`, for templates: more time for a steadier vector."""
        ...
