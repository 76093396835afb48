"""Which nets are worth their time: the front of accuracy over latency, and who stands where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from openautoglm.bench.paired import paired_difference_interval
from openautoglm.bench.result import Kind, LatencyResult


@dataclass(frozen=True, kw_only=True)
class FrontRow:
    """One net as an exported program, all trained and quantised alike.

    Attributes:
        net: its name; ``timm/`` leads the others'.
        is_ours: whether it is of this family.
        num_params: of the float net.
        kind: what its heavy operations compute in.
        num_int8: convolutions and linear layers in INT8.
        num_float: operations of any kind that compute in float, conversions left out.
        size_kb: of the file.
        latency_ms: of one picture.
        float_top1: share of the test pictures that its float program names right.
        top1: share that the file names right.
        is_on_front: whether no other net is as fast and more accurate, or as accurate and faster.
    """

    net: str
    is_ours: bool
    num_params: int
    kind: Kind
    num_int8: int
    num_float: int
    size_kb: float
    latency_ms: LatencyResult
    float_top1: float
    top1: float
    is_on_front: bool = False


@dataclass(frozen=True, kw_only=True)
class Match:
    """Our best net that is not slower than one of the others.

    Attributes:
        other: the other net.
        latency_ms: its median.
        ours: the most accurate of our nets within that time; None where all of ours are slower.
        difference: accuracy of ours minus that of the other, on the same pictures; None likewise.
        ci95: its 95 % interval.
    """

    other: str
    latency_ms: float
    ours: str | None = None
    difference: float | None = None
    ci95: tuple[float, float] | None = None


def find_front(latency_ms: Mapping[str, float], top1: Mapping[str, float]) -> set[str]:
    """Names of the nets that no other one dominates (Pareto): as good in one, better in the other.

    Args:
        latency_ms: name to time.
        top1: the same names to accuracy.
    """

    def beats(other: str, name: str) -> bool:
        as_good = latency_ms[other] <= latency_ms[name] and top1[other] >= top1[name]
        return as_good and (latency_ms[other] < latency_ms[name] or top1[other] > top1[name])

    return {name for name in latency_ms if not any(beats(other, name) for other in latency_ms)}


def match(rows: Sequence[FrontRow], right: Mapping[str, ArrayLike]) -> list[Match]:
    """For each net of the others, the fastest first, ours that takes no longer.

    Args:
        rows: all nets.
        right: name to whether it was right, one boolean a picture, the same pictures for all.
    """
    ours = [row for row in rows if row.is_ours]
    found = []
    for other in sorted((row for row in rows if not row.is_ours), key=lambda row: row.latency_ms.median):
        limit_ms = other.latency_ms.median
        within = [row for row in ours if row.latency_ms.median <= limit_ms]
        if not within:
            found.append(Match(other=other.net, latency_ms=limit_ms))
            continue
        best = max(within, key=lambda row: row.top1)
        paired = paired_difference_interval(right[best.net], right[other.net])
        found.append(
            Match(
                other=other.net,
                latency_ms=limit_ms,
                ours=best.net,
                difference=paired.difference,
                ci95=(paired.ci95.low, paired.ci95.high),
            )
        )
    return found
