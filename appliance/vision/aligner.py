"""Five landmarks → an upright crop: what the embedder takes, and the portrait that an officer looks at."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from appliance.core.types import Float32, Image
from appliance.vision.models import ARCFACE_TEMPLATE

PORTRAIT_EYES = ((0.385, 0.46), (0.615, 0.46))
"""Where the eyes are in a portrait, as fractions of its side (x, y): the whole head fits with room around it.

Eyes are about 63 mm apart and a head about 230 mm high: with 0.23 of the side between the eyes, the head is 0.84 of it.
"""

PORTRAIT_SURROUND_BGR = (48, 48, 48)
_MAX_SHRINK = 2.0


def similarity(source: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Least-squares similarity transforms from points to points, without reflection.

    The closed form in two dimensions of Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", IEEE TPAMI 13(4), 1991: no singular value decomposition, all faces at once.

    Parameters
    ----------
    source
        Points, `(n, k, 2)`.
    target
        Points, `(k, 2)` or `(n, k, 2)`.

    Returns
    -------
    array
        `(n, 2, 3)`, for use with column vectors `(x, y, 1)`. Where all points of a face coincide the scale is zero.
    """
    source = np.asarray(source, np.float64)
    target = np.broadcast_to(np.asarray(target, np.float64), source.shape)
    mean_source, mean_target = source.mean(axis=1), target.mean(axis=1)
    from_x, from_y = np.moveaxis(source - mean_source[:, None], -1, 0)
    to_x, to_y = np.moveaxis(target - mean_target[:, None], -1, 0)
    spread = np.maximum((from_x**2 + from_y**2).sum(axis=1), 1e-12)
    a = (from_x * to_x + from_y * to_y).sum(axis=1) / spread
    b = (from_x * to_y - from_y * to_x).sum(axis=1) / spread
    matrix = np.empty((len(source), 2, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = a, -b
    matrix[:, 1, 0], matrix[:, 1, 1] = b, a
    matrix[:, :, 2] = mean_target - np.einsum("nij,nj->ni", matrix[:, :, :2], mean_source)
    return matrix


def align(
    frame_bgr: Image,
    landmarks: Float32,
    crop_px: int = 112,
    template: tuple[tuple[float, float], ...] | None = None,
) -> Image:
    """Upright crops of all faces of a frame.

    Parameters
    ----------
    landmarks
        `(n, 5, 2)`, pixels of the frame; n may be 0.
    crop_px
        Side of the square crops.
    template
        Where the landmarks shall be in the crop, pixels (x, y); default: the ArcFace points.

    Returns
    -------
    array
        `(n, crop_px, crop_px, 3)`, uint8; black where the frame ends.
    """
    if template is None:
        template = tuple((x * crop_px / 112, y * crop_px / 112) for x, y in ARCFACE_TEMPLATE)
    crops = np.empty((len(landmarks), crop_px, crop_px, 3), np.uint8)
    for matrix, crop in zip(similarity(landmarks, np.array(template)), crops, strict=True):
        _warp(frame_bgr, matrix, crop, (0, 0, 0))
    return crops


def portrait(frame_bgr: Image, landmarks: Float32, size_px: int = 256) -> Image:
    """The picture of one face for a person to look at: the same framing for every face, upright, the whole head.

    Others who stand close are in it too: give a frame in which they are redacted.

    Parameters
    ----------
    landmarks
        `(5, 2)`, pixels of the frame.

    Returns
    -------
    array
        `(size_px, size_px, 3)`, uint8; grey where the frame ends.
    """
    eyes = np.array(PORTRAIT_EYES) * size_px
    # All five points find the face's size and tilt (the eyes alone shrink when a head turns); the template's own eyes
    # say where that puts them.
    points = np.array(ARCFACE_TEMPLATE)
    to_portrait = similarity(points[None, :2], eyes)[0]
    target = points @ to_portrait[:, :2].T + to_portrait[:, 2]
    picture = np.empty((size_px, size_px, 3), np.uint8)
    _warp(frame_bgr, similarity(landmarks[None], target)[0], picture, PORTRAIT_SURROUND_BGR)
    return picture


def _warp(frame_bgr: Image, matrix: npt.NDArray[np.float64], out: Image, border_bgr: tuple[int, int, int]) -> None:
    """Apply one transform, shrinking by area first where the face is much larger than the crop (else it aliases)."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    picture = frame_bgr
    if not np.isfinite(matrix).all() or scale <= 1e-6:
        out[:] = border_bgr
        return
    if scale < 1 / _MAX_SHRINK:
        side = len(out)
        corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]], np.float64)
        inverse = cv2.invertAffineTransform(matrix)
        found = corners @ inverse.T
        height, width = frame_bgr.shape[:2]
        # Two pixels of the shrunk picture more on each side, so that no edge of it is blended into the crop.
        margin = 2 / scale
        left, top = np.clip(np.floor(found.min(axis=0) - margin).astype(int), 0, (width, height))
        right, bottom = np.clip(np.ceil(found.max(axis=0) + margin).astype(int), 0, (width, height))
        if right - left < 2 or bottom - top < 2:
            out[:] = border_bgr
            return
        target_wh = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
        picture = np.empty((target_wh[1], target_wh[0], 3), np.uint8)
        cv2.resize(frame_bgr[top:bottom, left:right], target_wh, dst=picture, interpolation=cv2.INTER_AREA)
        # Pixel centres: a pixel i of the small picture covers the pixels whose centre is (i + 0.5) · ratio − 0.5.
        ratio = np.array([(right - left) / target_wh[0], (bottom - top) / target_wh[1]])
        moved = matrix[:, :2] @ (np.array([left, top]) + ratio / 2 - 0.5) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] * ratio, moved])
    out_wh = (out.shape[1], out.shape[0])
    cv2.warpAffine(
        picture,
        matrix,
        out_wh,
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border_bgr,
    )
    if picture is not frame_bgr:  # a copy of the face
        picture.fill(0)
