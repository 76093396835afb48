"""Latency of programs, measured side by side so that a busy moment hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from openautoglm.bench.result import LatencyResult


@dataclass(frozen=True)
class Latency:
    """Time of one call.

    Attributes:
        median_ms: median over the rounds.
        q1_ms: lower quartile.
        q3_ms: upper quartile.
        rounds: measured rounds.
        num_threads: threads the program was given.
    """

    median_ms: float
    q1_ms: float
    q3_ms: float
    rounds: int
    num_threads: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for results."""
        return asdict(self)

    def each_of(self, count: int) -> Latency:
        """The mean time of one of ``count`` things that a call does."""
        return replace(self, median_ms=self.median_ms / count, q1_ms=self.q1_ms / count, q3_ms=self.q3_ms / count)

    def to_result(self) -> LatencyResult:
        """As results hold it."""
        return LatencyResult(self.median_ms, self.q1_ms, self.q3_ms, self.rounds, self.num_threads)


def measure(
    runners: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 50,
    warmup: int = 10,
    inner: int | None = None,
    num_threads: int = 1,
) -> dict[str, Latency]:
    """Time calls round by round: every runner once a round, the order turned by one each time.

    Args:
        runners: name to a call without arguments.
        rounds: measured rounds.
        warmup: rounds before, not counted.
        inner: calls a round, of which the mean counts; by default as many as take about 3 ms.
        num_threads: what the programs were given; recorded only.
    """
    if not runners:
        raise ValueError("nothing to measure: give at least one runner")
    if rounds < 1 or warmup < 0 or (inner is not None and inner < 1):
        raise ValueError(f"rounds and inner must be at least 1 and warmup 0, got {rounds}, {inner} and {warmup}")
    times_ms: dict[str, list[float]] = {name: [] for name in runners}
    repeats = {name: inner or _calls_worth_timing(call) for name, call in runners.items()}
    names = list(runners)
    for number in range(warmup + rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            elapsed_ms = _time_ms(runners[name], repeats[name])
            if number >= warmup:
                times_ms[name].append(elapsed_ms)
    return {name: _summary(times, num_threads) for name, times in times_ms.items()}


def _time_ms(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) * 1e3 / repeats


def _calls_worth_timing(call: Callable[[], object], *, target_ms: float = 3.0, limit: int = 20) -> int:
    call()
    return max(1, min(limit, round(target_ms / max(_time_ms(call, 2), 1e-3))))


def _summary(times_ms: list[float], num_threads: int) -> Latency:
    q1, median, q3 = np.percentile(times_ms, (25, 50, 75))
    return Latency(float(median), float(q1), float(q3), len(times_ms), num_threads)
