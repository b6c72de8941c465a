"""Each layout's decoder against a tiny network whose outputs hold two faces at known places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vision_networks import planted_network

from appliance.core.errors import ModelError
from appliance.vision.detector import OnnxDetector
from appliance.vision.detector_outputs import ADAPTERS
from appliance.vision.engine import Session
from appliance.vision.models import DetectorEntry

SIDE = 64
BOX = (10.0, 12.0, 34.0, 44.0)
POINTS = ((16.0, 22.0), (28.0, 21.0), (22.0, 28.0), (17.0, 36.0), (27.0, 35.0))


def _centerface() -> dict[str, np.ndarray]:
    cells = SIDE // 4
    heat, scale, offset = np.zeros((1, 1, cells, cells)), np.zeros((1, 2, cells, cells)), np.zeros((1, 2, cells, cells))
    marks = np.zeros((1, 10, cells, cells))
    left, top, right, bottom = BOX
    row, column = int((top + bottom) / 8), int((left + right) / 8)
    heat[0, 0, row, column] = 0.9
    scale[0, :, row, column] = np.log((bottom - top) / 4), np.log((right - left) / 4)
    offset[0, :, row, column] = (top + bottom) / 8 - row - 0.5, (left + right) / 8 - column - 0.5
    for i, (x, y) in enumerate(POINTS):
        marks[0, 2 * i : 2 * i + 2, row, column] = (y - top) / (bottom - top), (x - left) / (right - left)
    return {"heat": heat, "scale": scale, "offset": offset, "marks": marks}


def _scrfd() -> dict[str, np.ndarray]:
    outputs: dict[str, np.ndarray] = {}
    for kind, width in (("score", 1), ("box", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            outputs[f"{kind}{stride}"] = np.zeros(((SIDE // stride) ** 2 * 2, width))
    # Cell (row 2, column 3) of stride 8, second anchor: its corner is at (24, 16).
    cell = (2 * (SIDE // 8) + 3) * 2 + 1
    outputs["score8"][cell] = 0.9
    outputs["box8"][cell] = (np.array([24 - BOX[0], 16 - BOX[1], BOX[2] - 24, BOX[3] - 16])) / 8
    outputs["kps8"][cell] = ((np.array(POINTS) - [24, 16]) / 8).ravel()
    return outputs


def _yunet() -> dict[str, np.ndarray]:
    outputs: dict[str, np.ndarray] = {}
    for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            outputs[f"{kind}{stride}"] = np.zeros((1, (SIDE // stride) ** 2, width))
    # Cell (row 1, column 1) of stride 16: its corner is at (16, 16).
    cell = 1 * (SIDE // 16) + 1
    outputs["cls16"][0, cell], outputs["obj16"][0, cell] = 0.81, 1.0
    centre, size = np.array([BOX[0] + BOX[2], BOX[1] + BOX[3]]) / 2, np.array([BOX[2] - BOX[0], BOX[3] - BOX[1]])
    outputs["bbox16"][0, cell] = np.concatenate([(centre - 16) / 16, np.log(size / 16)])
    outputs["kps16"][0, cell] = ((np.array(POINTS) - 16) / 16).ravel()
    return outputs


PLANTED: dict[str, Any] = {"centerface": _centerface, "scrfd": _scrfd, "yunet": _yunet}


def _detector(adapter: str, outputs: dict[str, np.ndarray], named: dict[str, str] | None = None) -> OnnxDetector:
    entry = DetectorEntry.model_validate(
        {
            "name": adapter, "source": {"file": "x.onnx"}, "sha256": "0" * 64, "licence": "test", "adapter": adapter,
            "outputs": named or {}, "input": {"channels": "bgr", "size_wh": (SIDE, SIDE)}, "face_px": 16,
            "match_threshold": 0.5, "eager_threshold": 0.2,
        }
    )  # fmt: skip
    session = Session(planted_network(outputs, [1, 3, SIDE, SIDE]), "cpu", golden_shape=(1, 3, SIDE, SIDE))
    return OnnxDetector(entry, session, min_face_px=16)


@pytest.mark.parametrize("adapter", list(ADAPTERS))
def test_a_planted_face_is_found_where_it_was_planted(adapter: str) -> None:
    faces = _detector(adapter, PLANTED[adapter]()).detect(np.zeros((SIDE, SIDE, 3), np.uint8))
    np.testing.assert_allclose(faces.boxes_xyxy, [BOX], atol=1e-3)
    np.testing.assert_allclose(faces.landmarks, [POINTS], atol=1e-3)
    np.testing.assert_allclose(faces.scores, [0.9], atol=1e-6)


@pytest.mark.parametrize("adapter", list(ADAPTERS))
def test_a_network_that_sees_nothing_gives_no_faces(adapter: str) -> None:
    outputs = {name: np.zeros_like(array) for name, array in PLANTED[adapter]().items()}
    assert len(_detector(adapter, outputs).detect(np.zeros((SIDE, SIDE, 3), np.uint8))) == 0


@pytest.mark.parametrize("adapter", list(ADAPTERS))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_not_a_number_is_an_error(adapter: str, value: float) -> None:
    outputs = PLANTED[adapter]()
    detector = _detector(adapter, outputs)
    last = list(outputs)[-1]
    outputs[last] = np.full_like(outputs[last], value)
    with pytest.raises(ModelError, match="not a number"):
        _detector(adapter, outputs).detect(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert len(detector.detect(np.zeros((SIDE, SIDE, 3), np.uint8))) == 1


def test_outputs_in_another_order_are_found_by_the_names_of_the_entry() -> None:
    planted = _centerface()
    shuffled = {name: planted[name] for name in ("marks", "offset", "heat", "scale")}
    named = {"heat": "heat", "scale": "scale", "offset": "offset", "landmarks": "marks"}
    faces = _detector("centerface", shuffled, named).detect(np.zeros((SIDE, SIDE, 3), np.uint8))
    np.testing.assert_allclose(faces.boxes_xyxy, [BOX], atol=1e-3)


def test_a_network_with_other_outputs_than_the_adapter_needs_is_refused() -> None:
    with pytest.raises(ModelError, match="needs score_8"):
        _detector("scrfd", _centerface())


def test_a_fixed_input_size_letterboxes_a_frame_and_gives_its_pixels() -> None:
    faces = _detector("centerface", _centerface()).detect(np.zeros((SIDE * 2, SIDE * 2, 3), np.uint8))
    # The same planted face is seen in each tile and in the pass over the whole frame, where it is twice as large.
    assert any(np.allclose(box, np.array(BOX) * 2, atol=1e-2) for box in faces.boxes_xyxy)
    assert any(np.allclose(box, BOX, atol=1e-2) for box in faces.boxes_xyxy)
