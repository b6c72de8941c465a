"""A frame → the faces in it, at a scale at which a face of the wanted size is found.

Cost grows with the network's input, so a frame is shrunk until its smallest wanted face is just as high as the
network needs (`face_px` of the manifest). Where even that is too large for one pass, the frame is cut into overlapping
tiles, and one more pass over the whole, shrunk frame finds the faces that no tile holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from appliance.core.errors import ModelError
from appliance.core.types import Faces, Float32, Image
from appliance.vision import models
from appliance.vision.boxes import intersection_over_union
from appliance.vision.detector_outputs import ADAPTERS, Candidates
from appliance.vision.engine import Session
from appliance.vision.models import LAYOUTS, DetectorEntry, Manifest

MAX_INPUT_PIXELS = 1280 * 736
"""A pass with more than this is cut into tiles: bounds memory and the time of one inference."""

MAX_UPSCALE = 2.0
_TILE_PX = 960
# A second look shows a face this many times as high as the network needs, in a square this many faces wide; what it
# finds is the same face where no side of the box moved by more than this share of its size.
_REFINE_FACES, _REFINE_ROOM, _REFINE_SHIFT = 3.0, 2.0, 0.3
_REFINE_BATCH = 8


def nms(boxes_xyxy: Float32, scores: Float32, iou: float) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression.

    Returns
    -------
    array
        Indices of the boxes that stay, best score first: of two that overlap by more than `iou`, the better one.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes_xyxy[order].astype(np.float64)
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if not alive[i]:
            continue
        rest = np.flatnonzero(alive[i + 1 :]) + i + 1
        alive[rest[intersection_over_union(boxes[i], boxes[rest]) > iou]] = False
    return order[alive]


@dataclass(frozen=True, slots=True)
class ScalePass:
    """One inference.

    Attributes
    ----------
    part
        Which part of the frame: left, top, right, bottom, pixels.
    resized_wh, input_wh
        The size that the part is scaled to, and the network's input that it lies in (top left, the rest is black).
    largest_px
        Faces higher than this may be cut by the part's edge, and are left to a later pass over more of the frame.
    """

    part: tuple[int, int, int, int]
    resized_wh: tuple[int, int]
    input_wh: tuple[int, int]
    largest_px: float = math.inf


def plan(frame_wh: tuple[int, int], scale: float, entry: DetectorEntry) -> tuple[ScalePass, ...]:
    """The passes over a frame in which a face of `face_px / scale` pixels, and every larger one, is found.

    Tiles overlap by the largest face that is left to them, so that each is whole in one; the next, coarser passes take
    the larger ones, and the last pass is over the whole frame.
    """
    width, height = frame_wh
    limit_wh = entry.input.size_wh or (_TILE_PX, _TILE_PX)
    small = _padded(width * scale, entry) * _padded(height * scale, entry) <= MAX_INPUT_PIXELS
    whole = scale if entry.input.size_wh is None and small else min(limit_wh[0] / width, limit_wh[1] / height, scale)
    passes: list[ScalePass] = []
    while whole < scale:
        overlap = min(2 * entry.face_px / whole, min(limit_wh) / scale / 2)
        passes += [
            _pass((left, top, right, bottom), scale, entry, overlap)
            for top, bottom in _cuts(height, limit_wh[1] / scale, overlap)
            for left, right in _cuts(width, limit_wh[0] / scale, overlap)
        ]
        # Half again as high as needed where the tiles leave off; the factor 2 bounds the number of levels.
        scale = max(whole, min(1.5 * entry.face_px / overlap, scale / 2))
    return (*passes, _pass((0, 0, width, height), whole, entry))


def _cuts(length: int, tile: float, overlap: float) -> list[tuple[int, int]]:
    size = min(length, max(1, math.floor(tile)))
    overlap = min(overlap, size / 2)
    count = max(1, math.ceil((length - overlap) / (size - overlap)))
    starts = np.linspace(0, length - size, count).round().astype(int)
    return [(int(start), int(start) + size) for start in starts]


def _padded(length: float, entry: DetectorEntry) -> int:
    return max(1, math.ceil(round(length, 3) / entry.input.multiple_of)) * entry.input.multiple_of


def _pass(
    part: tuple[int, int, int, int], scale: float, entry: DetectorEntry, largest_px: float = math.inf
) -> ScalePass:
    width, height = part[2] - part[0], part[3] - part[1]
    resized = (max(1, round(width * scale)), max(1, round(height * scale)))
    input_wh = entry.input.size_wh or (_padded(resized[0], entry), _padded(resized[1], entry))
    return ScalePass(part, resized, input_wh, largest_px)


class _Buffer(NamedTuple):
    """What a picture passes through on its way into the network: new memory for each would cost more than the work."""

    pixels: Image
    planes: list[npt.NDArray[np.uint8]]
    blob: Float32


def _planes(height: int, width: int) -> list[npt.NDArray[np.uint8]]:
    return [np.zeros((height, width), np.uint8) for _ in range(3)]


class OnnxDetector:
    """A face detector as its manifest entry describes it.

    Attributes
    ----------
    name, ref
        Of the manifest entry.
    provider
        The execution provider that was proven.
    match_threshold, eager_threshold
        A face at or above the first may be recognised; every face at or above the second is reported, to be redacted.
    min_face_px
        Height of the smallest face that must be found, pixels of the frame.
    """

    def __init__(self, entry: DetectorEntry, session: Session, min_face_px: float = 40) -> None:
        if not min_face_px > 0:
            raise ValueError(f"min_face_px must be above 0, not {min_face_px}")
        self.name = entry.name
        self.ref = entry.ref
        self.provider = session.provider
        self.match_threshold = entry.match_threshold
        self.eager_threshold = entry.eager_threshold
        self.min_face_px = float(min_face_px)
        self._entry = entry
        self._session = session
        self._adapter = ADAPTERS[entry.adapter]
        roles = LAYOUTS[entry.adapter]
        names = tuple(entry.outputs[role] for role in roles) if entry.outputs else session.outputs
        if len(names) != len(roles) or set(names) - set(session.outputs):
            raise ModelError(
                f"{self.name} has the outputs {', '.join(session.outputs)}; {entry.adapter} needs {', '.join(roles)}.",
                "Name them in outputs of its entry.",
            )
        self._outputs = names
        self._order = (2, 1, 0) if entry.input.channels == "rgb" else (0, 1, 2)
        self._mean = np.array(entry.input.mean, np.float32)
        self._scale = np.float32(entry.input.scale)
        self._buffers: dict[tuple[int, int], _Buffer] = {}

    def detect(self, frame_bgr: Image, min_face_px: float | None = None) -> Faces:
        """All faces above the eager threshold, best first; boxes may reach beyond the frame.

        Parameters
        ----------
        min_face_px
            For this frame only: a smaller one finds smaller faces, for more time (to redact what is published, say).

        The buffers that held the picture are overwritten before this returns.

        Raises
        ------
        ModelError
            The network gave NaN or infinity.
        ValueError
            The frame is not `(height, width, 3)` uint8 with at least one pixel.
        """
        if frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or frame_bgr.dtype != np.uint8 or frame_bgr.size == 0:
            raise ValueError(f"a frame is uint8 of shape (height, width, 3), not {frame_bgr.dtype} {frame_bgr.shape}")
        height, width = frame_bgr.shape[:2]
        scale = min(MAX_UPSCALE, self._entry.face_px / (min_face_px or self.min_face_px))
        found = [self._detect(frame_bgr, one) for one in plan((width, height), scale, self._entry)]
        boxes, points, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        keep = nms(boxes, scores, self._entry.nms_iou)
        return Faces(boxes[keep], points[keep], scores[keep])

    def refine(self, frame_bgr: Image, faces: Faces) -> Faces:
        """The same faces with landmarks found again at a size that suits the network, for faces about to be embedded.

        A small face has few pixels in the network's input, and its landmarks are off by a twentieth of its height; one
        more look at each, enlarged, costs a fraction of a frame's detection. Faces that are not found again, and those
        of a network with a fixed input size, stay as they are.

        Returns
        -------
        Faces
            As many, in the same order, with the scores that they had.
        """
        if self._entry.input.size_wh is not None or not len(faces):
            return faces
        step = self._entry.input.multiple_of
        side = math.ceil(_REFINE_FACES * self._entry.face_px * _REFINE_ROOM / step) * step
        boxes, points = faces.boxes_xyxy.copy(), faces.landmarks.copy()
        sizes = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0)
        scales = side / (sizes * _REFINE_ROOM)
        corners = (boxes[:, :2] + boxes[:, 2:]) / 2 - (side / scales / 2)[:, None]
        for start in range(0, len(faces), _REFINE_BATCH):
            which = range(start, min(start + _REFINE_BATCH, len(faces)))
            batch = np.zeros((len(which), 3, side, side), np.float32)
            planes = _planes(side, side)
            for blob, i in zip(batch, which, strict=True):
                matrix = np.array(
                    [[scales[i], 0, -scales[i] * corners[i, 0]], [0, scales[i], -scales[i] * corners[i, 1]]]
                )
                patch = cv2.warpAffine(frame_bgr, matrix, (side, side), flags=cv2.INTER_LINEAR)
                self._fill(blob, patch, planes)
                patch.fill(0)
            try:
                outputs = self._session.run(batch, self._outputs)
            finally:
                batch.fill(0)
            for row, i in enumerate(which):
                one = tuple(output[row : row + 1] for output in outputs)
                found, marks, scores = self._adapter.decode(one, (side, side), self._entry.eager_threshold)
                found = found / scales[i] + np.tile(corners[i], 2)
                close = np.abs(found - boxes[i]).max(axis=1, initial=0) < _REFINE_SHIFT * sizes[i]
                if close.any():
                    best = int(np.argmax(np.where(close, scores, -1)))
                    boxes[i] = found[best]
                    points[i] = marks[best] / scales[i] + corners[i]
        return Faces(boxes.astype(np.float32), points.astype(np.float32), faces.scores)

    def _fill(self, blob: Float32, pixels: npt.NDArray[Any], planes: list[npt.NDArray[np.uint8]]) -> None:
        """One picture into one `(3, height, width)` input, by way of `planes`, which are overwritten."""
        cv2.split(pixels, planes)
        for channel, source in enumerate(self._order):
            np.copyto(blob[channel], planes[source])
            planes[source].fill(0)
            if self._mean[channel]:
                np.subtract(blob[channel], self._mean[channel], out=blob[channel])
        if self._scale != 1:
            np.multiply(blob, self._scale, out=blob)

    def _detect(self, frame_bgr: Image, one: ScalePass) -> Candidates:
        left, top, right, bottom = one.part
        pixels, planes, blob = self._buffer(one.input_wh)
        width, height = one.resized_wh
        shrinks = width < right - left
        try:
            cv2.resize(
                frame_bgr[top:bottom, left:right],
                (width, height),
                dst=pixels[:height, :width],
                interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
            )
            self._fill(blob[0], pixels, planes)
            outputs = self._session.run(blob, self._outputs)
        finally:
            pixels.fill(0)
            blob.fill(0)
        boxes, points, scores = self._adapter.decode(tuple(outputs), one.input_wh, self._entry.eager_threshold)
        ratio = np.array([(right - left) / width, (bottom - top) / height], np.float32)
        corner = np.array([left, top], np.float32)
        boxes = (boxes.reshape(-1, 2, 2) * ratio + corner).reshape(-1, 4)
        mine = boxes[:, 3] - boxes[:, 1] <= one.largest_px
        return boxes[mine], points[mine] * ratio + corner, np.clip(scores[mine], 0, 1)

    def _buffer(self, input_wh: tuple[int, int]) -> _Buffer:
        """The reused buffers of one input size; a camera has one or two sizes, never many."""
        if input_wh not in self._buffers:
            if len(self._buffers) >= 4:
                self._buffers.clear()
            width, height = input_wh
            self._buffers[input_wh] = _Buffer(
                np.zeros((height, width, 3), np.uint8),
                _planes(height, width),
                np.zeros((1, 3, height, width), np.float32),
            )
        return self._buffers[input_wh]


def open_detector(
    manifest: Manifest, name: str, provider: str = "auto", threads: int = 1, *, min_face_px: float = 40
) -> OnnxDetector:
    """The detector of that name, its file checked and its provider proven.

    Raises
    ------
    ModelError, ProviderError
        It is not installed, was altered, or does not run on the provider that was named.
    """
    entry = manifest.detector(name)
    width, height = entry.input.size_wh or (entry.input.multiple_of * 4, entry.input.multiple_of * 4)
    session = Session(
        models.read_ready(manifest, entry),
        provider,
        threads,
        golden_shape=(1, 3, height, width),
        name=name,
        optimise=entry.optimise,
    )
    return OnnxDetector(entry, session, min_face_px)
