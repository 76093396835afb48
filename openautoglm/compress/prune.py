"""Structured pruning: channels, heads and whole blocks leave, and a smaller dense net of the same class remains.

Step by step the candidate goes that loses least for the multiply-adds it saves: the least important channels of a
group, so many that its width stays a multiple, or a block whose groups have all reached their floor. What a group loses
is a share of its own importance, so that groups compete fairly, and counts by its square: without it, the group that
saves most would be cut to its floor before others are touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from openautoglm.compress.channels import Axis, Group, MacCount, block_paths, find_groups
from openautoglm.compress.importance import Loss, importance_of
from openautoglm.models.gesture_net import GestureNet

_FLOOR = 0.25


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """A smaller net and how it came about.

    Attributes:
        model: new; its ``arguments`` say the whole architecture.
        macs: multiply-adds of its look.
        macs_before: of the net that it was made from.
        kept: group to the channels that remain, in order; none of a block that is gone.
    """

    model: GestureNet
    macs: int
    macs_before: int
    kept: Mapping[str, tuple[int, ...]]


def prune_channels(
    model: GestureNet,
    *,
    macs_ratio: float = 0.5,
    importance: str = "magnitude",
    batches: Iterable[Loss] = (),
    multiple_of: int = 16,
) -> Pruned:
    """Make a smaller net with the most important channels' weights.

    Args:
        model: trained; not changed.
        macs_ratio: share of a look's multiply-adds that may remain.
        importance: ``"magnitude"``, ``"batch_norm"`` or ``"taylor"``.
        batches: net to its loss on a batch, for ``"taylor"``.
        multiple_of: what pruned widths are a multiple of; a group that has fewer channels stays whole.

    Raises:
        ValueError: an argument does not fit, or so little cannot be reached.
    """
    if not 0 < macs_ratio <= 1:
        raise ValueError(f"macs_ratio must lie above 0 and at most at 1, got {macs_ratio}")
    if multiple_of < 1:
        raise ValueError(f"multiple_of must be at least 1, got {multiple_of}")
    groups = find_groups(model)
    macs = MacCount(model, groups)
    before = macs({group.name: group.size for group in groups})
    matters = importance_of(model, groups, kind=importance, batches=batches)
    sizes = _shrink(groups, matters, macs, target=macs_ratio * before, multiple_of=multiple_of)
    order = {group.name: matters[group.name].argsort(descending=True, stable=True) for group in groups}
    kept = {name: order[name][:size].sort().values for name, size in sizes.items()}
    return Pruned(
        model=_build(model, groups, kept),
        macs=macs(sizes),
        macs_before=before,
        kept={name: tuple(channels.tolist()) for name, channels in kept.items()},
    )


def close_channels(model: GestureNet, kept: Mapping[str, Sequence[int]]) -> None:
    """Set what pruning would remove to zero instead: the same function in the old net, in evaluation mode.

    Args:
        model: changed in place.
        kept: group to the channels that stay, as ``Pruned`` tells.
    """
    for group in find_groups(model):
        stay = torch.zeros(group.size)
        stay[list(kept[group.name])] = 1.0
        for axis in group.norms:
            _scale_norm(model, axis.path, stay.repeat_interleave(axis.step))
        if not kept[group.name]:  # the constant that its block still adds leaves with it
            for axis in group.readers:
                _scale_norm(model, axis.path.removesuffix(".0") + ".1", torch.zeros(1))


@torch.no_grad()
def _scale_norm(model: GestureNet, path: str, factor: Tensor) -> None:
    norm = model.get_submodule(path)
    for parameter in norm.parameters():
        parameter.mul_(factor)


def _shrink(
    groups: Sequence[Group], matters: Mapping[str, Tensor], macs: MacCount, *, target: float, multiple_of: int
) -> dict[str, int]:
    """Sizes with at most ``target`` multiply-adds."""
    lost = {name: _lost_shares(values) for name, values in matters.items()}
    sizes = {group.name: group.size for group in groups}
    left = whole = macs(sizes)

    def price(candidate: dict[str, int]) -> float:
        losses = sum(lost[name][size] ** 2 - lost[name][sizes[name]] ** 2 for name, size in candidate.items())
        return losses / (left - macs({**sizes, **candidate}))

    while left > target:
        candidates = list(_candidates(groups, sizes, multiple_of))
        if not candidates:
            raise ValueError(
                f"{left / whole:.2f} of the multiply-adds remain when every group is at its floor: ask for a "
                "macs_ratio above that"
            )
        cheapest = min(candidates, key=price)
        sizes |= cheapest
        left = macs(sizes)
    return sizes


def _lost_shares(importance: Tensor) -> list[float]:
    """Share of the importance that is lost with all but the n most important channels, for every n from 0 on."""
    held = importance.double().sort(descending=True).values.cumsum(dim=0)
    shares: list[float] = (1 - held / held[-1]).tolist()
    return [1.0, *shares]


def _candidates(groups: Sequence[Group], sizes: Mapping[str, int], multiple_of: int) -> Iterator[dict[str, int]]:
    """What could go next: group to its new size."""
    thinner: dict[str, int] = {}
    for group in groups:
        step = 1 if group.name.startswith("heads") else multiple_of
        size = (sizes[group.name] - 1) // step * step
        if size >= max(step, _FLOOR * group.size):
            thinner[group.name] = size
            yield {group.name: size}
    for block in dict.fromkeys(group.block for group in groups if group.block is not None):
        inside = [group.name for group in groups if group.block == block and sizes[group.name]]
        if inside and not thinner.keys() & set(inside):
            yield dict.fromkeys(inside, 0)


def _build(model: GestureNet, groups: Sequence[Group], kept: Mapping[str, Tensor]) -> GestureNet:
    """The net of the kept channels, with their weights."""
    state = dict(model.state_dict())
    for group in groups:
        for axis in (*group.convs, *group.norms):
            for name in ("weight", "bias", "running_mean", "running_var"):
                _select(state, f"{axis.path}.{name}", 0, axis, kept[group.name])
        for axis in group.readers:
            _select(state, f"{axis.path}.weight", 1, axis, kept[group.name])
    gone = {group.block for group in groups if group.block is not None and not len(kept[group.name])}
    pruned = type(model)(**_arguments(model, groups, kept, gone))
    pruned.load_state_dict(_renamed(model, state, gone))
    return pruned.train(model.training)


def _select(state: dict[str, Tensor], name: str, dim: int, axis: Axis, kept: Tensor) -> None:
    if name in state:
        rows = (kept[:, None] * axis.step + torch.arange(axis.step)).flatten()
        state[name] = state[name].index_select(dim, rows)


def _arguments(
    model: GestureNet, groups: Sequence[Group], kept: Mapping[str, Tensor], gone: set[str]
) -> dict[str, Any]:
    """The architecture as plain data."""

    def sizes(kind: str) -> list[int]:
        found = (group for group in groups if group.name.startswith(kind) and group.block not in gone)
        return [len(kept[group.name]) for group in found]

    stages = range(1, len(model.stages))
    arguments = {
        **model.arguments,
        "dims": sizes("dims."),
        "depths": [len(set(block_paths(model, stage)) - gone) for stage in stages],
        "hidden": sizes("hidden."),
        "heads": sizes("heads."),
        "head_dim": len(kept["head_dim"]),
    }
    if "value_dim" not in arguments:
        arguments["value_dim"] = model.arguments["dims"][3] // model.arguments["num_heads"]
    return arguments


def _renamed(model: GestureNet, state: Mapping[str, Tensor], gone: set[str]) -> dict[str, Tensor]:
    """Tensors under the names of a net without the blocks that are gone."""
    names: dict[str, str | None] = {}
    for stage in range(1, len(model.stages)):
        paths = block_paths(model, stage)
        stay = [path for path in paths if path not in gone]
        names |= dict.fromkeys(paths) | {path: f"stages.{stage}.{place}" for place, path in enumerate(stay, start=1)}
    found = {}
    for name, tensor in state.items():
        block = ".".join(name.split(".")[:3])
        renamed = names.get(block, block)
        if renamed is not None:
            found[renamed + name[len(block) :]] = tensor
    return found
