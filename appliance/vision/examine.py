"""One photo: is there one face in it that is worth having on the list, and if not, why not and what would help.

Runs in a worker process, on bytes: whatever a file holds must end in a verdict, never in a crash of the build.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageOps, UnidentifiedImageError

from appliance.core.errors import LfrError
from appliance.core.types import Faces, Float32, Image
from appliance.vision import quality as vision_quality
from appliance.vision.aligner import align, portrait
from appliance.vision.detector import OnnxDetector, open_detector
from appliance.vision.embedder import OnnxEmbedder, open_embedder
from appliance.vision.models import load_manifest
from appliance.vision.quality import Gate, Quality
from appliance.vision.redactor import redact

Verdict = Literal["accepted", "warning", "rejected"]

MAX_PIXELS = 60_000_000
MIN_SIDE_PX = 32
WORK_SIDE_PX = 2048
"""Larger pictures are shrunk to this before anything else: a face in them is still far larger than the embedder's."""
DETECT_SIDE_PX = 640
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")
OTHER_FACE_SHARE = 0.5
"""A second face at least this high, compared with the one in question, leaves open who is meant: unless the one is in
the middle of the picture and the others are at its edge."""
MIDDLE, EDGE = 0.15, 0.25
"""Greatest distance from the picture's middle, and least distance for a bystander, as shares of width and height."""

REJECT = Gate(
    min_size_px=40, min_detection=0.5, min_sharpness=2.2, max_yaw_deg=50, max_pitch_deg=40, max_roll_deg=180,
    min_contrast=12, max_clipped=0.55,
)  # fmt: skip
"""A photo that fails any of these would find nobody, or everybody."""
WARN = Gate(
    min_size_px=80, min_detection=0.6, min_sharpness=3.5, max_yaw_deg=30, max_pitch_deg=25, max_roll_deg=180,
    min_contrast=22, max_clipped=0.25,
)  # fmt: skip
"""A photo that fails any of these is taken, and finds its person less often."""

HELP = {
    "too small": "Get the original picture, not a preview or a picture of a screen.",
    "not clearly": "Use a picture that shows the face clearly.",
    "too blurred": "Use a picture in focus; sharpening this one does not help.",
    "turned": "Use a picture from the front.",
    "looking": "Use a picture from eye level.",
    "tilted": "Turn the picture upright.",
    "too little": "Use a picture in better light.",
    "underexposed": "Use a picture in better light.",
    "overexposed": "Use a picture without glare.",
}
"""What would help, by how the gate's reason begins."""

MEASURES_VERSION = 1
"""Raise it when a change here gives other results for the same photo: cached ones are then made again."""


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

    def add(self, reason: str, remedy: str = "") -> None:
        """Add a reason, and what would help."""
        self.reasons.append(reason)
        if remedy and remedy not in self.remedies:
            self.remedies.append(remedy)


class Unreadable(LfrError):
    """A picture that cannot be used as a picture: the reason, and what would help."""


def decode(content: bytes) -> tuple[Image, float]:
    """A photo's pixels, upright as its EXIF says, at most `WORK_SIDE_PX` a side; and by how much they were shrunk.

    The size in the file's header is judged before any pixel is decoded.

    Raises
    ------
    Unreadable
        Not a picture, truncated, damaged, a bomb, or too small to hold a face.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; a bomb is judged below
            with Pil.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height = picture.size
                _judge_size(width, height)
                picture.draft("RGB", (WORK_SIDE_PX, WORK_SIDE_PX))
                upright = ImageOps.exif_transpose(picture)
                pixels = _to_bgr(upright)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("not a picture, or of a kind that is not read", "Save it as JPEG or PNG.") from None
    except (Pil.DecompressionBombError, MemoryError):
        raise Unreadable("too large to be decoded", f"At most {MAX_PIXELS // 10**6} million pixels.") from None
    except Exception as error:  # noqa: BLE001 (a decoder's errors on damaged files are of every kind)
        text = str(error)
        cut = isinstance(error, OSError) and ("truncat" in text or "unexpected end" in text.lower())
        raise Unreadable(
            "truncated: its end is missing" if cut else f"damaged ({text[:80]})", "Copy it again."
        ) from None
    longest = max(pixels.shape[:2])
    if longest > WORK_SIDE_PX:
        ratio = WORK_SIDE_PX / longest
        size = (max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return pixels, max(width, height) / max(pixels.shape[:2])


def _judge_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unreadable(f"too large: {width} × {height} pixels", f"At most {MAX_PIXELS // 10**6} million pixels.")
    if min(width, height) < MIN_SIDE_PX:
        raise Unreadable(f"too small: {width} × {height} pixels", HELP["too small"])


def _to_bgr(picture: Pil.Image) -> Image:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        values = np.asarray(picture, np.float32)
        top = max(255.0, float(values.max(initial=0)))
        gray = (values * (255 / (65535.0 if top > 255 else top))).clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(gray[:, :, None], 3, axis=2))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        picture = Pil.alpha_composite(Pil.new("RGBA", layered.size, (128, 128, 128, 255)), layered)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])


class Examiner:
    """The models, ready to judge photos one after another.

    Parameters
    ----------
    models_dir
        Folder of the prepared models; None for the default one.
    detector, embedder
        Names in the models' manifest.
    """

    def __init__(self, models_dir: Path | None, detector: str, embedder: str) -> None:
        cv2.setNumThreads(1)
        manifest = load_manifest(models_dir)
        self._face_px = manifest.detector(detector).face_px
        self._detector: OnnxDetector = open_detector(manifest, detector, "cpu", 1)
        self._embedder: OnnxEmbedder = open_embedder(manifest, embedder, "cpu", 1)

    def examine(self, content: bytes) -> PhotoResult:
        """The verdict on a photo's bytes."""
        try:
            image, shrunk = decode(content)
        except Unreadable as error:
            result = PhotoResult()
            result.add(error.problem, error.remedy)
            return result
        result = PhotoResult(width=round(image.shape[1] * shrunk), height=round(image.shape[0] * shrunk))
        try:
            self._judge(image, shrunk, result)
        except LfrError as error:
            result.verdict = "rejected"
            result.add(f"the models failed on it: {error.problem}")
        if not result.thumbnail:
            result.thumbnail = _jpeg(_fit(image, 160), 75)
        return result

    def _judge(self, image: Image, shrunk: float, result: PhotoResult) -> None:
        image, faces, how = self._find(image)
        result.faces = len(faces)
        if not len(faces):
            result.add(
                "no face was found", "Use a picture in which the face is large, from the front and in good light."
            )
            return
        heights = faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
        main, rivals = _who_is_meant(faces, heights, image.shape[:2])
        measured = vision_quality.assess(image, faces.select(np.array([main])))
        _record(measured, shrunk, result)
        if rivals:
            result.add(f"several faces: {1 + rivals} of like size", "Crop the picture to the person who is meant.")
            return
        _apply(REJECT, measured, shrunk, result)
        if result.reasons:
            return
        result.verdict = "accepted"
        if how:
            result.add(*how)
        if len(faces) > 1:
            result.add(
                f"{len(faces)} faces: the one in the picture beside was taken",
                "Check that it is the right one; crop the picture to it.",
            )
        _apply(WARN, measured, shrunk, result)
        if result.reasons:
            result.verdict = "warning"
        landmarks = self._detector.refine(image, faces.select(np.array([main]))).landmarks[0]
        crops = align(image, landmarks[None], self._embedder.crop_px, self._embedder.template)
        result.template = self._embedder.embed_enrolment(crops)[0]
        if len(faces) > 1:
            redact(image, faces.boxes_xyxy, keep=main, landmarks=faces.landmarks)
        shown = portrait(image, landmarks, 256)
        result.portrait = _jpeg(shown, 88)
        result.thumbnail = _jpeg(_fit(shown, 112), 75)

    def _find(self, image: Image) -> tuple[Image, Faces, tuple[str, str] | None]:
        """The faces, in the picture as it is or, where none is found, with room around it or turned by a quarter."""
        found = self._detect(image)
        if len(found):
            # landmarks of a lying face are poor: the picture is turned and looked at again
            turn = _turn_upright(found)
            turned = image if turn is None else cv2.rotate(image, turn).astype(np.uint8)
            again = found if turn is None else self._detect(turned)
            if turn is None or not len(again):
                return image, found, None
            return turned, again, _TURNED
        margin = max(image.shape[:2]) // 4
        padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE).astype(np.uint8)
        found = self._detect(padded)
        if len(found):
            return padded, found, ("the face fills the picture", "Use a picture with room around the head.")
        for turn in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180):
            turned = cv2.rotate(image, turn).astype(np.uint8)
            found = self._detect(turned)
            if len(found):
                return turned, found, _TURNED
        return image, found, None

    def _detect(self, image: Image) -> Faces:
        # fine landmarks matter more here than milliseconds: no coarser than the whole picture allows
        for side in (DETECT_SIDE_PX, DETECT_SIDE_PX // 3):
            self._detector.min_face_px = max(1.0, self._face_px * max(1.0, max(image.shape[:2]) / side))
            faces = self._detector.detect(image)
            sure = faces.select(faces.scores >= self._detector.match_threshold)
            if len(sure):
                return sure
        return sure


_TURNED = ("it lies on its side or upside down and was turned", "Save it upright.")


def _turn_upright(faces: Faces) -> int | None:
    """The quarter turns that bring the largest face upright, as OpenCV names them; None when it is."""
    largest = int((faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]).argmax())
    roll = float(vision_quality.pose_deg(faces.landmarks[largest][None])[2][0])
    turns = {-1: cv2.ROTATE_90_CLOCKWISE, 1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, -2: cv2.ROTATE_180}
    return turns.get(round(roll / 90))


def _who_is_meant(faces: Faces, heights: Float32, image_hw: tuple[int, int]) -> tuple[int, int]:
    """The face that a photo is about, and how many others it might as well be about."""
    centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2
    off = np.abs(centres / np.array([image_hw[1], image_hw[0]]) - 0.5).max(axis=1)
    middle = np.flatnonzero(off <= MIDDLE)
    main = int(middle[heights[middle].argmax()]) if len(middle) else int(heights.argmax())
    rivals = heights >= OTHER_FACE_SHARE * heights[main]
    if off[main] <= MIDDLE and heights[main] >= 0.7 * heights.max():
        rivals &= off < EDGE
    rivals[main] = False
    return main, int(rivals.sum())


def _record(measured: Quality, shrunk: float, result: PhotoResult) -> None:
    result.face_px = float(measured.size_px[0]) * shrunk
    for name in ("sharpness", "yaw_deg", "pitch_deg", "roll_deg", "brightness", "contrast", "clipped", "score"):
        setattr(result, name, float(getattr(measured, name)[0]))


def _apply(gate: Gate, measured: Quality, shrunk: float, result: PhotoResult) -> None:
    if shrunk > 1:
        changed = {name: getattr(measured, name) for name in Quality.__dataclass_fields__}
        measured = Quality(**(changed | {"size_px": (measured.size_px * shrunk).astype(np.float32)}))
    for reason in gate.reasons(measured, 0):
        result.add(reason, next((text for start, text in HELP.items() if reason.startswith(start)), ""))


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
