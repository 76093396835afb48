"""ONNX: Q/DQ graph whose pairs ONNX Runtime turns into integer kernels.

ONNX Runtime's integer kernels want unsigned activations: with signed ones depthwise convolutions and additions stay
float. Adding 128 to integers and zero points changes no number they stand for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openautoglm.export.backend import (
    ExportedInput,
    check_programs,
    input_name,
    quiet_export,
    tensor_input,
    tensor_output,
    write_whole,
    xnnpack_quantizer,
)
from openautoglm.export.census import Census, Kind, Operation, count
from openautoglm.export.onnx_weights import share_weights, weights_of

_INT8_KINDS: dict[str, Kind] = {
    "QLinearConv": "convolution",
    "ConvInteger": "convolution",
    "QGemm": "linear",
    "QLinearMatMul": "matmul",
    "MatMulIntegerToFloat": "matmul",
    "MatMulInteger": "matmul",
}
_FLOAT_KINDS: dict[str, Kind] = {
    "Conv": "convolution",
    "FusedConv": "convolution",
    "NhwcFusedConv": "convolution",
    "ConvTranspose": "convolution",
    "Gemm": "linear",
    "FusedGemm": "linear",
    "MatMul": "matmul",
    "FusedMatMul": "matmul",
}
_UNSIGNED_OFFSET = 128


class OnnxBackend:
    """The ONNX Runtime target; one method a file, and one file more for the weights that several of them share."""

    name = "onnx"
    suffix = "onnx"
    fold_quantize = True

    def quantizer(self) -> Any:
        """XNNPACK's, as for the others."""
        return xnnpack_quantizer()

    def export(self, programs: Mapping[str, ExportedInput], path: Path, *, quantized: bool) -> dict[str, Path]:
        """Write one method to ``path``, several to ``<stem>.<method><suffix>`` each and their weights to one file."""
        check_programs(programs)
        models = {name: _convert(name, program, quantized) for name, program in programs.items()}
        alone = len(models) == 1
        paths = {name: path if alone else path.with_suffix(f".{name}{path.suffix}") for name in models}
        if not alone:
            for name, content in share_weights(models.values()).items():
                write_whole(path.with_name(name), content)
        for name, model in models.items():
            write_whole(paths[name], model.SerializeToString())
        return paths

    def beside(self, path: Path) -> tuple[Path, ...]:
        """The file of the weights, where several methods share one."""
        return weights_of(path)

    def census(self, path: Path) -> Census:
        """Operations of the graph that ONNX Runtime makes of the file on this machine."""
        return count(_operations(_optimised(path)), num_partitions=1)

    def describe(self, path: Path, outputs: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Inputs and outputs of the method, under the names that the file holds."""
        model = _load(path)
        (given,) = model.graph.input
        return {
            model.graph.name: {
                "inputs": [tensor_input(shape=_shape(given), dtype=_dtype(given))],
                "outputs": [
                    tensor_output(name=tensor.name, shape=_shape(tensor), dtype=_dtype(tensor))
                    for tensor in model.graph.output
                ],
            }
        }


def _convert(name: str, program: ExportedInput, quantized: bool) -> Any:
    with quiet_export():
        exported = torch.onnx.export(
            program.module,
            program.example,
            dynamo=True,
            verbose=False,
            input_names=[input_name(program.example[0].shape)],
            output_names=list(program.outputs),
        )
        assert exported is not None
        model = exported.model_proto
    model.graph.name = name
    _strip(model)
    if quantized:
        _make_unsigned(model.graph)
    return model


def _strip(model: Any) -> None:
    """Drop traces of the source: a third of a small file."""
    del model.metadata_props[:]
    del model.functions[:]
    model.doc_string = ""
    for item in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info):
        del item.metadata_props[:]
        item.doc_string = ""
    del model.graph.value_info[:]
    for item in (*model.graph.input, *model.graph.output):
        del item.metadata_props[:]


def _make_unsigned(graph: Any) -> None:
    """Give every pair of activations an unsigned zero point; weights, which are constants, stay signed."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    added: dict[int, str] = {}
    for node in graph.node:
        activation = node.op_type == "QuantizeLinear" or (
            node.op_type == "DequantizeLinear" and node.input[0] not in constants
        )
        if not activation:
            continue
        old = numpy_helper.to_array(constants[node.input[2]]) if len(node.input) > 2 else np.int8(0)
        value = int(old) + _UNSIGNED_OFFSET
        if value not in added:
            added[value] = f"zero_point_{value}"
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.uint8), added[value]))
        del node.input[2:]
        node.input.append(added[value])
    used = {name for node in graph.node for name in node.input}
    unused = [tensor for tensor in graph.initializer if tensor.name not in used]
    for tensor in unused:
        graph.initializer.remove(tensor)


def _load(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path)
    except DecodeError:
        raise ValueError(f"{path} is not an ONNX program: export it again") from None
    except (OSError, onnx.checker.ValidationError) as error:
        raise ValueError(f"the weights of {path} cannot be read ({error}): export it again") from None


def _optimised(path: Path) -> Any:
    import onnxruntime as ort

    content = _load(path).SerializeToString()  # with its weights, wherever they lie
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        options.optimized_model_filepath = str(Path(folder, "optimised.onnx"))
        ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return _load(Path(folder, "optimised.onnx"))


def _operations(model: Any) -> Iterator[Operation]:
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        dtype = "int8" if node.op_type in _INT8_KINDS or node.op_type.startswith(("QLinear", "Quantize")) else "float"
        kind = _INT8_KINDS.get(node.op_type) or _FLOAT_KINDS.get(node.op_type, "other")
        if kind == "matmul" and any(name in constants for name in _factors(node)):
            kind = "linear"
        fused = any(attribute.name == "activation" for attribute in node.attribute)
        if node.op_type == "QLinearConv":  # a range that starts at zero is a ReLU
            fused = not numpy_helper.to_array(constants[node.input[7]]).any()
        yield Operation(
            name=node.op_type,
            kind=kind,
            dtype=dtype,
            where=node.name or (node.output[0] if node.output else ""),
            fused_activation=fused,
        )


def _factors(node: Any) -> tuple[str, str]:
    """Names of the two things multiplied."""
    second = 3 if node.op_type == "QLinearMatMul" else 1
    return node.input[0], node.input[second]


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)


def _dtype(value: Any) -> str:
    from onnx import helper

    return str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
