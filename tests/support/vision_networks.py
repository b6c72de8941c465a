"""Tiny networks whose outputs are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def planted_network(outputs: dict[str, np.ndarray], input_shape: list[Any]) -> bytes:
    """A network that gives the same outputs for every picture (the picture enters with weight zero)."""
    nodes = [
        helper.make_node("ReduceSum", ["picture"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
    ]
    initial = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    values = []
    for name, array in outputs.items():
        initial.append(numpy_helper.from_array(array.astype(np.float32), f"planted_{name}"))
        nodes.append(helper.make_node("Add", [f"planted_{name}", "nothing"], [name]))
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, input_shape)
    graph = helper.make_graph(nodes, "planted", [picture], values, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def embedding_network(dimension: int = 16, side: int = 32, *, scale: float = 1.0) -> bytes:
    """A linear embedder of one picture: batch 1, weights among the inputs, `Reshape` to one row, operator set 9."""
    rng = np.random.default_rng(7)
    weights = numpy_helper.from_array((scale * rng.normal(0, 0.05, (dimension, 3, 8, 8))).astype(np.float32), "weights")
    pool = numpy_helper.from_array(np.array([1, -1], np.int64), "shape")
    nodes = [
        helper.make_node("Conv", ["picture", "weights"], ["maps"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Reshape", ["means", "shape"], ["vector"]),
    ]
    inputs = [
        helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, side, side]),
        helper.make_tensor_value_info("weights", TensorProto.FLOAT, list(weights.dims)),
        helper.make_tensor_value_info("shape", TensorProto.INT64, [2]),
    ]
    output = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, dimension])]
    graph = helper.make_graph(nodes, "linear", inputs, output, [weights, pool])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    return bytes(model.SerializeToString())
