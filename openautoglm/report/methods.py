"""The table and the picture of a comparison of methods: every seed, mean, and the paired difference to no teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from openautoglm.bench.methods import ALONE, MethodGain, MethodSummary
from openautoglm.report import numbers
from openautoglm.report.light import LIGHT, light_style

_HEADINGS = ("method", "seeds", "steps", "dev top-1 %", "spread", "to no teacher (95 % interval)")


def methods_markdown(summaries: Sequence[MethodSummary], gain: MethodGain) -> str:
    """The table in Markdown, and a sentence on test.

    Args:
        summaries: of all methods on dev.
        gain: of the chosen one on test.
    """
    lines = ["| " + " | ".join(_HEADINGS) + " |", "|---|" + "---:|" * (len(_HEADINGS) - 1)]
    for one in summaries:
        cells = (
            one.method,
            str(len(one.seeds)),
            numbers.count(one.num_steps),
            numbers.percent(one.mean, 2, unit=False),
            numbers.MISSING if one.spread is None else f"{100 * one.spread:.2f}",
            _difference(one.difference, one.ci95),
        )
        lines.append("| " + " | ".join(cells) + " |")
    means = [numbers.percent(sum(values) / len(values), 2) for values in (gain.distilled, gain.alone)]
    return (
        "\n".join(lines)
        + f"\n\nOn test, {len(gain.seeds)} seeds: {gain.chosen} {means[0]}, {ALONE} {means[1]}, "
        + f"gain {_difference(gain.mean, gain.ci95)} points.\n"
    )


def gains_markdown(gains: Mapping[str, MethodGain]) -> str:
    """The gain of one method on several data sets, in Markdown.

    Args:
        gains: what was trained and judged on, to its gain.
    """
    lines = [
        "| data | method | seeds | no teacher % | with % | gain, points (95 % interval) |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for data, gain in gains.items():
        means = [numbers.percent(sum(values) / len(values), unit=False) for values in (gain.alone, gain.distilled)]
        cells = (data, gain.chosen, str(len(gain.seeds)), *means, _difference(gain.mean, gain.ci95))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw_methods(summaries: Sequence[MethodSummary], gain: MethodGain, path: Path) -> None:
    """Write the picture: accuracy of every seed on the left, differences with intervals on the right.

    Args:
        summaries: of all methods on dev.
        gain: of the chosen one on test.
        path: of the PNG.
    """
    with matplotlib.rc_context(light_style()):
        figure = Figure(figsize=(9.6, 1.6 + 0.34 * (len(summaries) + 1)), layout="constrained")
        left, right = figure.subplots(1, 2)
        for row, one in enumerate(summaries):
            left.plot([100 * value for value in one.top1_dev], [row] * len(one.top1_dev), "o", color=LIGHT["blue"],
                      alpha=0.6)  # fmt: skip
            left.plot([100 * one.mean], [row], "|", color=LIGHT["ink"], ms=14, mew=1.8)
            _interval(right, row, one.difference, one.ci95, LIGHT["blue"])
        last = len(summaries)
        _interval(right, last, gain.mean, gain.ci95, LIGHT["orange"])
        left.set_title("dev top-1 of each seed and their mean, %")
        right.set_title(f"difference to {ALONE}, points, 95 % interval")
        right.axvline(0, color=LIGHT["muted"], lw=1)
        names = [one.method for one in summaries]
        left.set_yticks(range(last + 1), [*names, ""])
        right.set_yticks(range(last + 1), [*[""] * last, f"{gain.chosen}, on test"])
        for axis in (left, right):
            axis.set_ylim(last + 0.6, -0.6)
            axis.grid(visible=False, axis="y")
        figure.savefig(path, dpi=160)


def _interval(axis: Axes, row: int, mean: float | None, ci95: tuple[float, float] | None, colour: str) -> None:
    if mean is None:
        return
    axis.plot([100 * mean], [row], "o", color=colour)
    if ci95 is not None:
        axis.plot([100 * ci95[0], 100 * ci95[1]], [row, row], color=colour, lw=1.4)


def _difference(mean: float | None, ci95: tuple[float, float] | None) -> str:
    if mean is None:
        return numbers.MISSING
    if ci95 is None:
        return f"{numbers.points(mean)} (one seed)"
    return f"{numbers.points(mean)} [{numbers.points(ci95[0])}, {numbers.points(ci95[1])}]"
