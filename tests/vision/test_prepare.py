"""A model is prepared so that it takes a batch and runs fast, and only if it still gives what it gave."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from vision_networks import embedding_network, planted_network

from appliance.core.errors import ModelError
from appliance.core.types import Float32, Image
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


def network(nodes: list[Any], values: dict[str, Any], shape: list[int], output: list[int]) -> bytes:
    """A network from `picture` to `vector`, with these initial values."""
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, output)],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def reshaped_by(constant: Any) -> bytes:
    """An embedder of 48 numbers whose last `Reshape` takes its shape from a node."""
    pool = helper.make_node("AveragePool", ["picture"], ["means"], kernel_shape=[8, 8], strides=[8, 8])
    last = helper.make_node("Reshape", ["means", "shape"], ["vector"])
    return network([pool, constant, last], {}, [1, 3, 32, 32], [1, 48])


@pytest.mark.parametrize("rows", [[1, -1], [1, 48]])
def test_a_shape_in_a_constant_node_becomes_one_row_a_face(picture: Image, rows: list[int]) -> None:
    constant = helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array(rows, np.int64)))
    original = reshaped_by(constant)
    entry = embedder(dimension=48)
    assert compare(entry, original, prepare(entry, original), picture) < 1e-5


def test_a_constant_that_holds_plain_numbers_is_left_and_ends_in_a_sentence(picture: Image) -> None:
    original = reshaped_by(helper.make_node("Constant", [], ["shape"], value_ints=[1, -1]))
    entry = embedder(dimension=48)
    with pytest.raises(ModelError, match="own: an output is"):
        compare(entry, original, prepare(entry, original), picture)


def test_a_network_of_two_pictures_is_refused() -> None:
    model = onnx.load_from_string(planted_network({"heat": np.zeros((1, 1))}, [1, 3, 64, 64]))
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 3, 64, 64]))
    with pytest.raises(ModelError, match=r"^own has 2 inputs; a model takes one picture input\.$"):
        prepare(detector(None), model.SerializeToString())


@pytest.mark.parametrize("size_wh", [None, (64, 64)])
def test_a_detector_is_compared_at_its_size_or_at_two_sizes_where_it_takes_any(
    picture: Image, monkeypatch: pytest.MonkeyPatch, size_wh: tuple[int, int] | None
) -> None:
    seen: list[tuple[int, ...]] = []
    original = network([helper.make_node("Neg", ["picture"], ["vector"])], {}, [1, 3, 64, 64], [1, 3, 64, 64])
    open_runner = module._runner

    def runner(entry: DetectorEntry, model: bytes) -> Any:
        run = open_runner(entry, model)

        def seeing(batch: Float32) -> Any:
            seen.append(batch.shape)
            return run(batch)

        return seeing

    monkeypatch.setattr(module, "_runner", runner)
    entry = detector(size_wh)
    assert compare(entry, original, prepare(entry, original), picture) == 0
    step = entry.input.multiple_of
    wanted = [(1, 3, 64, 64)] if size_wh else [(1, 3, 8 * step, 8 * step), (1, 3, 6 * step, 10 * step)]
    assert sorted(set(seen)) == sorted(wanted)


def test_a_detector_whose_input_is_no_picture_ends_in_a_sentence(picture: Image) -> None:
    original = network([helper.make_node("Neg", ["picture"], ["vector"])], {}, [1, 3], [1, 3])
    with pytest.raises(ModelError, match="own does not run: "):
        compare(detector(None), original, prepare(detector(None), original), picture)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"heat": np.ones((1, 2))}, "own lost an output when it was prepared"),
        (
            {"heat": np.ones((1, 3)), "size": np.ones((1, 2))},
            r"an output is \(1, 3\) after preparation, \(1, 2\) before",
        ),
        ({"heat": np.full((1, 2), np.nan), "size": np.ones((1, 2))}, "gives other outputs once prepared"),
    ],
)
def test_an_output_that_is_lost_reshaped_or_no_number_is_refused(
    picture: Image, outputs: dict[str, Any], said: str
) -> None:
    shape = [1, 3, 64, 64]
    original = planted_network({"heat": np.ones((1, 2)), "size": np.ones((1, 2))}, shape)
    with pytest.raises(ModelError, match=said):
        compare(detector((64, 64)), original, planted_network(outputs, shape), picture)


@pytest.mark.parametrize(("factor", "taken"), [(1 + 0.9 * module.TOLERANCE, True), (1 + 1.1 * module.TOLERANCE, False)])
def test_a_difference_is_taken_up_to_the_tolerance(picture: Image, factor: float, taken: bool) -> None:
    shape = [1, 3, 64, 64]
    before, after = (planted_network({"heat": np.full((1, 2), value)}, shape) for value in (8, 8 * factor))
    with contextlib.nullcontext() if taken else pytest.raises(ModelError, match=r"they differ by 0\.0011"):
        assert compare(detector((64, 64)), before, after, picture) == pytest.approx(factor - 1, rel=1e-3)


def test_another_number_of_columns_than_the_entrys_is_refused(picture: Image) -> None:
    original = reshaped_by(
        helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(np.array([-1, 1], np.int64)))
    )
    with pytest.raises(ModelError, match="own gives 1 numbers a face, its entry says 48"):
        compare(embedder(dimension=48), original, prepare(embedder(dimension=48), original), picture)
