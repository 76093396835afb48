"""From which token count on does QKᵀ take over: attention that sees everything, windows, or sparse blocks.

With n tokens of width d and m heads of rank r, the four projections cost ``2 n d (m r + d)`` multiply-adds, QKᵀ and AV
``n · seen · (m r + d)``. The second is the larger where a token sees more than 2 d tokens, whatever r and m: for
attention over all positions from n = 2 d on, and inside windows or sparse blocks either always or never. The curve
measures both in eager PyTorch, where a multiply-add of a batched product need not take as long as one of a convolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from openautoglm.bench.cost import count_macs, threads
from openautoglm.bench.latency import measure
from openautoglm.bench.result import LatencyResult
from openautoglm.nn import Everywhere, LowRankAttention, Reach, SparseBlocks, Windows
from openautoglm.nn.attention import attend

REACHES: dict[str, Reach] = {
    "full": Everywhere(),
    "local": Windows(window=6),
    "block-sparse": SparseBlocks(block=3),
}
"""What is compared; the sides of the maps below are multiples of both squares."""
SIDES = (6, 12, 18, 24, 36, 48)
_PROJECTIONS = "projections"


@dataclass(frozen=True)
class ReachPoint:
    """Attention of one reach on one map.

    Attributes:
        reach: ``"full"``, ``"local"`` or ``"block-sparse"``.
        side: of the square map, in positions.
        num_tokens: positions.
        num_seen: positions that each of them sees.
        projection_macs: of queries, keys, values and output.
        mixing_macs: of QKᵀ and AV.
        projection_ms: time of the projections.
        mixing_ms: time of all else: cutting, gathering, QKᵀ, softmax, AV, joining.
    """

    reach: str
    side: int
    num_tokens: int
    num_seen: int
    projection_macs: int
    mixing_macs: int
    projection_ms: LatencyResult
    mixing_ms: LatencyResult


@dataclass(frozen=True)
class Takeover:
    """The curve for one attention's widths.

    Attributes:
        dim: width d of a token.
        num_heads: heads m.
        rank: rank r of a head.
        seen_to_take_over: tokens seen beyond which QKᵀ and AV have more multiply-adds than the projections.
        measured_num_tokens: by reach the token count from which on they take more time, between the measured sizes by
            interpolation; None where they do not on the largest map.
        points: by reach, then by size.
    """

    dim: int
    num_heads: int
    rank: int
    seen_to_take_over: int
    measured_num_tokens: dict[str, float | None]
    points: tuple[ReachPoint, ...]


def measure_takeover(
    attention: LowRankAttention, *, sides: Sequence[int] = SIDES, rounds: int = 50, num_threads: int = 1
) -> Takeover:
    """Measure the projections and the mixing of an attention's widths over growing maps, all in turn.

    Args:
        attention: gives widths and projections; its own reach is left aside.
        sides: of the square maps in positions; a reach that cannot cut a map is left out there.
        rounds: of the timing.
        num_threads: of PyTorch while it is timed.
    """
    attention.eval()
    with torch.inference_mode(), threads(num_threads):
        runners = _runners(attention, sides)
        times = measure(runners, rounds=rounds, num_threads=num_threads)
        points = tuple(
            ReachPoint(
                reach=name,
                side=side,
                num_tokens=side**2,
                num_seen=reach.num_seen(side, side),
                projection_macs=count_macs(runners[_key(_PROJECTIONS, side)])[0],
                mixing_macs=count_macs(runners[_key(name, side)])[1],
                projection_ms=times[_key(_PROJECTIONS, side)].to_result(),
                mixing_ms=times[_key(name, side)].to_result(),
            )
            for name, reach in REACHES.items()
            for side in sides
            if _key(name, side) in runners
        )
    return Takeover(
        dim=attention.dim,
        num_heads=attention.num_heads,
        rank=attention.rank,
        seen_to_take_over=2 * attention.dim,
        measured_num_tokens={name: crossing([p for p in points if p.reach == name]) for name in REACHES},
        points=points,
    )


def crossing(points: Sequence[ReachPoint]) -> float | None:
    """Token count from which on the mixing takes more time than the projections, on a straight line in logarithms.

    Args:
        points: of one reach, by size; at the last of them the mixing takes more, or the answer is None.
    """
    ratios = [math.log(point.mixing_ms.median / point.projection_ms.median) for point in points]
    below = max((at for at, ratio in enumerate(ratios) if ratio < 0), default=None)
    if below is None:
        return float(points[0].num_tokens) if points else None
    if below == len(points) - 1:
        return None
    low, high = (math.log(points[at].num_tokens) for at in (below, below + 1))
    return math.exp(low + (high - low) * -ratios[below] / (ratios[below + 1] - ratios[below]))


def _runners(attention: LowRankAttention, sides: Sequence[int]) -> dict[str, Callable[[], object]]:
    """The projections on each map, and the mixing of each reach on those that it can cut."""
    runners: dict[str, Callable[[], object]] = {}
    for side in sides:
        x = torch.rand(1, attention.dim, side, side)
        runners[_key(_PROJECTIONS, side)] = partial(_project, attention, x)
        for name, reach in REACHES.items():
            if _fits(reach, side):
                runners[_key(name, side)] = partial(_mix, reach, *_project(attention, x)[:3], attention.num_heads)
    return runners


def _key(name: str, side: int) -> str:
    return f"{name} {side}"


def _fits(reach: Reach, side: int) -> bool:
    try:
        reach.num_seen(side, side)
    except ValueError:
        return False
    return True


def _project(attention: LowRankAttention, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Query, key and value; the output's projection is of the same cost whatever it is given."""
    return attention.query(x), attention.key(x), attention.value(x), attention.out(x)


def _mix(reach: Reach, query: Tensor, key: Tensor, value: Tensor, num_heads: int) -> Tensor:
    tokens = attend(reach.queries(query, num_heads), reach.keys(key, num_heads), reach.values(value, num_heads))
    return reach.join(tokens, value, num_heads)
