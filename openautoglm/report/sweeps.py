"""The table of a sweep: mean and spread of each variant, and its paired difference to the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rich.markup import escape
from rich.table import Table

from openautoglm.bench.paired import MeanDifference, mean_difference_interval
from openautoglm.bench.result import Results
from openautoglm.report import numbers

HEADINGS = ("variant", "seeds", "top-1 %", "spread", "difference to first (95 % interval)", "KB", "ms")


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Attributes:
        variant: what tells it from the others, without the seed, such as ``"recipe=kd"``.
        seed: its seed.
        top1: of the model the run ends with, as a fraction; None if it failed.
        size_kb: of the same model.
        latency_ms: median of the same model.
    """

    variant: str
    seed: int
    top1: float | None
    size_kb: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True)
class SweepSummary:
    """One variant over its seeds.

    Attributes:
        spread: standard deviation over the seeds; None for one seed.
        difference: to the first variant over the seeds both ran; None for the first variant itself.
    """

    variant: str
    seeds: tuple[int, ...]
    num_failed: int
    mean: float | None
    spread: float | None
    size_kb: float | None
    latency_ms: float | None
    difference: MeanDifference | None


def sweep_row(results: Results, *, variant: str) -> SweepRow:
    """The row of a finished run: the model its headline speaks of."""
    model = numbers.primary(results)
    seed = results.seed or 0
    if model is None:
        return SweepRow(variant, seed, None)
    latency_ms = model.latency_ms.median if model.latency_ms else None
    return SweepRow(variant, seed, model.top1, model.size_kb, latency_ms)


def summarize_sweep(rows: Sequence[SweepRow]) -> list[SweepSummary]:
    """One summary a variant, in the order of first appearance; the first variant is the reference."""
    by_variant: dict[str, dict[int, SweepRow]] = {}
    for row in rows:
        seeds = by_variant.setdefault(row.variant, {})
        if row.seed in seeds:
            raise ValueError(f"seed {row.seed} of {row.variant!r} came twice: name the variants apart")
        seeds[row.seed] = row
    reference: dict[int, SweepRow] = next(iter(by_variant.values()), {})
    return [_summary(variant, seeds, reference) for variant, seeds in by_variant.items()]


def sweep_table(rows: Sequence[SweepRow]) -> Table:
    """Mean, spread and paired differences; differences only between runs of the same seed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(HEADINGS[0], overflow="fold", ratio=1)
    for heading in HEADINGS[1:]:
        table.add_column(heading.replace(" (", "\n("), justify="right", no_wrap=True)
    for summary in summarize_sweep(rows):
        table.add_row(escape(summary.variant), *_cells(summary))
    return table


def sweep_markdown(rows: Sequence[SweepRow]) -> str:
    """The same table in Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
    for summary in summarize_sweep(rows):
        lines.append("| " + " | ".join([summary.variant.replace("|", "\\|"), *_cells(summary)]) + " |")
    return "\n".join(lines) + "\n"


def _summary(variant: str, seeds: dict[int, SweepRow], reference: dict[int, SweepRow]) -> SweepSummary:
    done = {seed: row.top1 for seed, row in sorted(seeds.items()) if row.top1 is not None}
    values = list(done.values())
    first = {seed: row.top1 for seed, row in reference.items() if row.top1 is not None}
    shared = [seed for seed in done if seed in first] if seeds is not reference else []
    difference = mean_difference_interval([done[s] for s in shared], [first[s] for s in shared]) if shared else None
    return SweepSummary(
        variant=variant,
        seeds=tuple(done),
        num_failed=len(seeds) - len(done),
        mean=fmean(values) if values else None,
        spread=stdev(values) if len(values) > 1 else None,
        size_kb=_mean([row.size_kb for row in seeds.values()]),
        latency_ms=_mean([row.latency_ms for row in seeds.values()]),
        difference=difference,
    )


def _cells(summary: SweepSummary) -> list[str]:
    num_runs = len(summary.seeds) + summary.num_failed
    return [
        f"{len(summary.seeds)} of {num_runs}" if summary.num_failed else f"{num_runs}",
        numbers.percent(summary.mean, 2, unit=False),
        numbers.MISSING if summary.spread is None else f"{100 * summary.spread:.2f}",
        _difference(summary.difference),
        numbers.MISSING if summary.size_kb is None else f"{summary.size_kb:,.0f}",
        numbers.milliseconds(summary.latency_ms, unit=False),
    ]


def _difference(difference: MeanDifference | None) -> str:
    if difference is None:
        return numbers.MISSING
    mean = numbers.points(difference.mean, 2)
    if difference.ci95 is None:
        return f"{mean} (one seed)"
    return f"{mean} [{numbers.points(difference.ci95.low, 2)}, {numbers.points(difference.ci95.high, 2)}]"


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
