"""A model is prepared so that it takes a batch and runs fast, and only if it still gives what it gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from vision_networks import embedding_network, planted_network

from appliance.core.errors import ModelError
from appliance.core.types import Image
from appliance.vision import prepare as module
from appliance.vision.models import DetectorEntry, EmbedderEntry
from appliance.vision.prepare import compare, prepare


def embedder(**changes: Any) -> EmbedderEntry:
    return EmbedderEntry.model_validate(
        {
            "name": "own", "source": {"file": "x.onnx"}, "sha256": "0" * 64, "licence": "test",
            "input": {"channels": "rgb", "mean": (127.5, 127.5, 127.5), "scale": 0.0078125}, "crop_px": 32,
            "dimension": 16, "threshold": 0.4, **changes,
        }
    )  # fmt: skip


def detector(size_wh: tuple[int, int] | None) -> DetectorEntry:
    return DetectorEntry.model_validate(
        {
            "name": "own", "source": {"file": "x.onnx"}, "sha256": "0" * 64, "licence": "test", "adapter": "centerface",
            "input": {"channels": "bgr", "size_wh": size_wh}, "face_px": 16, "match_threshold": 0.5,
            "eager_threshold": 0.2,
        }
    )  # fmt: skip


@pytest.fixture
def picture() -> Image:
    return np.random.default_rng(5).integers(0, 255, (96, 80, 3), np.uint8)


def dims(value: Any) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_an_embedder_takes_a_batch_and_gives_what_the_original_gave(picture: Image) -> None:
    original = embedding_network()
    prepared = prepare(embedder(), original)
    model = onnx.load_from_string(prepared)
    assert [value.name for value in model.graph.input] == ["picture"], "weights are no longer among the inputs"
    assert dims(model.graph.input[0]) == ["batch", 3, 32, 32]
    assert max(item.version for item in model.opset_import) == 17
    assert compare(embedder(), original, prepared, picture) < 1e-5


def test_an_operator_set_is_left_where_the_entry_says_so() -> None:
    model = onnx.load_from_string(prepare(embedder(opset=None), embedding_network()))
    assert max(item.version for item in model.opset_import) == 9


def test_a_detector_is_freed_of_its_size_unless_it_has_one() -> None:
    network = planted_network({"heat": np.zeros((1, 1, 16, 16))}, [1, 3, 64, 64])
    free = onnx.load_from_string(prepare(detector(None), network))
    fixed = onnx.load_from_string(prepare(detector((64, 64)), network))
    assert dims(free.graph.input[0]) == ["batch", 3, "height", "width"]
    assert dims(fixed.graph.input[0]) == [1, 3, 64, 64]


def test_weights_too_small_to_matter_become_zero_and_others_stay() -> None:
    model = onnx.load_from_string(embedding_network())
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    values = numpy_helper.to_array(weights).copy()
    values.flat[:3] = (1e-30, -1e-25, 1e-10)
    weights.CopyFrom(numpy_helper.from_array(values, "weights"))
    prepared = onnx.load_from_string(prepare(embedder(), model.SerializeToString()))
    found = numpy_helper.to_array(next(tensor for tensor in prepared.graph.initializer if tensor.name == "weights"))
    assert found.flat[:3].tolist() == [0, 0, np.float32(1e-10)]
    np.testing.assert_array_equal(found.flat[3:], values.flat[3:])


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07"])
def test_what_is_no_network_is_refused_with_its_name(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"own (is not an ONNX model|has 0 inputs)"):
        prepare(embedder(), content)


def test_a_prepared_model_that_gives_something_else_is_refused(picture: Image) -> None:
    original, other = embedding_network(), prepare(embedder(), embedding_network(scale=1.01))
    with pytest.raises(ModelError, match="gives other outputs once prepared"):
        compare(embedder(), original, other, picture)


def test_a_dimension_that_is_not_the_entrys_is_refused(picture: Image) -> None:
    original = embedding_network(24)
    with pytest.raises(ModelError, match="own"):
        compare(embedder(), original, prepare(embedder(), original), picture)


def test_a_prepared_model_that_does_not_load_is_refused(picture: Image) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        compare(embedder(), embedding_network(), b"broken", picture)


def test_the_tolerance_is_a_share_of_the_largest_output() -> None:
    assert 0 < module.TOLERANCE < 0.01
