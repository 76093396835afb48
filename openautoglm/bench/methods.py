"""Trainings of one student by several methods, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from openautoglm.bench.paired import mean_difference_interval

ALONE = "no teacher"


@dataclass(frozen=True)
class MethodRow:
    """One training.

    Attributes:
        method: its name, or ``ALONE``.
        seed: of everything random.
        key: hash of all that shapes it.
        top1_dev: None until it is done.
        num_steps: of the optimizer.
        seconds: of its last session.
        top1_test: None until, and unless, it is judged.
    """

    method: str
    seed: int
    key: str
    top1_dev: float | None = None
    num_steps: int | None = None
    seconds: float | None = None
    top1_test: float | None = None


@dataclass(frozen=True)
class MethodGain:
    """What a method gains on test over no teacher, seed by seed.

    Attributes:
        chosen: name of the method.
        seeds: of both.
        alone: accuracy without a teacher, a seed each.
        distilled: accuracy with it.
        mean: of the differences.
        ci95: of that mean, None for one seed.
    """

    chosen: str
    seeds: tuple[int, ...]
    alone: tuple[float, ...]
    distilled: tuple[float, ...]
    mean: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class MethodSummary:
    """One method on dev.

    Attributes:
        method: its name.
        seeds: of its trainings.
        top1_dev: accuracy, a seed each.
        mean: of these.
        spread: their standard deviation, None for one seed.
        difference: mean of the differences to no teacher over the seeds of both; None for that one itself.
        ci95: of that mean, None for one seed.
        num_steps: of the optimizer.
    """

    method: str
    seeds: tuple[int, ...]
    top1_dev: tuple[float, ...]
    mean: float
    spread: float | None
    difference: float | None
    ci95: tuple[float, float] | None
    num_steps: int | None


def best_on_dev(summaries: Sequence[MethodSummary]) -> str:
    """The method with the best mean on dev; the earlier one of equals."""
    return max((one for one in summaries if one.method != ALONE), key=lambda one: one.mean).method


def summarize_methods(rows: Sequence[MethodRow]) -> list[MethodSummary]:
    """One summary a method, in the order of first appearance."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row.top1_dev is not None:
            found.setdefault(row.method, {})[row.seed] = row.top1_dev
    steps = {row.method: row.num_steps for row in rows}
    summaries = []
    for method, mine in found.items():
        alone = found.get(ALONE, {}) if method != ALONE else {}
        difference, ci95 = _difference(mine, alone)
        values = tuple(mine.values())
        summaries.append(
            MethodSummary(
                method=method,
                seeds=tuple(mine),
                top1_dev=values,
                mean=fmean(values),
                spread=stdev(values) if len(values) > 1 else None,
                difference=difference,
                ci95=ci95,
                num_steps=steps[method],
            )
        )
    return summaries


def gain_on_test(rows: Sequence[MethodRow], chosen: str, seeds: Sequence[int]) -> MethodGain:
    """The chosen method against no teacher; both were judged for every seed."""
    judged = {(row.method, row.seed): row.top1_test for row in rows if row.top1_test is not None}
    alone, distilled = ({seed: judged[name, seed] for seed in seeds} for name in (ALONE, chosen))
    mean, ci95 = _difference(distilled, alone)
    assert mean is not None, "there is at least one seed"
    return MethodGain(chosen, tuple(seeds), tuple(alone.values()), tuple(distilled.values()), mean, ci95)


def _difference(mine: dict[int, float], theirs: dict[int, float]) -> tuple[float | None, tuple[float, float] | None]:
    """Mean over the seeds of both, and its interval."""
    shared = [seed for seed in mine if seed in theirs]
    if not shared:
        return None, None
    found = mean_difference_interval([mine[seed] for seed in shared], [theirs[seed] for seed in shared])
    return found.mean, None if found.ci95 is None else (found.ci95.low, found.ci95.high)
