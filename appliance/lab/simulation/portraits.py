"""Portraits → heads that can be set on a walking body: cut out along hair and chin, upright, at one scale.

A portrait is a photo of one person: of a folder with one folder a person, or one of the two public-domain ones that
come with the models. The detector's five landmarks say where the head is.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from appliance.camera.sources.image_folder import IMAGE_SUFFIXES, read_image
from appliance.core.errors import LfrError, SourceUnusable
from appliance.core.types import FaceDetector, Faces, Float32, Image
from appliance.vision.detector import open_detector
from appliance.vision.install import ensure_picture
from appliance.vision.models import load_manifest

HEAD_PX_PER_M = 600.0
HEAD_WH = (264, 312)
"""Size of a head's picture, hair and neck included."""
EYE_MOUTH_M = 0.072
"""From between the eyes to between the corners of the mouth; that of an adult (ISO/TR 7250-2 heads, about)."""
_EYES_AT = (132.0, 140.0)
DEFAULT_PEOPLE = ("astronaut", "hopper")


@dataclass(frozen=True, eq=False)
class Head:
    """A head, upright and facing us.

    Attributes
    ----------
    levels
        The picture at full, half, quarter … size; each an array of shape `(height, width, 4)`: blue, green, red
        (multiplied by the share) and the share that covers what is behind, 0-255.
    face_xyxy
        Where the face is in the full-size picture: the detector's box of the portrait.
    skin_bgr
        Colour of the skin, for the neck and hands.
    """

    levels: tuple[npt.NDArray[np.uint8], ...]
    face_xyxy: tuple[float, float, float, float]
    skin_bgr: tuple[float, float, float]


def list_people(folder: Path | None) -> dict[str, tuple[Path, ...]]:
    """Names of people to their photos, both sorted; the two portraits that come with the models without a folder.

    Raises
    ------
    SourceUnusable
        The folder is missing or holds no folders with images.
    """
    if folder is None:
        return {name: (ensure_picture(name),) for name in DEFAULT_PEOPLE}
    try:
        people = {
            person.name: tuple(sorted(photo for photo in person.iterdir() if photo.suffix.lower() in IMAGE_SUFFIXES))
            for person in sorted(folder.iterdir())
            if person.is_dir()
        }
    except OSError as error:
        raise SourceUnusable(f"{folder} cannot be read: {error.strerror}.", "Name a folder with faces=.") from None
    people = {name: photos for name, photos in people.items() if photos}
    if not people:
        raise SourceUnusable(f"{folder} holds no people.", "faces= takes a folder with one folder of photos a person.")
    return people


def choose_photo(photos: Sequence[Path], which: str, rng: random.Random) -> Path:
    """The `first`, `last` or a `random` photo of a person."""
    if which == "random":
        return rng.choice(photos)
    return photos[0] if which == "first" else photos[-1]


@functools.lru_cache(maxsize=256)
def cut_head(portrait: Path) -> Head:
    """The head of the person in a portrait; kept in the process, as people pass more than once.

    Raises
    ------
    SourceUnusable
        The portrait cannot be read, or no face is found in it.
    """
    image = read_image(portrait)
    if image is None:
        raise SourceUnusable(f"{portrait} cannot be read as an image.")
    faces = _detector().detect(image)
    if not len(faces):
        raise SourceUnusable(f"{portrait} shows no face that the detector finds.", "Take another photo.")
    return cut(image, faces.select(np.array([_main_face(faces, image)])))


def cut(image_bgr: Image, face: Faces) -> Head:
    """The head of the one face in `face`."""
    marks = face.landmarks[0].astype(np.float64)
    eyes, mouth = marks[:2].mean(axis=0), marks[3:].mean(axis=0)
    down = mouth - eyes
    # Turned by the eyes alone where the face looks aside, the mouth would swing out: the mean of both holds.
    across = marks[1] - marks[0]
    angle = np.arctan2(across[1] - down[0], across[0] + down[1])
    scale = EYE_MOUTH_M * HEAD_PX_PER_M / max(float(np.hypot(*down)), 1e-3)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    matrix[:, 2] = np.array(_EYES_AT) - matrix[:, :2] @ eyes
    shrink = cv2.INTER_AREA if scale < 0.6 else cv2.INTER_CUBIC
    if scale < 0.6:
        # warpAffine does not average what it shrinks.
        half = cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=shrink)
        matrix[:, :2] /= scale
        upright = cv2.warpAffine(half, matrix, HEAD_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    else:
        upright = cv2.warpAffine(image_bgr, matrix, HEAD_WH, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    full = np.array([[scale * np.cos(angle), scale * np.sin(angle)], [-scale * np.sin(angle), scale * np.cos(angle)]])
    offset = np.array(_EYES_AT) - full @ eyes
    left, top, right, bottom = face.boxes_xyxy[0].astype(np.float64)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ full.T + offset
    centre, size = corners.mean(axis=0), np.array([right - left, bottom - top]) * scale
    share = _share(np.asarray(upright, np.uint8))
    cheeks = upright[150:178, 96:168].reshape(-1, 3)
    skin = np.median(cheeks, axis=0)
    soft = upright.astype(np.float32) * share[..., None]
    level = np.dstack([soft, share * 255.0]).round().clip(0, 255).astype(np.uint8)
    levels = [level]
    while len(levels) < 5:
        levels.append(np.asarray(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8))
    box = (*(centre - size / 2), *(centre + size / 2))
    return Head(tuple(levels), (float(box[0]), float(box[1]), float(box[2]), float(box[3])), _colour(skin))


def _colour(bgr: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    return float(bgr[0]), float(bgr[1]), float(bgr[2])


def _share(upright: Image) -> Float32:
    """How much of each pixel belongs to the head, of shape `(height, width)`, 0 to 1.

    An ellipse about head and hair bounds it, one about the face is surely in it, and GrabCut (Rother et al., 2004)
    finds the edge between them.
    """
    width, height = HEAD_WH
    face = _ellipse((132, 160), (46, 68))
    outer = _ellipse((132, 142), (88, 122))
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    labels[outer > 0] = cv2.GC_PR_BGD
    labels[_ellipse((132, 146), (68, 100)) > 0] = cv2.GC_PR_FGD
    labels[face > 0] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    half = cv2.resize(upright, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    mask = np.ascontiguousarray(labels[::2, ::2])
    cv2.grabCut(half, mask, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    found = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    opened = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, parts = cv2.connectedComponents(closed)
    main = parts[parts.shape[0] // 2, parts.shape[1] // 2]
    whole = (parts == main) if main else np.zeros_like(parts, bool)
    # No head is wider than the one ellipse or narrower than the other, whatever stood behind it in the portrait.
    whole &= _ellipse((132, 146), (80, 110))[::2, ::2] > 0
    whole |= (_ellipse((132, 136), (58, 66)) | _ellipse((132, 166), (44, 70)))[::2, ::2] > 0
    head = cv2.resize(whole.astype(np.float32), HEAD_WH, interpolation=cv2.INTER_LINEAR)
    # Below the chin the collar covers the cut; a soft edge hides the seam.
    soft = cv2.GaussianBlur(head, (0, 0), 2.6)
    return np.asarray(np.clip((soft - 0.22) / 0.66, 0, 1), np.float32)


def _ellipse(centre: tuple[int, int], axes: tuple[int, int]) -> npt.NDArray[np.uint8]:
    mask = np.zeros((HEAD_WH[1], HEAD_WH[0]), np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
    return mask


def _main_face(faces: Faces, image_bgr: Image) -> int:
    """The face that the portrait is of: large, and near the middle."""
    height, width = image_bgr.shape[:2]
    boxes = faces.boxes_xyxy
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.hypot(*((centres - (width / 2, height / 2)) / (width, height)).T)
    return int(np.argmax((boxes[:, 3] - boxes[:, 1]) * np.exp(-3 * away)))


@functools.lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    manifest = load_manifest()
    if not manifest.detectors:
        raise LfrError("The manifest has no detector, so that no head can be cut from a portrait.")
    return open_detector(manifest, next(iter(manifest.detectors)), "cpu", 1, min_face_px=40)
