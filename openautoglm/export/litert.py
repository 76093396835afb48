"""LiteRT: ``.tflite`` with true integer kernels.

The converter makes integer kernels only when it is told the quantization scheme and sees weights that are not folded
yet; otherwise it writes float convolutions between pairs of roundings, as large as float and slower.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openautoglm.export.backend import (
    INPUT,
    ExportedInput,
    Named,
    NamedFromMap,
    check_programs,
    input_name,
    quiet_export,
    tensor_input,
    tensor_output,
    write_whole,
    xnnpack_quantizer,
)
from openautoglm.export.census import Census, Kind, Operation, count

_KINDS: dict[str, Kind] = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "convolution",
    "TRANSPOSE_CONV": "convolution",
    "FULLY_CONNECTED": "linear",
    "BATCH_MATMUL": "matmul",
}


class LiteRTBackend:
    """The LiteRT target."""

    name = "litert"
    suffix = "tflite"
    fold_quantize = False

    def quantizer(self) -> Any:
        """XNNPACK's, as for the others."""
        return xnnpack_quantizer()

    def export(self, programs: Mapping[str, ExportedInput], path: Path, *, quantized: bool) -> dict[str, Path]:
        """Write all methods into one ``.tflite``, a signature each."""
        check_programs(programs)
        os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
        with quiet_export():
            import litert_torch
            from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
            from litert_torch.quantize.quant_config import QuantConfig

            scheme = get_symmetric_quantization_config(is_per_channel=True, is_qat=True)
            config = QuantConfig(pt2e_quantizer=PT2EQuantizer().set_global(scheme)) if quantized else None
            converter: Any = litert_torch
            for name, program in programs.items():
                (given,) = program.example
                taken = input_name(given.shape)
                named = Named if taken == INPUT else NamedFromMap
                converter = converter.signature(
                    name, named(program.module, program.outputs), sample_kwargs={taken: given}
                )
            content = bytes(converter.convert(quant_config=config).model_content())
        write_whole(path, content)
        return dict.fromkeys(programs, path)

    def beside(self, path: Path) -> tuple[Path, ...]:  # noqa: ARG002
        """None: the file holds its weights."""
        return ()

    def census(self, path: Path) -> Census:
        """Operations and their dtypes from the flatbuffer, and what XNNPACK takes of them from the runtime."""
        content = _read(path)
        return count(_operations(content), num_partitions=_num_partitions(content))

    def describe(self, path: Path, outputs: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
        """Inputs and outputs of each signature, under the names that the file holds."""
        with quiet_export():
            from ai_edge_litert.interpreter import Interpreter

            interpreter = Interpreter(model_content=_read(path))
            methods = {}
            for name in interpreter.get_signature_list():
                runner = interpreter.get_signature_runner(name)
                (given,) = runner.get_input_details().values()
                returned = runner.get_output_details()
                order = (outputs or {}).get(name, tuple(returned))
                methods[name] = {
                    "inputs": [tensor_input(**_details(given))],
                    "outputs": [tensor_output(name=output, **_details(returned[output])) for output in order],
                }
        return methods


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ValueError(f"{path} is not a LiteRT program: export it again")
    return content


def _details(tensor: dict[str, Any]) -> dict[str, Any]:
    scale, zero_point = tensor["quantization"]
    known = scale != 0.0
    return {
        "shape": tuple(int(size) for size in tensor["shape"]),
        "dtype": str(tensor["dtype"].__name__),
        "scale": float(scale) if known else None,
        "zero_point": int(zero_point) if known else None,
    }


def _operations(content: bytes) -> Iterator[Operation]:
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    int8 = schema.TensorType.INT8
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
            inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
            output = graph.tensors[operator.outputs[0]]
            kind = _KINDS.get(name, "other")
            operands = [*inputs[:2], output] if kind != "other" else [output]
            yield Operation(
                name=name,
                kind=kind,
                dtype="int8" if all(tensor.type == int8 for tensor in operands) else "float",
                where=_layer(output.name or b""),
                fused_activation=bool(getattr(operator.builtinOptions, "fusedActivationFunction", 0)),
            )


def _layer(tensor_name: bytes) -> str:
    """``a.b.Class_stem/c.Class_conv/…;`` to ``stem/conv``."""
    path = tensor_name.decode(errors="replace").partition(";")[0].split("/")
    return "/".join(part.rpartition("_")[2] for part in path[1:] if "." in part and "_" in part) or path[-1]


def _num_partitions(content: bytes) -> int:
    with quiet_export():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        return sum(operation["op_name"] == "DELEGATE" for operation in interpreter._get_ops_details())
