"""Which tensors of a GestureNet share a channel axis, so that a channel leaves all of them together.

Written down here rather than traced by a library (torch-pruning follows the graph): the net is our own and regular, a
pruned one must be plain data for ``GestureNet`` again, and a group has to be called by the argument that it changes.

    dims.N      channels of a resolution: what is added up must keep the same ones, so all blocks of a stage share them
    hidden.N    of one feed-forward: out of widen, through local, into narrow
    heads.N     of one attention: a head's rows of query, key and value, and what out reads of it
    head_dim    what is averaged before the classifier
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from openautoglm.models.gesture_net import GestureNet
from openautoglm.nn import LowRankAttention, TransformerBlock


@dataclass(frozen=True)
class Axis:
    """An axis of a layer that a group's channels run along.

    Attributes:
        path: of the layer.
        step: numbers along the axis that belong to one channel; more than one where the channel is a head.
    """

    path: str
    step: int = 1


@dataclass
class Group:
    """Channels that can only leave together.

    Attributes:
        name: kind and number, see the file's head.
        size: channels, or heads.
        block: path of the residual block that is left out when all its groups are; None outside of one.
        convs: layers that make them, along axis 0 of the weight.
        norms: BatchNorms behind these, along the only axis.
        readers: layers that read them, along axis 1 of the weight.
    """

    name: str
    size: int
    block: str | None = None
    convs: list[Axis] = field(default_factory=list)
    norms: list[Axis] = field(default_factory=list)
    readers: list[Axis] = field(default_factory=list)

    def write(self, *paths: str, step: int = 1) -> None:
        """ConvNorms whose output they are."""
        self.convs += [Axis(f"{path}.0", step) for path in paths]
        self.norms += [Axis(f"{path}.1", step) for path in paths]

    def read(self, *paths: str, step: int = 1) -> None:
        """ConvNorms whose input they are."""
        self.readers += [Axis(f"{path}.0", step) for path in paths]


def find_groups(net: GestureNet) -> tuple[Group, ...]:
    """All groups of a net, in the order of its arguments."""
    dims = [Group(f"dims.{number}", size) for number, size in enumerate(net.arguments["dims"])]
    dims[0].write("stem.conv")
    dims[0].read("stages.0")
    dims[1].write("stages.0")
    inner: list[Group] = []
    for stage in range(1, len(net.stages)):
        first = f"stages.{stage}.0"
        dims[stage].read(f"{first}.widen")
        dims[stage + 1].write(f"{first}.narrow")
        inner.append(_feedforward(net, first, None))
        for path in block_paths(net, stage):
            inner += _block(net, path, dims[stage + 1])
    head = Group("head_dim", net.arguments["head_dim"])
    dims[-1].read("head")
    head.write("head")
    head.readers.append(Axis("classifier"))
    if net.glance_head is not None:
        for scale, group in enumerate(dims[-3:]):
            group.read(f"glance_head.fusion.project.{scale}")
    for number, stage in enumerate(net.exit_stages):
        dims[stage].read(f"exits.{number}.mix")
    for kind in ("hidden", "heads"):
        for number, group in enumerate(group for group in inner if group.name == kind):
            group.name = f"{kind}.{number}"
    return (*dims, *inner, head)


def block_paths(net: GestureNet, stage: int) -> list[str]:
    """Residual and transformer blocks of a stage from the second on."""
    return [f"stages.{stage}.{name}" for name, _ in list(net.stages[stage].named_children())[1:]]


def _block(net: GestureNet, path: str, dim: Group) -> list[Group]:
    """Groups inside of a block; what it reads and writes of its resolution is entered there."""
    inner, branch = [], f"{path}.branch"
    if isinstance(net.get_submodule(path), TransformerBlock):
        attention, branch = f"{path}.attention.branch", f"{path}.feedforward.branch"
        inner.append(_attention(net, attention, path))
        dim.read(*(f"{attention}.{name}" for name in ("query", "key", "value")))
        dim.write(f"{attention}.out")
    inner.append(_feedforward(net, branch, path))
    dim.read(f"{branch}.widen")
    dim.write(f"{branch}.narrow")
    return inner


def _feedforward(net: GestureNet, path: str, block: str | None) -> Group:
    group = Group("hidden", weight_of(net, f"{path}.widen.0").shape[0], block)
    group.write(f"{path}.widen", f"{path}.local")
    group.read(f"{path}.narrow")
    return group


def _attention(net: GestureNet, path: str, block: str) -> Group:
    attention = net.get_submodule(path)
    assert isinstance(attention, LowRankAttention)
    group = Group("heads", attention.num_heads, block)
    group.write(f"{path}.query", f"{path}.key", step=attention.rank)
    group.write(f"{path}.value", step=attention.value_dim)
    group.read(f"{path}.out", step=attention.value_dim)
    return group


def weight_of(net: nn.Module, path: str) -> Tensor:
    """Weight of a layer."""
    weight = net.get_submodule(path).weight
    assert isinstance(weight, Tensor)
    return weight


class MacCount:
    """Multiply-adds of a look as a function of the groups' sizes; size 0 stands for a block that is gone.

    A layer costs the positions of its output times the numbers of its weight, which are a product of sizes.

    Args:
        net: whose.
        groups: of it.
    """

    def __init__(self, net: GestureNet, groups: Sequence[Group]) -> None:
        sizes = {group.name: group.size for group in groups}
        owners: dict[str, list[str]] = {}
        for group in groups:
            for axis in (*group.convs, *group.readers):
                owners.setdefault(axis.path, []).append(group.name)
            if group.name.startswith("heads"):
                owners[group.convs[0].path.removesuffix(".query.0")] = [group.name]
        self._terms = [
            (macs // math.prod(sizes[name] for name in owners[path]), owners[path])
            for path, macs in _macs_by_layer(net).items()
        ]

    def __call__(self, sizes: Mapping[str, int]) -> int:
        """Multiply-adds with these sizes."""
        return sum(constant * math.prod(sizes[name] for name in names) for constant, names in self._terms)


def _macs_by_layer(net: GestureNet) -> dict[str, int]:
    """Multiply-adds of each layer, and of each attention's two products, seen by running a look once."""
    paths = {module: path for path, module in net.named_modules()}
    found: dict[str, int] = {}

    def note(module: nn.Module, _: Any, output: Tensor) -> None:
        positions = math.prod(output.shape[2:])
        if isinstance(module, LowRankAttention):
            seen = module.reach.num_seen(output.shape[2], output.shape[3])
            found[paths[module]] = positions * seen * module.num_heads * (module.rank + module.value_dim)
        else:
            found[paths[module]] = positions * weight_of(module, "").numel()

    layers = [module for module in paths if isinstance(module, nn.Conv2d | nn.Linear | LowRankAttention)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(*net.programs()["look"].example)
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return found
