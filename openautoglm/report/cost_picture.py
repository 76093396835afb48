"""The picture of where a model's cost lies: its blocks, and attention over growing maps."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from openautoglm.bench.benchmark import CostReport
from openautoglm.bench.cost import BlockCost, ProgramCost
from openautoglm.bench.result import LatencyResult
from openautoglm.bench.takeover import ReachPoint, Takeover
from openautoglm.report import numbers
from openautoglm.report.benchmark import MIXING
from openautoglm.report.plots import STYLE, THEME
from openautoglm.report.style import CSS

# The page's colours by light, as the style sheet names them first.
_LIGHT = dict(reversed(re.findall(r"--(\w+): (#[0-9a-f]{6})", CSS)))
_INK, _MUTED, _PAPER = _LIGHT["ink"], _LIGHT["muted"], _LIGHT["card"]
_WEIGHTED, _MIXED = _LIGHT["blue"], _LIGHT["orange"]
_LOOKS = {"full": (_MIXED, "o"), "local": (_LIGHT["blue"], "s"), "block-sparse": (_LIGHT["green"], "^")}


def draw_cost(report: CostReport, path: Path) -> None:
    """Write the picture: a row of bars for each method, and a row of curves for attention.

    Args:
        report: what was measured.
        path: of the PNG.
    """
    heights = [0.9 + 0.24 * len(program.blocks) for program in report.programs]
    heights += [3.2] if report.takeover else []
    style, _ = light_style()
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(9.6, sum(heights) + 0.5), layout="constrained")
        axes = figure.subplots(len(heights), 2, squeeze=False, height_ratios=heights)
        for pair, program in zip(axes, report.programs, strict=False):
            _draw_blocks(pair, program)
        if report.takeover:
            _draw_takeover(axes[-1], report.takeover, _own_num_tokens(report))
        num_threads = report.device.num_threads
        figure.suptitle(
            f"{report.model}, eager PyTorch in float, {num_threads} thread{'' if num_threads == 1 else 's'}, "
            f"median and quartiles of {report.rounds} rounds",
            x=0.01, ha="left", fontsize=10, color=_INK,
        )  # fmt: skip
        figure.savefig(path, dpi=160)


def _draw_blocks(axes: Sequence[Axes], program: ProgramCost) -> None:
    counted, timed = axes
    blocks, rows = program.blocks, range(len(program.blocks))
    dense = [(block.macs - block.mixing_macs) / 1e6 for block in blocks]
    counted.barh(rows, dense, color=_WEIGHTED, height=0.7, label="with weights")
    mixing = [block.mixing_macs / 1e6 for block in blocks]
    counted.barh(rows, mixing, left=dense, color=_MIXED, height=0.7, label=MIXING)
    counted.set_title(f"{program.method}: million multiply-adds, {numbers.magnitude(program.whole.macs)} in all")
    timed.barh(rows, [block.latency_ms.median for block in blocks], color=_MUTED, height=0.7)
    timed.set_title(f"{program.method}: ms, {numbers.milliseconds(program.whole.latency_ms.median)} in all")
    for row, block in enumerate(blocks):
        _label(counted, row, block.macs / 1e6, f"{block.macs / 1e6:.2f}")
        median, low, high = _spread(block.latency_ms)
        timed.plot([low, high], [row, row], color=_INK, lw=1.2)
        _label(timed, row, high, numbers.milliseconds(median, unit=False))
    counted.set_yticks(rows, [f"{block.name}  {_size(block)}" for block in blocks])
    timed.set_yticks(rows, [""] * len(blocks))
    for axis in axes:
        axis.grid(visible=False, axis="y")
        axis.set_ylim(len(blocks) - 0.4, -0.6)
        axis.set_xlim(0, 1.12 * axis.get_xlim()[1])
    if any(mixing):
        counted.legend(loc="upper left", bbox_to_anchor=(0, -0.7 / len(blocks)), ncols=2, borderaxespad=0)


def _label(axis: Axes, row: int, place: float, text: str) -> None:
    axis.annotate(text, (place, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8, color=_INK)


def _size(block: BlockCost) -> str:
    return numbers.TIMES.join(str(size) for size in block.shape_in)


def _draw_takeover(axes: Sequence[Axes], takeover: Takeover, own: Mapping[str, int]) -> None:
    counted, timed = axes
    counted.set_title(f"attention of width {takeover.dim}: million multiply-adds")
    timed.set_title(f"{takeover.num_heads} heads of rank {takeover.rank}: ms")
    limit = takeover.seen_to_take_over
    crossings = {name: tokens for name, tokens in takeover.measured_num_tokens.items() if tokens}
    _curves(counted, takeover, lambda p: (p.projection_macs / 1e6,), lambda p: (p.mixing_macs / 1e6,))
    _curves(timed, takeover, lambda p: _spread(p.projection_ms), lambda p: _spread(p.mixing_ms))
    _mark(counted, limit, f"2d = {limit}", _MIXED, step=1)
    for step, (name, tokens) in enumerate(crossings.items(), start=1):
        _mark(timed, tokens, f"{tokens:,.0f}", _LOOKS[name][0], step=step)
    for axis in axes:
        for method, num_tokens in own.items():
            _mark(axis, num_tokens, method, _MUTED, dash=":")
        axis.set_xlabel("tokens of the map")
        axis.set_xticks(sorted({point.num_tokens for point in takeover.points}))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.tick_params(axis="x", labelsize=8)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    counted.legend(loc="upper left", frameon=True, facecolor=_PAPER, edgecolor="none")


def _spread(latency: LatencyResult) -> tuple[float, float, float]:
    """Median and quartiles."""
    assert latency.q1 is not None
    assert latency.q3 is not None
    return latency.median, latency.q1, latency.q3


def _curves(
    axis: Axes,
    takeover: Takeover,
    projections: Callable[[ReachPoint], tuple[float, ...]],
    mixing: Callable[[ReachPoint], tuple[float, ...]],
) -> None:
    """The projections, which are the same for all, and the mixing of each reach."""
    every = {point.side: point for point in takeover.points}
    _curve(axis, list(every.values()), projections, _INK, "", "projections", "--")
    for name, (colour, marker) in _LOOKS.items():
        points = [point for point in takeover.points if point.reach == name]
        _curve(axis, points, mixing, colour, marker, f"{MIXING}, {name}", "-")
    axis.set_xscale("log")
    axis.set_yscale("log")


def _curve(
    axis: Axes,
    points: Sequence[ReachPoint],
    figure: Callable[[ReachPoint], tuple[float, ...]],
    colour: str,
    marker: str,
    name: str,
    dash: str,
) -> None:
    tokens, values = [point.num_tokens for point in points], [figure(point) for point in points]
    axis.plot(tokens, [value[0] for value in values], dash, color=colour, marker=marker, label=name)
    if values and len(values[0]) == 3:
        axis.fill_between(tokens, [v[1] for v in values], [v[2] for v in values], color=colour, alpha=0.2, lw=0)


def _mark(axis: Axes, num_tokens: float, text: str, colour: str, *, step: int = 0, dash: str = "-") -> None:
    """A line at a token count; each ``step`` lifts its text above that of a neighbour."""
    axis.axvline(num_tokens, color=colour, lw=1, ls=dash)
    axis.annotate(text, (num_tokens, 0), xycoords=("data", "axes fraction"), xytext=(3, 4 + 10 * step),
                  textcoords="offset points", color=colour, fontsize=8)  # fmt: skip


def _own_num_tokens(report: CostReport) -> dict[str, int]:
    """Tokens of the largest map on which each method itself attends."""
    maps = {
        program.method: [math.prod(block.shape_in[1:]) for block in program.blocks if block.mixing_macs]
        for program in report.programs
    }
    return {method: max(num_tokens) for method, num_tokens in maps.items() if num_tokens}


def light_style() -> tuple[dict[Any, Any], dict[str, str]]:
    """The page's style with the colours it has by light in place of their names, and these colours by name."""
    named = {placeholder: variable[len("var(--") : -1] for placeholder, variable in THEME.items()}
    plain = {key: _LIGHT[named[value]] if value in named else value for key, value in STYLE.items()}
    return plain | {"figure.facecolor": _PAPER, "savefig.facecolor": _PAPER}, _LIGHT
