"""Surgery on exported graphs: BatchNorm modes and folding, and quantisers whose scales no longer move.

torchao toggles BatchNorm by matching patterns and puts default settings in place of the model's own, and folds it by
exporting about a hundred patterns (ten seconds a conversion). The nodes say all that is needed, so they are edited
directly here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from openautoglm.compress.grid import FakeQuantize, FakeQuantizeBase, GridQuantize, PictureQuantize, WeightQuantize

AnyNode = Any
"""A ``torch.fx.Node``; fx types its arguments as everything there is, so they are taken unchecked."""

_ATEN = torch.ops.aten
_CONVOLUTIONS = (_ATEN.conv1d.default, _ATEN.conv2d.default)
_BATCH_NORM = _ATEN.batch_norm.default
_DROPOUT = (_ATEN.dropout.default, _ATEN.dropout_.default)
_TRAINING, _MOMENTUM, _EPS = 5, 6, 7


@dataclass(frozen=True)
class _Pair:
    """A BatchNorm and the convolution that feeds it."""

    batch_norm: AnyNode
    convolution: AnyNode
    weight: AnyNode
    bias: AnyNode | None


def unlock(graph: GraphModule) -> GraphModule:
    """Take away the train() and eval() of exported graphs, which raise."""
    for name in ("train", "eval"):
        graph.__dict__.pop(name, None)
    return graph


def seal(graph: GraphModule) -> GraphModule:
    """A graph that will only compute: in evaluation mode, without gradients."""
    graph.requires_grad_(False)
    for module in graph.modules():
        module.training = False
    return graph


def quantizer_nodes(graph: GraphModule) -> Iterator[tuple[AnyNode, FakeQuantizeBase]]:
    """Calls of quantisers, in the order of the graph."""
    for node in graph.graph.nodes:
        if node.op == "call_module":
            module = graph.get_submodule(node.target)
            if isinstance(module, FakeQuantizeBase):
                yield node, module


def has_range(module: FakeQuantizeBase) -> bool:
    """Whether a quantiser has seen anything, or needs not to."""
    if not isinstance(module, FakeQuantize):
        return True
    smallest = module.activation_post_process.min_val
    return smallest.numel() > 0 and bool(torch.isfinite(smallest).all())


def parameter(graph: GraphModule, node: AnyNode) -> Tensor:
    """The tensor behind a get_attr node."""
    path, _, name = str(node.target).rpartition(".")
    value = getattr(graph.get_submodule(path), name)
    assert isinstance(value, Tensor)
    return value


def float_layers(graph: GraphModule) -> list[str]:
    """Names of the convolutions and linear layers whose weights are not rounded."""
    heavy = (*_CONVOLUTIONS, _ATEN.linear.default)
    weights = [node.args[1] for node in graph.graph.nodes if node.target in heavy]
    return [str(weight.target).removesuffix(".weight") for weight in weights if weight.op == "get_attr"]


def read_tensors(graph: GraphModule) -> dict[str, Tensor]:
    """Every parameter and buffer that the graph reads, by name."""
    nodes = {str(node.target): node for node in graph.graph.nodes if node.op == "get_attr" and node.users}
    return {name: parameter(graph, node) for name, node in nodes.items()}


def batch_norm_settings(graph: GraphModule) -> dict[str, tuple[float, float]]:
    """Momentum and epsilon by the name of the running mean."""
    return {str(n.args[3].target): (n.args[_MOMENTUM], n.args[_EPS]) for n in _batch_norms(graph)}


def restore_batch_norm_settings(graph: GraphModule, settings: dict[str, tuple[float, float]]) -> None:
    """Undo what preparation does to momentum and epsilon, and drop its counters of batches."""
    for node in _batch_norms(graph):
        _set_argument(node, _MOMENTUM, settings[str(node.args[3].target)][0])
        _set_argument(node, _EPS, settings[str(node.args[3].target)][1])
    for node in list(graph.graph.nodes):
        if node.target is _ATEN.add_.Tensor and not node.users and str(node.args[0]).endswith("num_batches_tracked"):
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def set_training(graph: GraphModule, training: bool) -> None:
    """BatchNorm by the statistics of the batch, or by the running ones."""
    _set_flag(graph, (_BATCH_NORM,), _TRAINING, training)


def set_dropout(graph: GraphModule, active: bool) -> None:
    """Dropout on or off, its probability untouched."""
    _set_flag(graph, _DROPOUT, 2, active)


def follow_weights(graph: GraphModule) -> None:
    """Quantise weights by ``WeightQuantize``."""
    for node, module in list(quantizer_nodes(graph)):
        if isinstance(module, FakeQuantize) and module.is_per_channel:
            num_channels = _weight_of(graph, node).shape[module.ch_axis]
            _replace(graph, node, WeightQuantize(module, num_channels))


def fix_picture(graph: GraphModule) -> None:
    """Quantise the input by ``PictureQuantize``, unless its grid is that of something else too."""
    quantizers = list(quantizer_nodes(graph))
    shared = Counter(id(module) for _, module in quantizers)
    for node, module in quantizers:
        if node.args[0].op == "placeholder" and isinstance(module, FakeQuantize) and shared[id(module)] == 1:
            _replace(graph, node, PictureQuantize(module))


def part_shared_weights(graph: GraphModule) -> None:
    """Give each further convolution of a shared weight a copy of it: another BatchNorm folds in, another scale fits."""
    seen: Counter[str] = Counter()
    for node in list(graph.graph.nodes):
        if not _calls(node, *_CONVOLUTIONS) or node.args[1].op != "get_attr":
            continue
        weight = node.args[1]
        name = str(weight.target)
        if seen[name]:
            path, _, leaf = name.rpartition(".")
            leaf = f"{leaf}_{seen[name]}"
            setattr(graph.get_submodule(path), leaf, nn.Parameter(parameter(graph, weight).detach().clone()))
            with graph.graph.inserting_after(weight):
                copied = graph.graph.get_attr(f"{path}.{leaf}" if path else leaf)
            copied.meta.update(weight.meta)
            _set_argument(node, 1, copied)
        seen[name] += 1
    graph.recompile()


def fold_batch_norms(graph: GraphModule) -> None:
    """Move every BatchNorm that follows a convolution into its weight and bias, running statistics in use."""
    for node in list(_batch_norms(graph)):
        pair = _find_pair(node)
        if pair is not None:
            _fold(graph, pair)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def measure_weights(graph: GraphModule) -> None:
    """Set the scale of every quantiser of a weight by that weight."""
    for node, module in quantizer_nodes(graph):
        if isinstance(module, WeightQuantize):
            module.measure(_weight_of(graph, node))


def drop_weight_quantizers(graph: GraphModule, names: Sequence[str]) -> None:
    """Take the rounding away from weights.

    Args:
        graph: prepared, BatchNorm folded.
        names: of the parameters.
    """
    found = {str(node.args[0].target): node for node, _ in quantizer_nodes(graph) if node.args[0].op == "get_attr"}
    if strange := sorted(set(names) - found.keys()):
        raise ValueError(f"the model rounds no weight called {', '.join(strange)}; it has {', '.join(found)}")
    for name in names:
        found[name].replace_all_uses_with(found[name].args[0])
        graph.graph.erase_node(found[name])
    graph.delete_all_unused_submodules()
    graph.recompile()


def fix_scales(graph: GraphModule) -> None:
    """Put quantisers with the learnt scales in place of those that learn; shared ones stay shared."""
    fixed: dict[int, GridQuantize] = {}
    for node, module in list(quantizer_nodes(graph)):
        if isinstance(module, FakeQuantize):
            if id(module) not in fixed:
                fixed[id(module)] = GridQuantize(module)
            _replace(graph, node, fixed[id(module)])


def _replace(graph: GraphModule, node: AnyNode, module: nn.Module) -> None:
    path, _, name = str(node.target).rpartition(".")
    setattr(graph.get_submodule(path), name, module)


def _weight_of(graph: GraphModule, node: AnyNode) -> Tensor:
    """The parameter that a quantiser rounds, behind the factor of a BatchNorm if there is one."""
    while node.op != "get_attr":
        node = node.args[0]
    return parameter(graph, node)


def _batch_norms(graph: GraphModule) -> Iterator[AnyNode]:
    return (node for node in graph.graph.nodes if node.target is _BATCH_NORM)


def _set_flag(graph: GraphModule, targets: tuple[object, ...], position: int, value: bool) -> None:
    stale = [n for n in graph.graph.nodes if n.target in targets and n.args[position] != value]
    for node in stale:
        _set_argument(node, position, value)
    if stale:
        graph.recompile()


def _set_argument(node: AnyNode, position: int, value: object) -> None:
    arguments = list(node.args)
    arguments[position] = value
    node.args = tuple(arguments)


def _find_pair(batch_norm: AnyNode) -> _Pair | None:
    """Plain: conv. Prepared for QAT: conv with the scaled weight, divided by the scale, plus its bias."""
    source = batch_norm.args[0]
    bias: AnyNode | None = None
    if _calls(source, _ATEN.add.Tensor) and _calls(source.args[1], _ATEN.reshape.default, _ATEN.view.default):
        bias, source = source.args[1].args[0], source.args[0]
    prepared = _calls(source, _ATEN.div.Tensor)
    if prepared:
        source = source.args[0]
    if not _calls(source, *_CONVOLUTIONS) or len(source.users) != 1:
        return None
    weight = source.args[1]
    if prepared:
        while weight.op != "get_attr":
            weight = weight.args[0]
    elif len(source.args) > 2:
        bias = source.args[2]
    return _Pair(batch_norm, source, weight, bias) if weight.op == "get_attr" else None


def _calls(node: AnyNode, *targets: object) -> bool:
    return isinstance(node, Node) and node.op == "call_function" and node.target in targets


def _fold(graph: GraphModule, pair: _Pair) -> None:
    """Fold: w' = w g / sqrt(v + eps),  b' = (b - m) g / sqrt(v + eps) + beta."""
    gamma, beta, mean, variance = (parameter(graph, node) for node in pair.batch_norm.args[1:5])
    weight = parameter(graph, pair.weight)
    path, _, leaf = str(pair.weight.target).rpartition(".")
    leaf = leaf.replace("weight", "bias", 1)
    name = f"{path}.{leaf}" if path else leaf
    with torch.no_grad():
        factor = gamma * torch.rsqrt(variance + pair.batch_norm.args[_EPS])
        old = parameter(graph, pair.bias) if pair.bias is not None else torch.zeros_like(mean)
        weight.mul_(factor.reshape(-1, *[1] * (weight.dim() - 1)))
        bias = nn.Parameter((old - mean) * factor + beta)
    setattr(graph.get_submodule(path), leaf, bias)
    quantized = pair.convolution.args[1]
    if quantized is not pair.weight:
        quantized.args = (pair.weight, *quantized.args[1:])
    with graph.graph.inserting_before(pair.convolution):
        node = graph.graph.get_attr(name)
    node.meta.update(pair.batch_norm.args[2].meta)
    pair.convolution.args = (pair.convolution.args[0], quantized, node, *pair.convolution.args[3:])
    pair.batch_norm.replace_all_uses_with(pair.convolution)
    graph.graph.erase_node(pair.batch_norm)
