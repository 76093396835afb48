"""Dynamic INT8: integer weights, and for each activation the range that it has in the picture at hand.

Written into the traced graph as the operations that XNNPACK recognises: its own quantizer leaves out every
convolution that a ReLU follows. Depthwise convolutions stay in float, for which it has no dynamic kernel, and so do
those that read a reshaped map, such as the last projection of an attention: ExecuTorch 1.5.1 computes these wrong.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from openautoglm.compress import graph as surgery
from openautoglm.compress.grid import channel_scales
from openautoglm.compress.inline import inline_autocast
from openautoglm.compress.pt2e import trace
from openautoglm.compress.spec import check_spec, new_spec

SCHEME = "int8_dynamic"
_LARGEST = 127
_SCALE = ".scale"
_CONVOLUTION, _LINEAR = torch.ops.aten.conv2d.default, torch.ops.aten.linear.default
_RESHAPES = (torch.ops.aten.reshape.default, torch.ops.aten.view.default, torch.ops.aten.permute.default)
_GROUPS = 6


def dynamic_state(
    model: nn.Module, example: Tensor, *, dynamic_size: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors for safetensors and plain data for ``quantization.json``.

    Args:
        model: float model; not changed.
        example: images, ``(b, 3, h, w)``.
        dynamic_size: leave height and width open.
    """
    graph = _traced(model, example, dynamic_size=dynamic_size)
    tensors, weights = {}, {}
    for node in _heavy(graph):
        name = str(node.args[1].target)
        weight = surgery.parameter(graph, node.args[1]).detach()
        scale = channel_scales(weight, axis=0, largest=_LARGEST)
        rounded = (weight / scale.reshape(-1, *[1] * (weight.dim() - 1))).round().clamp(-_LARGEST, _LARGEST)
        tensors[name], tensors[name + _SCALE] = rounded.to(torch.int8), scale
        weights[name] = {"bits": 8, "axis": 0}
    if not weights:
        raise ValueError("this model has no linear layer or convolution that can be quantised dynamically")
    for name, value in surgery.read_tensors(graph).items():
        if name not in weights:
            tensors[name] = value.detach().clone().contiguous()
    channels, height, width = example.shape[1:]
    shape = [channels, None, None] if dynamic_size else [channels, height, width]
    return tensors, new_spec(SCHEME, input=shape, weights=weights)


def dynamic_graph(model: nn.Module, tensors: dict[str, Tensor], spec: dict[str, Any]) -> GraphModule:
    """The integer program's graph; it takes its ranges from the whole batch, so give it one picture at a time.

    Args:
        model: float model of the same architecture; its weights are not used.
        tensors: of ``dynamic_state``.
        spec: of ``dynamic_state``.

    Raises:
        ValueError: they do not belong together.
    """
    check_spec(spec, SCHEME)
    channels, height, width = (size or 64 for size in spec["input"])
    graph = _traced(model, torch.zeros(2, channels, height, width), dynamic_size=spec["input"][1] is None)
    wanted = surgery.read_tensors(graph)
    for name, target in wanted.items():
        value = tensors.get(name)
        if value is None or value.shape != target.shape or (name in spec["weights"]) != (value.dtype == torch.int8):
            raise ValueError(f"these quantised weights do not belong to this model: {name} does not fit")
        if name not in spec["weights"]:
            with torch.no_grad():
                target.copy_(value)
    for node in list(_heavy(graph)):
        name = str(node.args[1].target)
        _round_weight(graph, node, tensors[name], tensors[name + _SCALE])
        _round_input(graph, node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return surgery.seal(graph)


def _traced(model: nn.Module, example: Tensor, *, dynamic_size: bool) -> GraphModule:
    """``trace`` with what the net keeps out of autocast in its place."""
    graph = trace(model, example, dynamic_size=dynamic_size)
    inline_autocast(graph)
    return graph


class OneByOne(nn.Module):
    """Runs a graph picture by picture, as a phone does: ranges of one picture must not depend on its neighbours.

    Args:
        graph: pictures ``(b, 3, h, w)`` to one tensor or a tuple of them, ``b`` first in each.
    """

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, image: Tensor) -> Any:
        """RGB in [0, 1], ``(b, 3, h, w)``, to what the graph returns, joined."""
        found = [self.graph(image[row : row + 1]) for row in range(len(image))]
        if isinstance(found[0], Tensor):
            return torch.cat(found)
        return tuple(torch.cat(parts) for parts in zip(*found, strict=True))


def _heavy(graph: GraphModule) -> Iterator[surgery.AnyNode]:
    """Linear layers and convolutions that have a dynamic kernel, each with a weight of its own."""
    for node in graph.graph.nodes:
        if node.target is _LINEAR and node.args[1].op == "get_attr":
            yield node
        if node.target is _CONVOLUTION and node.args[1].op == "get_attr":
            is_grouped = len(node.args) > _GROUPS and node.args[_GROUPS] != 1
            if not is_grouped and node.args[0].target not in _RESHAPES:
                yield node


def _round_weight(graph: GraphModule, node: surgery.AnyNode, integers: Tensor, scale: Tensor) -> None:
    """Put the integers and their dequantisation in place of a float weight."""
    name = str(node.args[1].target).replace(".", "_")
    for suffix, value in (("int8", integers), ("scale", scale), ("zero", torch.zeros_like(scale, dtype=torch.int64))):
        graph.register_buffer(f"{name}_{suffix}", value)
    with graph.graph.inserting_before(node):
        parts = [graph.graph.get_attr(f"{name}_{suffix}") for suffix in ("int8", "scale", "zero")]
        weight = graph.graph.call_function(
            torch.ops.quantized_decomposed.dequantize_per_channel.default,
            (*parts, 0, -_LARGEST, _LARGEST, torch.int8),
        )
    node.update_arg(1, weight)


def _round_input(graph: GraphModule, node: surgery.AnyNode) -> None:
    """Quantise what a layer reads by the range that it has now."""
    ops, limits = torch.ops.quantized_decomposed, (-128, _LARGEST)
    with graph.graph.inserting_before(node):
        add = graph.graph.call_function
        chosen = add(ops.choose_qparams.tensor, (node.args[0], *limits, torch.finfo(torch.float32).eps, torch.int8))
        scale, zero_point = (add(operator.getitem, (chosen, place)) for place in (0, 1))
        integers = add(ops.quantize_per_tensor.tensor, (node.args[0], scale, zero_point, *limits, torch.int8))
        floats = add(ops.dequantize_per_tensor.tensor, (integers, scale, zero_point, *limits, torch.int8))
    node.update_arg(0, floats)
