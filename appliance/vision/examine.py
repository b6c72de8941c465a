"""A photo → its faces, the one that it is about, how good that is, and what speaks against it, with what would help.

Everybody who compares a photo with others examines it here first: enrolment, and the evaluation of its accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import cv2
import numpy as np

from appliance.core.errors import LfrError
from appliance.core.types import Float32, Image
from appliance.vision import aligner, quality
from appliance.vision.decode import Unreadable, decode
from appliance.vision.detector import open_detector
from appliance.vision.embedder import open_embedder
from appliance.vision.models import Manifest
from appliance.vision.photo_faces import PhotoFaces, find_faces
from appliance.vision.ports import FaceDetector, FaceEmbedder
from appliance.vision.quality import Gate, Quality

Verdict = Literal["accepted", "warning", "rejected"]

REJECT = Gate(
    min_size_px=40, min_detection=0.5, min_sharpness=2.2, max_yaw_deg=50, max_pitch_deg=40, max_roll_deg=180,
    min_contrast=12, max_clipped=0.55,
)  # fmt: skip
"""A photo that fails any of these would find nobody, or everybody. At this sharpness (a blur of 2 px in the crop) three
quarters of the test faces still resemble another picture of the same person by 0.5 or more; below it soon fewer than
half."""
WARN = Gate(
    min_size_px=80, min_detection=0.6, min_sharpness=3.5, max_yaw_deg=30, max_pitch_deg=25, max_roll_deg=180,
    min_contrast=22, max_clipped=0.25,
)  # fmt: skip
"""A photo that fails any of these is taken, and finds its person less often."""

HELP = {
    "too small": "Get the original picture, not a preview or a picture of a screen.",
    "not clearly a face": "Use a picture that shows the face clearly.",
    "too blurred": "Use a picture in focus; sharpening this one does not help.",
    "turned to the side": "Use a picture from the front.",
    "looking up or down": "Use a picture from eye level.",
    "tilted": "Turn the picture upright.",
    "too little contrast": "Use a picture in better light.",
    "underexposed": "Use a picture in better light.",
    "overexposed": "Use a picture without glare.",
}
"""What would help, by the kind of fault that a gate names."""


class Reason(NamedTuple):
    """What speaks against a photo.

    Attributes
    ----------
    kind
        The same words for every photo with this trouble, to be counted: `too blurred`, `no face`, `several faces` …
    text, remedy
        What was found in this one, and what would help (may be empty).
    """

    kind: str
    text: str
    remedy: str = ""


NO_FACE = Reason(
    "no face", "no face was found", "Use a picture in which the face is large, from the front and in good light."
)
PADDED = Reason("face fills the picture", "the face fills the picture", "Use a picture with room around the head.")
TURNED = Reason("not upright", "it lies on its side or upside down and was turned", "Save it upright.")
UNREADABLE = "unreadable"
FAILED = "models failed"


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """What a photo shows, and whether it is worth comparing.

    Attributes
    ----------
    verdict
        `accepted`, `warning` (taken, with a reason) or `rejected`.
    reasons
        Why it was rejected or is doubtful.
    image_bgr, size_wh
        The decoded photo, and width and height of the original, pixels; None and (0, 0) where it cannot be read.
    found
        Its faces, and the one that it is about.
    quality
        Measures of that face (one row), in pixels of `found.image_bgr`; None without one.
    face_px
        Height of that face in pixels of the original; 0 without one.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    image_bgr: Image | None = None
    size_wh: tuple[int, int] = (0, 0)
    found: PhotoFaces | None = None
    quality: Quality | None = None
    face_px: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether it is good enough to be compared."""
        return self.verdict != "rejected"


class CloserLook(NamedTuple):
    """One face: its landmarks `(5, 2)` found again with care, and its crop `(1, crop_px, crop_px, 3)`."""

    landmarks: Float32
    crop: Image


class Examiner:
    """The models, ready to judge photos one after another.

    Parameters
    ----------
    face_px
        Height of a face in the detector's input that it finds reliably: of its manifest entry.
    """

    def __init__(self, detector: FaceDetector, embedder: FaceEmbedder, face_px: float) -> None:
        self.detector, self.embedder = detector, embedder
        self._face_px = face_px

    def examine(self, content: bytes) -> Examination:
        """The verdict on a photo's bytes. Whatever they hold, it is a verdict and never an error."""
        try:
            photo = decode(content)
        except Unreadable as error:
            return Examination("rejected", (Reason(UNREADABLE, error.problem, error.remedy),))
        plain = Examination("rejected", (), photo.image_bgr, photo.size_wh)
        try:
            found = find_faces(photo.image_bgr, self.detector, self._face_px)
            return _judge(replace(plain, found=found), photo.shrunk)
        except LfrError as error:
            return replace(plain, reasons=(Reason(FAILED, f"the models failed on it: {error.problem}"),))

    def closer_look(self, found: PhotoFaces) -> CloserLook:
        """The chosen face of a photo, ready to be embedded.

        Raises
        ------
        ValueError
            No face was chosen.
        ModelError
            The detector failed.
        """
        if found.chosen is None:
            raise ValueError("no face was chosen in this photo")
        faces = self.detector.refine(found.image_bgr, found.faces.select(np.array([found.chosen])))
        crop = aligner.align(found.image_bgr, faces.landmarks, self.embedder.crop_px, self.embedder.template)
        return CloserLook(faces.landmarks[0], crop)


def open_examiner(manifest: Manifest, detector: str, embedder: str, provider: str = "cpu") -> Examiner:
    """An examiner with the models of these names, one thread each: whoever has many photos makes one a core.

    Raises
    ------
    ModelError, ProviderError
        They are not installed, were altered, or do not run on the provider that was named.
    """
    cv2.setNumThreads(1)
    return Examiner(
        open_detector(manifest, detector, provider, 1),
        open_embedder(manifest, embedder, provider, 1),
        manifest.detector(detector).face_px,
    )


def _judge(plain: Examination, shrunk: float) -> Examination:
    found = plain.found
    if found is None or found.chosen is None:
        return replace(plain, reasons=(NO_FACE,))
    measured = quality.assess(found.image_bgr, found.faces.select(np.array([found.chosen])))
    examined = replace(plain, quality=measured, face_px=float(measured.size_px[0]) * shrunk)
    if found.rivals:
        text = f"several faces: {1 + found.rivals} of like size"
        return replace(
            examined, reasons=(Reason("several faces", text, "Crop the picture to the person who is meant."),)
        )
    original = measured if shrunk <= 1 else replace(measured, size_px=(measured.size_px * shrunk).astype(np.float32))
    faults = _reasons(REJECT, original)
    if faults:
        return replace(examined, reasons=faults)
    doubts = {"": (), "padded": (PADDED,), "turned": (TURNED,)}[found.change]
    if len(found.faces) > 1:
        text = f"{len(found.faces)} faces: the one in the picture beside was taken"
        remedy = "Check that it is the right one; crop the picture to it."
        doubts = (*doubts, Reason("other faces", text, remedy))
    doubts = (*doubts, *_reasons(WARN, original))
    return replace(examined, verdict="warning" if doubts else "accepted", reasons=doubts)


def _reasons(gate: Gate, measured: Quality) -> tuple[Reason, ...]:
    return tuple(Reason(kind, text, HELP.get(kind, "")) for kind, text in gate.faults(measured, 0))
