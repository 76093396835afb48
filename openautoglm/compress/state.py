"""A quantised model as tensors and plain data, and back, so that both compute the same logits bit for bit.

Weights are stored as the integers they are, with one scale a channel; biases and what else stays float are stored as
they are; ranges of activations are numbers in the plain data.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from openautoglm.compress import graph as surgery
from openautoglm.compress.grid import GridQuantize
from openautoglm.compress.pt2e import QATModel, prepare_qat, settle
from openautoglm.compress.spec import check_spec, new_spec

SCHEME = "int8"
_SCALE, _ZERO_POINT = ".scale", ".zero_point"


def quantized_state(qat: QATModel) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors for safetensors and plain data for ``quantization.json``."""
    graph = settle(qat)
    tensors: dict[str, Tensor] = {}
    weights: dict[str, dict[str, Any]] = {}
    activations: dict[str, dict[str, Any]] = {}
    for node, module in surgery.quantizer_nodes(graph):
        assert isinstance(module, GridQuantize)
        source = node.args[0]
        if source.op == "get_attr":
            name = str(source.target)
            tensors[name] = module.integers(surgery.parameter(graph, source))
            tensors[name + _SCALE] = module.scale
            tensors[name + _ZERO_POINT] = module.zero_point
            weights[name] = {"bits": 8, "axis": module.ch_axis if module.is_per_channel else None}
        else:
            activations[str(node.target)] = {
                "of": _operation(source),
                "scale": float(module.scale),
                "zero_point": int(module.zero_point),
            }
    tensors |= {name: value.detach() for name, value in surgery.read_tensors(graph).items() if name not in weights}
    shape = _example_shape(graph)
    spec = new_spec(SCHEME, input=shape, weights=weights, activations=activations)
    if layers := surgery.float_layers(graph):
        spec["float_layers"] = layers
    return {name: tensor.clone().contiguous().cpu() for name, tensor in tensors.items()}, spec


def load_quantized(model: nn.Module, tensors: dict[str, Tensor], spec: dict[str, Any], quantizer: Any) -> QATModel:
    """A frozen ``QATModel`` whose ``convert`` equals that of the model that was saved.

    Args:
        model: float model built from the artifact's configuration; its weights are not used.
        tensors: of ``quantized_state``.
        spec: of ``quantized_state``.
        quantizer: of the same kind as was used for training.
    """
    check_spec(spec, SCHEME)
    channels, height, width = (size or 64 for size in spec["input"])
    dynamic_size = spec["input"][1] is None
    example = torch.zeros(2, channels, height, width)
    prepared = prepare_qat(model, example, quantizer, dynamic_size=dynamic_size, batch_norm="fold")
    graph = settle(prepared)
    surgery.drop_weight_quantizers(graph, [f"{layer}.weight" for layer in spec.get("float_layers", ())])
    _load_quantizers(graph, tensors, spec)
    for name, value in surgery.read_tensors(graph).items():
        if name not in spec["weights"]:
            _copy(value, _take(tensors, name), name)
    return QATModel(graph, frozen=True).eval()


def _load_quantizers(graph: GraphModule, tensors: dict[str, Tensor], spec: dict[str, Any]) -> None:
    activations = dict(spec["activations"])
    for node, module in surgery.quantizer_nodes(graph):
        assert isinstance(module, GridQuantize)
        source = node.args[0]
        if source.op == "get_attr":
            name = str(source.target)
            module.scale = _take(tensors, name + _SCALE).clone()
            module.zero_point = _take(tensors, name + _ZERO_POINT).clone()
            _copy(surgery.parameter(graph, source), module.floats(_take(tensors, name)), name)
            continue
        stored = activations.pop(str(node.target), None)
        if stored is None or stored["of"] != _operation(source):
            raise _mismatch(f"no range for {node.target}, the output of {_operation(source)}")
        module.scale = torch.tensor([stored["scale"]])
        module.zero_point = torch.tensor([stored["zero_point"]], dtype=torch.int32)
    if activations:
        raise _mismatch(f"a range for {next(iter(activations))} that the model has no place for")


def _operation(node: surgery.AnyNode) -> str:
    """What computes a value: the same word however the nodes around it are numbered."""
    return str(node.op) if node.op == "placeholder" else str(node.target).removeprefix("aten.").partition(".")[0]


def _example_shape(graph: GraphModule) -> list[int | None]:
    """Channels, height and width of the input; None where they are open."""
    image = next(node for node in graph.graph.nodes if node.op == "placeholder")
    return [size if isinstance(size, int) else None for size in image.meta["val"].shape[1:]]


def _take(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise _mismatch(f"no tensor {name}")
    return tensors[name]


def _copy(target: Tensor, value: Tensor, name: str) -> None:
    if target.shape != value.shape or target.dtype != value.dtype:
        raise _mismatch(
            f"{name} as {value.dtype} of shape {tuple(value.shape)} where the model has {target.dtype} of shape "
            f"{tuple(target.shape)}"
        )
    with torch.no_grad():
        target.copy_(value)


def _mismatch(found: str) -> ValueError:
    return ValueError(f"these quantised weights do not belong to this model: they have {found}")
