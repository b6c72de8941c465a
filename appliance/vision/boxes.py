"""Geometry of boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def intersection_over_union(
    box_xyxy: Sequence[float] | npt.NDArray[np.floating], boxes_xyxy: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """How much a box of shape `(4,)` shares with each of others of shape `(n, 4)`: array of shape `(n,)`, 0 to 1."""
    box, boxes = np.asarray(box_xyxy, np.float64), np.asarray(boxes_xyxy, np.float64)
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    area = np.prod(np.maximum(box[2:] - box[:2], 0))
    return np.asarray(shared / np.maximum(areas + area - shared, 1e-6), np.float64)
