"""What a model costs block by block: multiply-adds, bytes and time, as it is exported.

A block is a part of ``openautoglm.nn``, or a layer of torch that stands outside one. Forward hooks note what each block
is given while a program runs once; then every block is run again on that, alone, in turn with all others. Times are
those of eager PyTorch in float, which tell where time goes; what a phone takes, ``bench.programs`` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from openautoglm.bench.latency import Latency, measure
from openautoglm.bench.result import LatencyResult
from openautoglm.models.registry import Exportable, Program
from openautoglm.nn import LowRankAttention, SharedBlock, TransformerBlock

_WHOLE = ""


@dataclass(frozen=True)
class BlockCost:
    """One block, or a whole program.

    Attributes:
        name: path in the model.
        kind: its class.
        shape_in: of the first tensor it is given, without the batch.
        shape_out: of the first tensor it returns, without the batch.
        num_params: trained numbers; shared ones count once.
        float_kb: the same at four bytes each.
        int8_kb: in an INT8 program: a byte a weight, four each for scale and bias of an output channel, BatchNorm
            folded, shared weights once an application.
        macs: multiply-adds of a run.
        mixing_macs: of these QKᵀ and AV, which are products of two activations.
        latency_ms: of a run.
    """

    name: str
    kind: str
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    num_params: int
    float_kb: float
    int8_kb: float
    macs: int
    mixing_macs: int
    latency_ms: LatencyResult


@dataclass(frozen=True)
class ProgramCost:
    """One method of a model.

    Attributes:
        method: its name, such as ``"look"``.
        whole: all of it; more than the sum of its blocks by what stands between them.
        blocks: in the order they run; a part that runs several times in a method is one block.
    """

    method: str
    whole: BlockCost
    blocks: tuple[BlockCost, ...]


def measure_cost(model: nn.Module, *, rounds: int = 50, num_threads: int = 1) -> tuple[ProgramCost, ...]:
    """Cost of every program of a model.

    Args:
        model: says by ``programs()`` what is exported of it and at which size.
        rounds: of the timing; in each, every block and program runs in turn.
        num_threads: of PyTorch while it is timed.

    Raises:
        ValueError: the model is not one that can be exported.
    """
    programs = _programs(model)
    with torch.inference_mode():
        recorded = {method: _record(model, program) for method, program in programs.items()}
        runners = {
            f"{method} {name}": calls.replay for method, found in recorded.items() for name, calls in found.items()
        }
        with threads(num_threads):
            times = measure(runners, rounds=rounds, num_threads=num_threads)
        return tuple(
            _program_cost(method, [_cost(name, calls, times[f"{method} {name}"]) for name, calls in found.items()])
            for method, found in recorded.items()
        )


def widest_attention(model: nn.Module) -> LowRankAttention | None:
    """The attention with the widest tokens, if there is one."""
    found = (module for module in model.modules() if isinstance(module, LowRankAttention))
    return max(found, key=lambda attention: attention.dim, default=None)


@contextmanager
def threads(num_threads: int) -> Iterator[None]:
    """Give PyTorch a number of threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def macs_of(model: nn.Module) -> int:
    """Multiply-adds of one run of each of a model's programs."""
    with torch.inference_mode():
        return sum(count_macs(partial(program.module, *program.example))[0] for program in _programs(model).values())


def count_macs(run: Callable[[], object]) -> tuple[int, int]:
    """Multiply-adds of a call, and how many of them are batched products of two activations."""
    with FlopCounterMode(display=False) as counter:
        run()
    counts = counter.get_flop_counts().get("Global", {})
    return sum(counts.values()) // 2, counts.get(torch.ops.aten.bmm, 0) // 2


def _programs(model: nn.Module) -> dict[str, Program]:
    """What is exported of a model, in evaluation mode."""
    if not isinstance(model, Exportable):
        raise ValueError(f"{type(model).__name__} names no programs: register a model with a method programs()")
    return model.eval().programs()


@dataclass(frozen=True)
class _Calls:
    """A module, and of each of its calls the arguments, the keyword arguments and what was returned."""

    module: nn.Module
    calls: list[tuple[tuple[Any, ...], dict[str, Any], Any]]

    def replay(self) -> None:
        for args, kwargs, _ in self.calls:
            self.module(*args, **kwargs)


def _record(model: nn.Module, program: Program) -> dict[str, _Calls]:
    """Run a program once; the calls of its blocks by their paths, and its own under the empty one."""
    found = {_WHOLE: _Calls(program.module.eval(), [])}

    def hook(name: str) -> Callable[..., None]:
        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            found.setdefault(name, _Calls(module, [])).calls.append((args, kwargs, output))

        return note

    hooks = [block.register_forward_hook(hook(name), with_kwargs=True) for name, block in _blocks(model, "")]
    try:
        output = program.module(*program.example)
    finally:
        for handle in hooks:
            handle.remove()
    found[_WHOLE].calls.append((program.example, {}, output))
    return found


def _blocks(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """The outermost parts and layers below a module."""
    for child_name, child in module.named_children():
        path = f"{name}.{child_name}" if name else child_name
        is_part = type(child).__module__.startswith("openautoglm.nn.") and not isinstance(child, TransformerBlock)
        if is_part or not list(child.children()):
            yield path, child
        else:
            yield from _blocks(child, path)


def _program_cost(method: str, costs: Sequence[BlockCost]) -> ProgramCost:
    program, *blocks = costs
    # A model may hold parts that this method does not use.
    whole = replace(
        program,
        num_params=sum(block.num_params for block in blocks),
        float_kb=sum(block.float_kb for block in blocks),
        int8_kb=sum(block.int8_kb for block in blocks),
    )
    return ProgramCost(method=method, whole=whole, blocks=tuple(blocks))


def _cost(name: str, recorded: _Calls, latency: Latency) -> BlockCost:
    module = recorded.module
    num_params = sum(parameter.numel() for parameter in module.parameters())
    macs, mixing_macs = count_macs(recorded.replay)
    args, kwargs, output = recorded.calls[0]
    return BlockCost(
        name=name,
        kind=type(getattr(module, "branch", module)).__name__,
        shape_in=_shape((args, kwargs)),
        shape_out=_shape(output),
        num_params=num_params,
        float_kb=4 * num_params / 1e3,
        int8_kb=_int8_bytes(module) / 1e3,
        macs=macs,
        mixing_macs=mixing_macs,
        latency_ms=latency.to_result(),
    )


def _int8_bytes(module: nn.Module) -> int:
    if isinstance(module, nn.Conv2d | nn.Linear):
        return module.weight.numel() + 8 * module.weight.shape[0]
    if isinstance(module, nn.BatchNorm2d):
        return 0
    own = 4 * sum(parameter.numel() for parameter in module.parameters(recurse=False))
    applications = 1 + len(module.norms) if isinstance(module, SharedBlock) else 1
    return own + applications * sum(_int8_bytes(child) for child in module.children())


def _shape(values: Any) -> tuple[int, ...]:
    """Of the first tensor in any nesting, without the batch."""
    return tuple(next(leaf.shape[1:] for leaf in tree_leaves(values) if isinstance(leaf, Tensor)))
