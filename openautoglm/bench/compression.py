"""What a way to make a net smaller saves and costs, as figures of one program beside the float one."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from openautoglm.bench.paired import paired_difference_interval
from openautoglm.bench.result import Kind, LatencyResult


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Accuracy lost on the same pictures, as fractions; below 0 it is a gain.

    Attributes:
        num_samples: pictures that both programs were asked about.
        difference: accuracy of float minus that of the smaller program.
        ci95: its 95 % interval.
    """

    num_samples: int
    difference: float
    ci95: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class CompressionRow:
    """One method.

    Attributes:
        method: its name.
        kind: what its program computes in.
        num_int8: convolutions and linear layers in INT8.
        num_float: those in float.
        artifact_kb: of the stored weights; None where these are not the program's.
        program_kb: of the exported file.
        size_ratio: bytes of the file over those of the float one.
        latency_ms: of one picture.
        latency_ratio: median over that of the float file.
        top1: share of the test pictures named right.
        cost: against float; None for float itself.
        macs: multiply-adds of a picture.
    """

    method: str
    kind: Kind
    num_int8: int
    num_float: int
    artifact_kb: float | None = None
    program_kb: float
    size_ratio: float
    latency_ms: LatencyResult
    latency_ratio: float
    top1: float
    cost: Cost | None = None
    macs: int | None = None


def cost_of(right_float: ArrayLike, right: ArrayLike) -> Cost:
    """Paired, picture by picture, with Newcombe's interval.

    Args:
        right_float: whether the float program was right, one boolean a picture.
        right: the same of the smaller one, in the same order.
    """
    found = paired_difference_interval(right_float, right)
    return Cost(num_samples=found.num_samples, difference=found.difference, ci95=(found.ci95.low, found.ci95.high))
