"""The faces of a photo, found however it lies, and the one that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from appliance.core.types import Faces, Float32, Image
from appliance.vision.ports import FaceDetector
from appliance.vision.quality import pose_deg

DETECT_SIDE_PX = 640
OTHER_FACE_SHARE = 0.5
"""A second face at least this high, compared with the one in question, leaves open who is meant: unless the one is in
the middle of the picture and the others are at its edge."""
MIDDLE, EDGE = 0.15, 0.25
"""Greatest distance from the picture's middle, and least distance for a bystander, as shares of width and height."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFaces:
    """What was found in a photo.

    Attributes
    ----------
    image_bgr
        The picture in which the faces lie: the photo itself, or as `change` says.
    faces
        Those that the detector is sure enough of to recognise them; none may be there.
    chosen
        Position of the face that the photo is about; None where there is no face.
    rivals
        How many other faces it might as well be about.
    change
        What had to be done before a face was found: nothing, room added around it (`padded`), or `turned` upright.
    """

    image_bgr: Image
    faces: Faces
    chosen: int | None
    rivals: int
    change: Literal["", "padded", "turned"] = ""


def find_faces(image_bgr: Image, detector: FaceDetector, face_px: float) -> PhotoFaces:
    """Find the faces in a photo as it is or, where none is found, with room around it or turned by quarters.

    Parameters
    ----------
    face_px
        Height of a face in the detector's input that it finds reliably: of its manifest entry.
    """
    found = _detect(image_bgr, detector, face_px)
    if len(found):
        # landmarks of a lying face are poor: the picture is turned and looked at again
        turn = _turn_upright(found)
        if turn is None:
            return _chosen(image_bgr, found)
        turned = cv2.rotate(image_bgr, turn).astype(np.uint8)
        again = _detect(turned, detector, face_px)
        return _chosen(turned, again, "turned") if len(again) else _chosen(image_bgr, found)
    margin = max(image_bgr.shape[:2]) // 4
    padded = cv2.copyMakeBorder(image_bgr, margin, margin, margin, margin, cv2.BORDER_REPLICATE).astype(np.uint8)
    found = _detect(padded, detector, face_px)
    if len(found):
        return _chosen(padded, found, "padded")
    for turn in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180):
        turned = cv2.rotate(image_bgr, turn).astype(np.uint8)
        found = _detect(turned, detector, face_px)
        if len(found):
            return _chosen(turned, found, "turned")
    return PhotoFaces(image_bgr, found, None, 0)


def smallest_face_px(face_px: float, image_hw: tuple[int, int], side_px: int = DETECT_SIDE_PX) -> float:
    """Down to which height faces are looked for in a photo, pixels of it: its longer side becomes `side_px`, no less.

    Fine landmarks matter more here than milliseconds: no coarser than the whole picture allows.
    """
    return max(1.0, face_px * max(1.0, max(image_hw) / side_px))


def _detect(image_bgr: Image, detector: FaceDetector, face_px: float) -> Faces:
    sure = Faces.empty()
    for side_px in (DETECT_SIDE_PX, DETECT_SIDE_PX // 3):
        faces = detector.detect(image_bgr, smallest_face_px(face_px, image_bgr.shape[:2], side_px))
        sure = faces.select(faces.scores >= detector.match_threshold)
        if len(sure):
            break
    return sure


def _turn_upright(faces: Faces) -> int | None:
    """The quarter turns that bring the largest face upright, as OpenCV names them; None when it is."""
    largest = int(_heights(faces).argmax())
    roll = float(pose_deg(faces.landmarks[largest][None])[2][0])
    turns = {-1: cv2.ROTATE_90_CLOCKWISE, 1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, -2: cv2.ROTATE_180}
    return turns.get(round(roll / 90))


def _chosen(image_bgr: Image, faces: Faces, change: Literal["", "padded", "turned"] = "") -> PhotoFaces:
    """The largest face near the middle, else the largest; and who else might be meant."""
    heights = _heights(faces)
    centres = (faces.boxes_xyxy[:, :2] + faces.boxes_xyxy[:, 2:]) / 2
    off = np.abs(centres / np.array([image_bgr.shape[1], image_bgr.shape[0]]) - 0.5).max(axis=1)
    middle = np.flatnonzero(off <= MIDDLE)
    main = int(middle[heights[middle].argmax()]) if len(middle) else int(heights.argmax())
    rivals = heights >= OTHER_FACE_SHARE * heights[main]
    if off[main] <= MIDDLE and heights[main] >= 0.7 * heights.max():
        rivals &= off < EDGE
    rivals[main] = False
    return PhotoFaces(image_bgr, faces, main, int(rivals.sum()), change)


def _heights(faces: Faces) -> Float32:
    return faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
