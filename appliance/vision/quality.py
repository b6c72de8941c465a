"""How good each face of a frame is for recognition, and the gates that say which are good enough, with reasons.

The pose is that of a mean head seen by a weak-perspective camera, a few degrees off for heads that are not mean: it
tells a turned head from a frontal one, and is never used to recognise anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from appliance.core.types import Faces, Float32, Image
from appliance.vision import aligner
from appliance.vision.models import ARCFACE_TEMPLATE

_EYES_MM = 63.0
_DEPTHS_MM = (0.0, 0.0, 30.0, 5.0, 5.0)
# CenterFace marks the nose lower than the ArcFace points have it: without this, the median person on press photos looks
# down by 9 degrees.
_NOSE_LOWER_MM = 4.5
_DARK, _BRIGHT = 12, 243


def _mean_head() -> npt.NDArray[np.float64]:
    """Five landmarks of a mean head, `(5, 3)`, mm; y downwards, z towards the camera."""
    flat = np.array(ARCFACE_TEMPLATE)
    scale = _EYES_MM / np.linalg.norm(flat[1] - flat[0])
    flat[2, 1] += _NOSE_LOWER_MM / scale
    points = np.column_stack([flat * scale, _DEPTHS_MM])
    return np.asarray(points - points.mean(axis=0))


_TO_CAMERA = np.linalg.pinv(_mean_head())


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Measures of each face, as a struct of arrays; each of shape `(n,)`, float32.

    Attributes
    ----------
    size_px
        Height of the face's box, pixels of the frame.
    detection
        The detector's score, 0 to 1.
    sharpness
        Fine detail over all detail of the aligned crop: see `sharpness`.
    yaw_deg, pitch_deg, roll_deg
        Head turned to the image's right, lowered, and tilted clockwise; degrees.
    brightness, contrast
        Mean and standard deviation of the aligned crop's luma, 0 to 255.
    clipped
        Share of the crop's pixels that are nearly black or nearly white.
    score
        All of it in one figure, 0 to 1, to choose the better of two pictures of one person.
    """

    size_px: Float32
    detection: Float32
    sharpness: Float32
    yaw_deg: Float32
    pitch_deg: Float32
    roll_deg: Float32
    brightness: Float32
    contrast: Float32
    clipped: Float32
    score: Float32

    def __len__(self) -> int:
        return len(self.score)


def pose_deg(landmarks: Float32) -> tuple[Float32, Float32, Float32]:
    """Yaw, pitch and roll of faces from five landmarks, degrees.

    A linear fit of a weak-perspective camera to a mean head: the first step of DeMenthon and Davis, "Model-based object
    pose in 25 lines of code", IJCV 15, 1995.

    Parameters
    ----------
    landmarks
        `(n, 5, 2)`, pixels.

    Returns
    -------
    tuple of arrays
        Each `(n,)`. Yaw is positive for a nose that points to the image's right, pitch for one that points down, roll
        for a head whose left eye (right in the image) is lower.
    """
    centred = landmarks.astype(np.float64) - landmarks.mean(axis=1, keepdims=True)
    rows = np.einsum("jk,nki->nij", _TO_CAMERA, centred)
    rows /= np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-12)
    forward = np.cross(rows[:, 0], rows[:, 1])[:, 2]
    eyes = landmarks[:, 1].astype(np.float64) - landmarks[:, 0]
    roll = np.arctan2(eyes[:, 1], eyes[:, 0])
    cos, sin = np.cos(roll), np.sin(roll)
    right, down = rows[:, 0, 2], rows[:, 1, 2]
    yaw = np.arctan2(cos * right + sin * down, forward)
    pitch = np.arctan2(-sin * right + cos * down, forward)
    degrees = (np.degrees(angle).astype(np.float32) for angle in (yaw, pitch, roll))
    return next(degrees), next(degrees), next(degrees)


def sharpness(gray: npt.NDArray[np.uint8]) -> float:
    """Detail finer than about two pixels as a share of all contrast, per cent, in the direction that has less of it.

    The standard deviation of what a small blur along one axis takes away, over that of the whole: of both axes the
    lesser, because motion blurs along one. Relative to the contrast, so that a dim face counts as no less sharp than a
    bright one. A face that was small, and is enlarged by the alignment, counts as unsharp: the detail is not there.
    What is made of the picture on the way is overwritten, here and in `assess`.
    """
    picture = gray.astype(np.float32)
    detail = np.empty_like(picture)
    fine = np.inf
    for size in ((7, 1), (1, 7)):
        cv2.GaussianBlur(picture, size, 1.0, dst=detail)
        np.subtract(picture, detail, out=detail)
        fine = min(fine, float(detail.std()))
    contrast = float(picture.std())
    picture.fill(0)
    detail.fill(0)
    # The constant keeps a flat crop, which is all sensor noise, from counting as all detail.
    return 100 * fine / (contrast + 4.0)


def assess(frame_bgr: Image, faces: Faces) -> Quality:
    """The measures of each face of a frame, whatever crops the embedder takes: they are of one size and framing."""
    crops = aligner.align(frame_bgr, faces.landmarks)
    photo = np.zeros((len(faces), 4), np.float32)
    for row, crop in zip(photo, crops, strict=True):
        gray = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        inner = gray[16:-8, 16:-16].astype(np.uint8, copy=False)
        row[:] = (
            sharpness(inner),
            inner.mean(),
            inner.std(),
            np.count_nonzero((inner <= _DARK) | (inner >= _BRIGHT)) / inner.size,
        )
        gray.fill(0)
    crops.fill(0)
    sharp, brightness, contrast, clipped = photo.T.copy()
    yaw, pitch, roll = pose_deg(faces.landmarks)
    size = faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
    score = (
        np.clip(size / 80, 0.05, 1) ** 0.5
        * np.clip(sharp / 5, 0.05, 1) ** 0.5
        * np.clip(1 - np.hypot(yaw / 70, pitch / 55), 0.05, 1)
        * np.clip(contrast / 30, 0.1, 1)
        * np.clip(1.2 - clipped, 0.1, 1)
        * faces.scores
    ).astype(np.float32)
    return Quality(size, faces.scores, sharp, yaw, pitch, roll, brightness, contrast, clipped, score)


class Fault(NamedTuple):
    """Why a face does not pass a gate: what is wrong, the same words each time, and a sentence with what was found."""

    kind: str
    text: str


_Check = tuple[npt.NDArray[np.bool_], Callable[[int], Fault]]


@dataclass(frozen=True, slots=True)
class Gate:
    """The least that a face must be to be compared, or enrolled.

    The defaults are for probes. A poor one costs time and perhaps a chance, but raises no false alert: when the
    pictures of 44 people of the test faces were spoilt step by step, the best 0.1 % of their scores against others
    stayed at 0.28 to 0.34. So what may still be found passes: at this sharpness about a third of the faces resemble
    another picture of the same person by 0.5 or more, at this contrast nearly half, at this size three quarters;
    unspoilt, nine in ten.

    Attributes
    ----------
    min_size_px
        Height of the face's box, pixels.
    min_detection, min_sharpness, min_contrast, max_clipped
        As in `Quality`.
    max_yaw_deg, max_pitch_deg, max_roll_deg
        Either way.
    """

    min_size_px: float = 32
    min_detection: float = 0.5
    min_sharpness: float = 1.5
    max_yaw_deg: float = 50
    max_pitch_deg: float = 40
    max_roll_deg: float = 60
    min_contrast: float = 5
    max_clipped: float = 0.6

    def passes(self, quality: Quality) -> npt.NDArray[np.bool_]:
        """Which faces pass: `(n,)`."""
        return np.asarray(~np.logical_or.reduce([failed for failed, _ in self._checks(quality)]))

    def faults(self, quality: Quality, i: int) -> tuple[Fault, ...]:
        """Why face i does not pass; empty where it does."""
        return tuple(said(i) for failed, said in self._checks(quality) if failed[i])

    def _checks(self, q: Quality) -> tuple[_Check, ...]:
        """Of each thing that is looked at: who fails, and how to say it of face i."""
        flat, side, nod, tilt = q.contrast, np.abs(q.yaw_deg), np.abs(q.pitch_deg), np.abs(q.roll_deg)

        def exposure(i: int) -> Fault:
            kind = "overexposed" if q.brightness[i] > 127 else "underexposed"
            return Fault(kind, f"{kind}: {100 * q.clipped[i]:.0f} % of the face without detail, "
                         f"at most {100 * self.max_clipped:.0f} % allowed")  # fmt: skip

        return (
            (~(q.size_px >= self.min_size_px),
             lambda i: Fault("too small", f"too small: {q.size_px[i]:.0f} px high, {self.min_size_px:.0f} needed")),
            (~(q.detection >= self.min_detection),
             lambda i: Fault("not clearly a face", f"not clearly a face: detector score {q.detection[i]:.2f}, "
                             f"{self.min_detection:.2f} needed")),
            (~(q.sharpness >= self.min_sharpness),
             lambda i: Fault("too blurred", f"too blurred: sharpness {q.sharpness[i]:.1f}, "
                             f"{self.min_sharpness:.1f} needed")),
            (~(side <= self.max_yaw_deg),
             lambda i: Fault("turned to the side", f"turned to the side: about {side[i]:.0f}°, "
                             f"at most {self.max_yaw_deg:.0f}° allowed")),
            (~(nod <= self.max_pitch_deg),
             lambda i: Fault("looking up or down", f"looking {'down' if q.pitch_deg[i] > 0 else 'up'}: "
                             f"about {nod[i]:.0f}°, at most {self.max_pitch_deg:.0f}° allowed")),
            (~(tilt <= self.max_roll_deg),
             lambda i: Fault("tilted", f"tilted: {tilt[i]:.0f}°, at most {self.max_roll_deg:.0f}° allowed")),
            (~(flat >= self.min_contrast),
             lambda i: Fault("too little contrast", f"too little contrast: {flat[i]:.0f} of 255, "
                             f"{self.min_contrast:.0f} needed")),
            (~(q.clipped <= self.max_clipped), exposure),
        )  # fmt: skip
