"""An original ONNX file → the prepared one: constants foldable, batch and size free, operator set raised, compared.

`compare` runs both on a real picture and refuses the prepared model where they differ.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from appliance.core.errors import ModelError
from appliance.core.types import Float32, Image
from appliance.vision.models import DetectorEntry, EmbedderEntry

NEGLIGIBLE = 1e-20
"""Weights smaller than this become zero. Channels that training has switched off are full of them; their products are
denormal numbers, with which a processor calculates many times slower: MobileFaceNet takes 87 ms a face with them and
14 ms without (one core, onnxruntime 1.31.1).
"""

TOLERANCE = 1e-3
"""Largest difference of any output, over the largest absolute value of that output, that preparation may cause."""


def prepare(entry: DetectorEntry | EmbedderEntry, original: bytes) -> bytes:
    """The prepared model.

    Initializers are dropped from the graph's inputs (left there, they count as changeable and stop constant folding),
    the batch axis is freed, and for a detector of any size height and width too; a last `Reshape` to one row becomes
    one row a face; negligible weights become zero; the operator set is raised.

    Raises
    ------
    ModelError
        The file is not an ONNX model that fits its entry.
    """
    try:
        model = onnx.load_from_string(original)
        onnx.checker.check_model(model)
        initial = {tensor.name for tensor in model.graph.initializer}
        keep = [value for value in model.graph.input if value.name not in initial]
        del model.graph.input[:]
        model.graph.input.extend(keep)
        if entry.opset is not None and _opset(model) < entry.opset:
            model = version_converter.convert_version(model, entry.opset)
    except Exception as error:  # noqa: BLE001 (onnx raises many unrelated classes, among them bare RuntimeError)
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{entry.name} is not an ONNX model that can be prepared: {first}") from None
    if len(model.graph.input) != 1:
        raise ModelError(f"{entry.name} has {len(model.graph.input)} inputs; a model takes one picture input.")
    if isinstance(entry, EmbedderEntry):
        _free_rows(model, entry.dimension)
        free_shapes(model, {0: "batch"})
    elif entry.input.size_wh is None:
        free_shapes(model, {0: "batch", 2: "height", 3: "width"})
    _drop_negligible(model)
    return bytes(model.SerializeToString())


def _drop_negligible(model: Any) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            weights = numpy_helper.to_array(tensor)
            tiny = (weights != 0) & (np.abs(weights) < NEGLIGIBLE)
            if tiny.any():
                tensor.CopyFrom(numpy_helper.from_array(np.where(tiny, np.float32(0), weights), tensor.name))


def _opset(model: Any) -> int:
    return max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)


def free_shapes(model: Any, axes: dict[int, str]) -> None:
    """Make axes of the input symbolic, and forget the shapes of the outputs and of everything between."""
    del model.graph.value_info[:]
    for axis, name in axes.items():
        dims = model.graph.input[0].type.tensor_type.shape.dim
        if axis < len(dims):
            dims[axis].dim_param = name
    for value in model.graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis in axes:
                dim.dim_param = f"{value.name}_{axis}"


def _free_rows(model: Any, dimension: int) -> None:
    """`Reshape` nodes that make an output of exactly one row make one of `dimension` columns instead."""
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.output[0] not in outputs:
            continue
        fixed = numpy_helper.from_array(np.array([-1, dimension], np.int64))
        for tensor in model.graph.initializer:
            if tensor.name == node.input[1] and list(numpy_helper.to_array(tensor)) in ([1, -1], [1, dimension]):
                fixed.name = tensor.name
                tensor.CopyFrom(fixed)
        for other in model.graph.node:
            if other.op_type == "Constant" and other.output[0] == node.input[1] and other.attribute[0].name == "value":
                value = other.attribute[0].t
                if list(numpy_helper.to_array(value)) in ([1, -1], [1, dimension]):
                    value.CopyFrom(fixed)


def compare(entry: DetectorEntry | EmbedderEntry, original: bytes, prepared: bytes, picture_bgr: Image) -> float:
    """The largest relative difference of the prepared model's outputs from the original's on a real picture.

    Raises
    ------
    ModelError
        It is above `TOLERANCE`, or the prepared model does not run, or its outputs are not what the entry says.
    """
    reference = _runner(entry, _with_free_input(entry, original))
    candidate = _runner(entry, prepared)
    worst = 0.0
    for batch in _inputs(entry, picture_bgr):
        expected = [np.concatenate(parts) for parts in zip(*(reference(one[None]) for one in batch), strict=True)]
        found = candidate(batch) if isinstance(entry, EmbedderEntry) else candidate(batch[:1])
        if len(found) != len(expected):
            raise ModelError(f"{entry.name} lost an output when it was prepared.")
        for one, other in zip(expected, found, strict=True):
            if one.shape != other.shape:
                raise ModelError(f"{entry.name}: an output is {other.shape} after preparation, {one.shape} before.")
            scale = float(np.abs(one).max(initial=1e-6))
            # Not `max`, which would drop what is no number.
            worst = float(np.maximum(worst, np.abs(one - other).max(initial=0) / scale))
        if isinstance(entry, EmbedderEntry) and found[0].shape != (len(batch), entry.dimension):
            raise ModelError(
                f"{entry.name} gives {found[0].shape[-1]} numbers a face, its entry says {entry.dimension}."
            )
    if not worst <= TOLERANCE:
        raise ModelError(f"{entry.name} gives other outputs once prepared: they differ by {worst:.2g} of the largest.")
    return worst


def _with_free_input(entry: DetectorEntry | EmbedderEntry, original: bytes) -> bytes:
    """The original; for a detector, with the declared input size forgotten so that a whole picture fits."""
    if isinstance(entry, EmbedderEntry) or entry.input.size_wh is not None:
        return original
    model = onnx.load_from_string(original)
    initial = {tensor.name for tensor in model.graph.initializer}
    picture = next((value for value in model.graph.input if value.name not in initial), model.graph.input[0])
    for axis, dim in enumerate(picture.type.tensor_type.shape.dim):
        if axis != 1:
            dim.dim_param = f"axis{axis}"
    for value in model.graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}_{axis}"
    return bytes(model.SerializeToString())


def _inputs(entry: DetectorEntry | EmbedderEntry, picture_bgr: Image) -> list[Float32]:
    """Batches of the picture as the entry's input contract wants it."""
    if isinstance(entry, EmbedderEntry):
        height, width = picture_bgr.shape[:2]
        crops = [picture_bgr, picture_bgr[: height // 2], picture_bgr[:, width // 4 : 3 * width // 4]]
        sizes = [[(entry.crop_px, entry.crop_px)] * 3]
    else:
        crops = [picture_bgr]
        fixed = entry.input.size_wh
        step = entry.input.multiple_of
        sizes = [[fixed]] if fixed else [[(step * 8, step * 8)], [(step * 10, step * 6)]]
    batches = []
    for group in sizes:
        blobs = [
            (cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.float32))
            for crop, size in zip(crops, group, strict=True)
        ]
        batch = np.stack(blobs)[..., :: -1 if entry.input.channels == "rgb" else 1]
        batch = (batch - np.array(entry.input.mean, np.float32)) * np.float32(entry.input.scale)
        batches.append(np.ascontiguousarray(batch.transpose(0, 3, 1, 2), np.float32))
    return batches


def _runner(entry: DetectorEntry | EmbedderEntry, model: bytes) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 (onnxruntime's exceptions share no base class but Exception)
        raise ModelError(f"{entry.name} cannot be loaded: {str(error).splitlines()[0]}") from None
    name = session.get_inputs()[0].name

    def run(batch: Float32) -> list[Float32]:
        try:
            return [np.asarray(output) for output in session.run(None, {name: batch})]
        except Exception as error:  # noqa: BLE001 (as above)
            raise ModelError(f"{entry.name} does not run: {str(error).splitlines()[0]}") from None

    return run
