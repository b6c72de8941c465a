"""How the outputs of different face detectors are laid out: one small class a layout.

An adapter turns the raw outputs of one picture into candidates in the pixels of the network's input. A new layout is a
class with `decode`, a line in `ADAPTERS`, and the names of its outputs in `models.LAYOUTS`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from appliance.core.types import Float32
from appliance.vision.models import STRIDES

Candidates = tuple[Float32, Float32, Float32]
"""Boxes `(n, 4)` xyxy, landmarks `(n, 5, 2)`, scores `(n,)`, in pixels of the network's input; before suppression."""


class Adapter(Protocol):
    """Reads the outputs of one kind of detector."""

    def decode(self, outputs: tuple[Float32, ...], input_wh: tuple[int, int], threshold: float, /) -> Candidates:
        """The candidates whose score is at least `threshold`.

        Parameters
        ----------
        outputs
            Those of one picture (batch of 1), in the order of `models.LAYOUTS`.
        """
        ...


class CenterFace:
    """CenterFace: one heat map at stride 4; scale (log height, log width), offset (y, x) and landmarks (y, x each).

    Landmarks are fractions of the box from its top left corner (Xu et al., CenterFace, 2019).
    """

    stride = 4

    def decode(self, outputs: tuple[Float32, ...], _input_wh: tuple[int, int], threshold: float, /) -> Candidates:
        """Heat `(1, 1, h, w)`, scale and offset `(1, 2, h, w)`, landmarks `(1, 10, h, w)`."""
        heat, scale, offset, landmarks = outputs
        rows, columns = np.nonzero(heat[0, 0] >= threshold)
        scores = heat[0, 0, rows, columns]
        sizes_hw = np.exp(np.minimum(scale[0][:, rows, columns], 10.0)) * self.stride
        centres_yx = (np.stack([rows, columns]) + offset[0][:, rows, columns] + 0.5) * self.stride
        top_left_yx = centres_yx - sizes_hw / 2
        boxes = np.concatenate([top_left_yx[::-1], (top_left_yx + sizes_hw)[::-1]]).T
        points_yx = landmarks[0].reshape(5, 2, *landmarks.shape[2:])[:, :, rows, columns]
        points = (points_yx * sizes_hw + top_left_yx)[:, ::-1].transpose(2, 0, 1)
        return boxes.astype(np.float32), points.astype(np.float32), scores.astype(np.float32)


def _centres(input_wh: tuple[int, int], stride: int, anchors: int) -> Float32:
    """Corners (x, y) of the grid's cells, each repeated for its anchors: `(cells · anchors, 2)`."""
    columns, rows = input_wh[0] // stride, input_wh[1] // stride
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 1, 2)
    return np.broadcast_to(grid * stride, (columns * rows, anchors, 2)).reshape(-1, 2).astype(np.float32)


def _merge(parts: list[Candidates]) -> Candidates:
    boxes, points, scores = zip(*parts, strict=True)
    return np.concatenate(boxes), np.concatenate(points), np.concatenate(scores)


class Scrfd:
    """SCRFD: per stride (8, 16, 32) scores, distances to the four sides and landmark offsets, in strides; two anchors.

    Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021; insightface's `scrfd.py`.
    """

    anchors = 2

    def decode(self, outputs: tuple[Float32, ...], input_wh: tuple[int, int], threshold: float) -> Candidates:
        """Scores `(cells·2, 1)`, boxes `(cells·2, 4)`, points `(cells·2, 10)` a stride; a batch axis may lead."""
        parts = []
        for i, stride in enumerate(STRIDES):
            scores = outputs[i].reshape(-1)
            keep = np.flatnonzero(scores >= threshold)
            corners = _centres(input_wh, stride, self.anchors)[keep]
            sides = outputs[i + 3].reshape(-1, 4)[keep] * stride
            offsets = outputs[i + 6].reshape(-1, 5, 2)[keep] * stride
            boxes = np.concatenate([corners - sides[:, :2], corners + sides[:, 2:]], axis=1)
            parts.append((boxes, corners[:, None] + offsets, scores[keep]))
        return _merge(parts)


class YuNet:
    """YuNet (OpenCV's face_detection_yunet): per stride class, objectness, box (centre, log size), landmarks.

    The score is the geometric mean of class and objectness, as in OpenCV's `FaceDetectorYN`.
    """

    def decode(self, outputs: tuple[Float32, ...], input_wh: tuple[int, int], threshold: float) -> Candidates:
        """Class and objectness `(1, cells, 1)`, boxes `(1, cells, 4)`, points `(1, cells, 10)` a stride."""
        parts = []
        for i, stride in enumerate(STRIDES):
            classes, objects = (np.clip(outputs[i + shift].reshape(-1), 0, 1) for shift in (0, 3))
            scores = np.sqrt(classes * objects)
            keep = np.flatnonzero(scores >= threshold)
            corners = _centres(input_wh, stride, 1)[keep]
            box = outputs[i + 6].reshape(-1, 4)[keep]
            centres = corners + box[:, :2] * stride
            halves = np.exp(np.minimum(box[:, 2:], 10.0)) * stride / 2
            points = corners[:, None] + outputs[i + 9].reshape(-1, 5, 2)[keep] * stride
            parts.append((np.concatenate([centres - halves, centres + halves], axis=1), points, scores[keep]))
        return _merge(parts)


ADAPTERS: dict[str, Adapter] = {"centerface": CenterFace(), "scrfd": Scrfd(), "yunet": YuNet()}
