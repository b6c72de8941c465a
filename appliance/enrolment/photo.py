"""An examined photo → what the watchlist takes from it: template, portrait, measures and reasons."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from appliance.core.errors import LfrError
from appliance.core.types import Float32, Image
from appliance.vision.aligner import portrait
from appliance.vision.examine import FAILED, REJECT, WARN, Examination, Examiner, Reason, Verdict
from appliance.vision.photo_faces import DETECT_SIDE_PX, EDGE, MIDDLE, OTHER_FACE_SHARE, PhotoFaces
from appliance.vision.redactor import redact

MEASURES_VERSION = 1
"""Raise it when a change, here or in `vision`, gives other results for a photo: cached ones are then made again."""

PORTRAIT_PX = 256


@dataclass(slots=True, eq=False)
class PhotoResult:
    """What came of one photo.

    Attributes
    ----------
    reasons, remedies
        Why it was rejected or is doubtful, and what would help; in the same order, as far as there is a remedy.
    faces
        Faces found in it.
    face_px, sharpness, yaw_deg, pitch_deg, roll_deg, brightness, contrast, clipped, score
        As `vision.quality.Quality` measures them, of the face that was taken; 0 without one. `face_px` counts pixels
        of the original picture.
    template
        Unit vector `(d,)` where the photo was taken; else empty.
    portrait
        JPEG 256×256 where it was taken; every other face in it is redacted.
    thumbnail
        JPEG for the report: the portrait, small, or the whole picture where no face was taken.
    """

    verdict: Verdict = "rejected"
    reasons: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    width: int = 0
    height: int = 0
    faces: int = 0
    face_px: float = 0.0
    sharpness: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    clipped: float = 0.0
    score: float = 0.0
    template: Float32 = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
    portrait: bytes = field(default=b"", repr=False)
    thumbnail: bytes = field(default=b"", repr=False)

    @property
    def taken(self) -> bool:
        """Whether it goes onto the list."""
        return self.verdict != "rejected"

    def measures(self) -> dict[str, Any]:
        """Everything but the vector and the pictures, as plain values."""
        values = {key: value for key, value in asdict(self).items() if key not in ("template", "portrait", "thumbnail")}
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}

    def to_bytes(self) -> bytes:
        """For the cache: JSON, then vector, portrait and thumbnail."""
        blobs = (self.template.astype("<f4").tobytes(), self.portrait, self.thumbnail)
        head = json.dumps({"measures": self.measures(), "blobs": [len(blob) for blob in blobs]}).encode()
        return b"".join((len(head).to_bytes(4, "little"), head, *blobs))

    @classmethod
    def from_bytes(cls, content: bytes) -> PhotoResult:
        """The result of `to_bytes`; ValueError, KeyError or TypeError where it is something else."""
        start = 4 + int.from_bytes(content[:4], "little")
        document = json.loads(content[4:start])
        vector, face, thumbnail = document["blobs"]
        if start + vector + face + thumbnail != len(content):
            raise ValueError("length")
        at = start + vector
        return cls(
            **document["measures"],
            template=np.frombuffer(content[start:at], "<f4").astype(np.float32),
            portrait=content[at : at + face],
            thumbnail=content[at + face :],
        )

    def add(self, reason: Reason) -> None:
        """Add a reason, and what would help."""
        self.reasons.append(reason.text)
        if reason.remedy and reason.remedy not in self.remedies:
            self.remedies.append(reason.remedy)


def enrol(examiner: Examiner, content: bytes) -> PhotoResult:
    """Examine a photo's bytes; where it is good enough, make its template and portrait."""
    examined = examiner.examine(content)
    result = _described(examined)
    if examined.taken and examined.found is not None:
        try:
            _take(examiner, examined.found, result)
        except LfrError as error:
            result.verdict = "rejected"
            result.add(Reason(FAILED, f"the models failed on it: {error.problem}"))
    if not result.thumbnail and examined.image_bgr is not None:
        result.thumbnail = _jpeg(_fit(examined.image_bgr, 160), 75)
    return result


def _described(examined: Examination) -> PhotoResult:
    result = PhotoResult(examined.verdict, width=examined.size_wh[0], height=examined.size_wh[1])
    for reason in examined.reasons:
        result.add(reason)
    if examined.found is not None:
        result.faces = len(examined.found.faces)
    if examined.quality is not None:
        result.face_px = examined.face_px
        for name in ("sharpness", "yaw_deg", "pitch_deg", "roll_deg", "brightness", "contrast", "clipped", "score"):
            setattr(result, name, float(getattr(examined.quality, name)[0]))
    return result


def _take(examiner: Examiner, found: PhotoFaces, result: PhotoResult) -> None:
    face = examiner.closer_look(found)
    result.template = examiner.embedder.embed_enrolment(face.crop)[0]
    if len(found.faces) > 1:
        redact(found.image_bgr, found.faces.boxes_xyxy, keep=found.chosen, landmarks=found.faces.landmarks)
    shown = portrait(found.image_bgr, face.landmarks, PORTRAIT_PX)
    result.portrait = _jpeg(shown, 88)
    result.thumbnail = _jpeg(_fit(shown, 112), 75)


def _fit(image: Image, side: int) -> Image:
    ratio = min(1.0, side / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _jpeg(image: Image, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def recipe(detector_ref: str, embedder_ref: str) -> str:
    """Names everything that a result depends on but the photo: a cached one holds while this stays the same."""
    gates = f"{REJECT} {WARN} {OTHER_FACE_SHARE} {MIDDLE} {EDGE} {DETECT_SIDE_PX}"
    text = f"{MEASURES_VERSION} {detector_ref} {embedder_ref} {gates}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
