"""How much each channel of a group matters, by its weights, by BatchNorm's scale or by its share in the loss.

``magnitude``   L2 norm of all that a channel holds ("Pruning Filters for Efficient ConvNets", arXiv 1608.08710, which
                takes L1 of one layer), with BatchNorm folded in: before it, a kernel's scale means nothing.
``batch_norm``  ``|scale|`` ("Learning Efficient Convolutional Networks through Network Slimming", 1708.06519).
``taylor``      ``(Σ ∂L/∂scale · scale + ∂L/∂bias · bias)²`` over the channel's BatchNorms: the squared change of the
                loss, to first order, when they put out zero ("Importance Estimation for Neural Network Pruning",
                1906.10771, eq. 8), mean over batches.

Numbers of one group compare with each other, not with those of another group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from openautoglm.compress.channels import Axis, Group, weight_of
from openautoglm.models.gesture_net import GestureNet

IMPORTANCES = ("magnitude", "batch_norm", "taylor")

Loss = Callable[[nn.Module], Tensor]
"""A batch: the net's loss on it."""


def importance_of(
    net: GestureNet, groups: Sequence[Group], *, kind: str, batches: Iterable[Loss] = ()
) -> dict[str, Tensor]:
    """Importance of each channel, ``(size,)``, by the group's name.

    Args:
        net: trained; its gradients are used and cleared.
        groups: of it.
        kind: one of ``IMPORTANCES``.
        batches: for ``"taylor"``.

    Raises:
        ValueError: the kind is not known, or ``"taylor"`` has no batch.
    """
    if kind == "magnitude":
        return {group.name: _magnitude(net, group) for group in groups}
    if kind == "batch_norm":
        return {
            group.name: _over_norms(group, {axis.path: _norm(net, axis).weight.detach().abs() for axis in group.norms})
            for group in groups
        }
    if kind == "taylor":
        return _taylor(net, groups, batches)
    raise ValueError(f"importance must be one of {', '.join(IMPORTANCES)}, got {kind!r}")


def _magnitude(net: GestureNet, group: Group) -> Tensor:
    squares = torch.zeros(group.size)
    for axis in group.convs:
        squares += _relative(axis, reduce(_folded(net, axis.path).square(), "o i h w -> o", "sum"))
    for axis in group.readers:
        weight = _folded(net, axis.path) if axis.path.endswith(".0") else weight_of(net, axis.path)[:, :, None, None]
        squares += _relative(axis, reduce(weight.detach().square(), "o i h w -> i", "sum"))
    return squares.sqrt()


def _folded(net: GestureNet, path: str) -> Tensor:
    """Weight of a ConvNorm's convolution as a program holds it."""
    norm = net.get_submodule(path.removesuffix(".0") + ".1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    return weight_of(net, path).detach() * rearrange(scale, "o -> o 1 1 1")


def _relative(axis: Axis, numbers: Tensor) -> Tensor:
    """One number a channel, their mean 1, so that no layer drowns another."""
    per_channel = reduce(numbers, "(c s) -> c", "sum", s=axis.step)
    return per_channel / per_channel.mean().clamp(min=torch.finfo(torch.float32).tiny)


def _over_norms(group: Group, numbers: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([_relative(axis, numbers[axis.path]) for axis in group.norms]).mean(dim=0)


def _norm(net: GestureNet, axis: Axis) -> nn.BatchNorm2d:
    norm = net.get_submodule(axis.path)
    assert isinstance(norm, nn.BatchNorm2d)
    return norm


def _taylor(net: GestureNet, groups: Sequence[Group], batches: Iterable[Loss]) -> dict[str, Tensor]:
    found = {group.name: torch.zeros(group.size) for group in groups}
    num_batches, was_training = 0, net.training
    net.eval()  # the statistics stay
    for loss in batches:
        net.zero_grad()
        torch.autograd.backward(loss(net))
        num_batches += 1
        for group in groups:
            found[group.name] += torch.stack([_closed(net, axis) for axis in group.norms]).sum(dim=0).square()
    net.zero_grad()
    net.train(was_training)
    if not num_batches:
        raise ValueError("importance='taylor' needs batches: give some, or choose 'magnitude' or 'batch_norm'")
    return {name: total / num_batches for name, total in found.items()}


def _closed(net: GestureNet, axis: Axis) -> Tensor:
    """First-order change of the loss when a BatchNorm puts out zero, a number a channel."""
    norm = _norm(net, axis)
    change = torch.zeros_like(norm.weight)
    for parameter in (norm.weight, norm.bias):
        if parameter.grad is not None:
            change = change + parameter.grad * parameter.detach()
    return reduce(change, "(c s) -> c", "sum", s=axis.step)
