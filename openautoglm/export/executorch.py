"""ExecuTorch: ``.pte`` with everything it can take inside XNNPACK."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from openautoglm.export.backend import (
    OUTPUT,
    ExportedInput,
    check_programs,
    quiet_export,
    tensor_input,
    tensor_output,
    write_whole,
    xnnpack_quantizer,
)
from openautoglm.export.census import Census, Kind, Operation, count

_KINDS: dict[str, Kind] = {
    "XNNConv2d": "convolution",
    "XNNDepthwiseConv2d": "convolution",
    "XNNConvTranspose2d": "convolution",
    "XNNFullyConnected": "linear",
    "XNNBatchMatrixMultiply": "matmul",
}
_PORTABLE_KINDS: dict[str, Kind] = {
    "aten::convolution": "convolution",
    "aten::addmm": "linear",
    "aten::linear": "linear",
    "aten::mm": "linear",
    "aten::bmm": "matmul",
}
# qdint8 is an activation whose range is taken at run time
_INT8 = ("xnn_datatype_qint8", "xnn_datatype_qcint8", "xnn_datatype_quint8", "xnn_datatype_qdint8")


class ExecuTorchBackend:
    """The ExecuTorch target."""

    name = "executorch"
    suffix = "pte"
    fold_quantize = True

    def quantizer(self) -> Any:
        """XNNPACK's."""
        return xnnpack_quantizer()

    def export(self, programs: Mapping[str, ExportedInput], path: Path, *, quantized: bool) -> dict[str, Path]:  # noqa: ARG002
        """Write all methods into one ``.pte``; ``quantized`` changes nothing, the graph says it."""
        check_programs(programs)
        with quiet_export():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            exported = {
                name: torch.export.export(program.module, program.example) for name, program in programs.items()
            }
            edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            content = bytes(edge.to_executorch().buffer)
        write_whole(path, content)
        return dict.fromkeys(programs, path)

    def beside(self, path: Path) -> tuple[Path, ...]:  # noqa: ARG002
        """None: the file holds its weights."""
        return ()

    def census(self, path: Path) -> Census:
        """Operations inside and outside XNNPACK, from the file's own flatbuffers."""
        operations: list[Operation] = []
        num_partitions = 0
        program = _read(path)
        for plan in program.execution_plan:
            for delegate in plan.delegates:
                num_partitions += 1
                payload = bytes(program.backend_delegate_data[delegate.processed.index].data)
                operations += _delegated(_graph_of(payload))
            for chain in plan.chains:
                operations += _portable(chain.instructions, plan.operators)
        return count(operations, num_partitions=num_partitions)

    def describe(self, path: Path, outputs: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
        """Inputs and outputs of each method; the file knows its outputs by their order only."""
        methods = {}
        for plan in _read(path).execution_plan:
            given = plan.values[plan.inputs[0]].val
            returned = [plan.values[index].val for index in plan.outputs]
            names = (outputs or {}).get(plan.name, (OUTPUT,))
            methods[plan.name] = {
                "inputs": [tensor_input(shape=tuple(given.sizes), dtype=_dtype(given))],
                "outputs": [
                    tensor_output(name=name, shape=tuple(tensor.sizes), dtype=_dtype(tensor))
                    for name, tensor in zip(names, returned, strict=True)
                ],
            }
        return methods


def _read(path: Path) -> Any:
    with quiet_export():
        from executorch.exir._serialize._program import deserialize_pte_binary

        content = path.read_bytes()
        if content[4:8] != b"ET12":
            raise ValueError(f"{path} is not an ExecuTorch program: export it again")
        return deserialize_pte_binary(content).program


def _dtype(tensor: Any) -> str:
    return {"FLOAT": "float32", "CHAR": "int8", "BYTE": "uint8"}.get(
        tensor.scalar_type.name, str(tensor.scalar_type.name).lower()
    )


def _graph_of(payload: bytes) -> dict[str, Any]:
    """XNNPACK's part of the file: a header, then a flatbuffer, then constants."""
    from executorch.backends.xnnpack import serialization
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    assert payload[4:8] == b"XH00", "XNNPACK's payload has a new header"
    start = int.from_bytes(payload[10:14], "little")
    size = int.from_bytes(payload[14:18], "little")
    with tempfile.TemporaryDirectory() as folder:
        schema, binary = Path(folder, "schema.fbs"), Path(folder, "graph.bin")
        schema.write_bytes(resources.files(serialization).joinpath("schema.fbs").read_bytes())
        binary.write_bytes(payload[start : start + size])
        _flatc_decompile(folder, str(schema), str(binary), ["--raw-binary"])
        text = Path(folder, "graph.json").read_text()
    graph: dict[str, Any] = json.loads(text.replace(": inf", ": 1e999").replace(": -inf", ": -1e999"))
    return graph


def _delegated(graph: dict[str, Any]) -> Iterator[Operation]:
    values = {}
    for value in graph["xvalues"]:
        union = value["xvalue_union"]
        tensor = union.get("tensor_value", union)
        values[tensor["id_out"]] = tensor
    for number, node in enumerate(graph["xnodes"]):
        name, fields = str(node["xnode_union_type"]), node["xnode_union"]
        name = name.removeprefix("_")
        kind = _KINDS.get(name, "other")
        inputs = [fields[key] for key in ("input_id", "input1_id", "input2_id", "filter_id") if key in fields]
        if kind == "other":
            inputs = inputs[:1] if name != "XNNConvert" else [fields["output_id"]]
        quantized = all(values[index]["datatype"] in _INT8 for index in inputs)
        limits = {"output_min": -math.inf, "output_max": math.inf} | (node.get("output_min_max") or {})
        fused = limits["output_min"] > -math.inf or limits["output_max"] < math.inf
        shape = "x".join(str(size) for size in values[fields["output_id"]].get("dims", []))
        yield Operation(
            name=name.removeprefix("XNN"),
            kind=kind,
            dtype="int8" if quantized else "float",
            where=f"#{number} -> {shape}",
            fused_activation=fused and name != "XNNClamp",
        )


def _portable(instructions: Any, operators: Any) -> Iterator[Operation]:
    for number, instruction in enumerate(instructions):
        index = getattr(instruction.instr_args, "op_index", None)
        if index is None:
            continue
        name = operators[index].name
        yield Operation(
            name=name, kind=_PORTABLE_KINDS.get(name, "other"), dtype="float", where=f"#{number}", delegated=False
        )
