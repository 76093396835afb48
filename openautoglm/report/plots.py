"""The drawn figures: training curves and size, latency, accuracy, as inline SVG that follows the page's theme.

Colours are named by placeholders that become CSS variables, so one figure serves light and dark. Text stays text,
in the reader's font. Hues are those of Okabe and Ito, "Color Universal Design" (2008); runtimes also differ by marker,
INT8 and float by filling, train and dev by dash.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from openautoglm.bench.result import EpochResult, ModelResult, Results
from openautoglm.report.tables import RUNTIMES

INK, MUTED, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
BLUE, ORANGE, GREEN = "#010207", "#010208", "#010209"
THEME = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--card)",
    BLUE: "var(--blue)",
    ORANGE: "var(--orange)",
    GREEN: "var(--green)",
}
MARKERS = {"executorch": ("o", BLUE), "litert": ("s", ORANGE), "onnx": ("^", GREEN)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "openautoglm",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": MUTED,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 4,
}


def curve_figure(epochs: Sequence[EpochResult], *, title: str) -> str | None:
    """Loss above, dev accuracy below, one stage; None where nothing was logged."""
    losses = {"train": _series(epochs, lambda e: e.train_loss), "dev": _series(epochs, lambda e: e.dev_loss)}
    accuracy = _series(epochs, lambda e: None if e.dev_top1 is None else 100 * e.dev_top1)
    panels = [bool(losses["train"] or losses["dev"]), bool(accuracy)]
    if not any(panels):
        return None

    def draw(figure: Figure) -> None:
        axes = iter(figure.subplots(sum(panels), 1, sharex=True, squeeze=False)[:, 0])
        if panels[0]:
            _draw_losses(next(axes), losses)
        if panels[1]:
            axis = next(axes)
            axis.set_title("dev top-1, %")
            _line(axis, accuracy, BLUE, "-")
            _accuracy_limits(axis, [value for _, value in accuracy])
        _epoch_axis(figure.axes[-1], epochs)

    return _svg(draw, width=3.6, height=1.1 + 1.4 * sum(panels), label=title)


def accuracy_figure(curves: dict[str, Sequence[EpochResult]], *, label: str) -> str | None:
    """Dev accuracy of every student stage in one picture."""
    drawn = {stage: _series(epochs, lambda e: None if e.dev_top1 is None else 100 * e.dev_top1)
             for stage, epochs in curves.items()}  # fmt: skip
    drawn = {stage: series for stage, series in drawn.items() if series}
    if len(drawn) < 2:
        return None
    looks = [(BLUE, "-"), (ORANGE, "--"), (GREEN, ":"), (INK, "-.")]

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        axis.set_title("dev top-1, %")
        for (stage, series), (colour, dash) in zip(drawn.items(), looks * len(drawn), strict=False):
            _line(axis, series, colour, dash, name=stage)
        _accuracy_limits(axis, [value for series in drawn.values() for _, value in series])
        _epoch_axis(axis, [epoch for epochs in curves.values() for epoch in epochs])
        figure.legend(loc="outside upper left", ncols=min(4, len(drawn)))

    return _svg(draw, width=3.6, height=3.9, label=label)


def tradeoff_figures(results: Results) -> dict[str, str]:
    """Title to figure: all three at once, then size and latency runtime by runtime. Float is hollow, INT8 filled."""
    files = [m for m in results.models if m.runtime in MARKERS]
    threads = {m.latency_ms.num_threads for m in files if m.latency_ms} - {None}
    per = f", {'one thread' if threads == {1} else f'{threads.pop()} threads'}" if len(threads) == 1 else ""
    placed = [m for m in files if m.top1 is not None and m.latency_ms and m.size_kb]
    sizes: dict[tuple[str, str], _Span] = {(m.runtime, m.kind): _Span(m.size_kb) for m in files if m.size_kb}
    times: dict[tuple[str, str], _Span] = {
        (m.runtime, m.kind): _Span(t.median, t.q1, t.q3) for m in files if (t := m.latency_ms)
    }
    figures = {
        "Accuracy, latency, size": _bubbles(placed, f"ms a picture{per}"),
        "File size": _dumbbells(sizes, "KB"),
        "Latency and its quartiles": _dumbbells(times, f"ms a picture{per}"),
    }
    return {title: figure for title, figure in figures.items() if figure is not None}


@dataclass(frozen=True)
class _Span:
    """A figure and, where known, its quartiles."""

    value: float
    low: float | None = None
    high: float | None = None


def _bubbles(models: list[ModelResult], axis_label: str) -> str | None:
    """Accuracy over latency; the area of a mark is the size of its file."""
    if not models:
        return None
    largest = max(m.size_kb or 0 for m in models)

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        axis.set_title("test top-1, %; area: file size")
        axis.set_xlabel(axis_label)
        axis.xaxis.set_major_locator(MaxNLocator(6))
        for m in models:
            marker, colour = MARKERS[m.runtime]
            face = colour if m.kind != "float" else "none"
            place = (m.latency_ms.median if m.latency_ms else 0, 100 * (m.top1 or 0))
            area = 260 * (m.size_kb or 0) / largest
            axis.scatter(*place, s=area, marker=marker, facecolor=face, edgecolor=colour, linewidth=1.5, clip_on=False)
        _accuracy_limits(axis, [100 * (m.top1 or 0) for m in models])
        axis.set_xlim(0, 1.15 * max(m.latency_ms.median for m in models if m.latency_ms))
        figure.legend(handles=_legend({m.runtime for m in models}), loc="outside upper left", ncols=3, columnspacing=1)

    return _svg(draw, width=3.6, height=3.2, label="Accuracy over latency, area by file size")


def _dumbbells(spans: dict[tuple[str, str], _Span], axis_label: str) -> str | None:
    """A line a runtime, from its float export to its INT8 file."""
    runtimes = [runtime for runtime in MARKERS if any(key[0] == runtime for key in spans)]
    if not runtimes:
        return None

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        axis.grid(visible=False, axis="y")
        for row, runtime in enumerate(runtimes):
            marker, colour = MARKERS[runtime]
            found = {kind: span for (where, kind), span in spans.items() if where == runtime}
            axis.plot([s.value for s in found.values()], [row] * len(found), "-", color=RULE, lw=3, zorder=1)
            for kind, span in found.items():
                if span.low is not None and span.high is not None:
                    axis.plot([span.low, span.high], [row, row], "-", color=colour, lw=2.5, alpha=0.5, zorder=2)
                axis.plot(
                    span.value, row, marker, markersize=8, mfc=PAPER if kind == "float" else colour, mec=colour, mew=1.5
                )
                # Above the mark: two marks side by side keep their figures apart.
                axis.annotate(_short(span.value), (span.value, row), xytext=(0, 8), textcoords="offset points",
                              ha="center" if len(found) == 1 else _away(kind, found), color=INK)  # fmt: skip
        axis.set_yticks(range(len(runtimes)), [RUNTIMES[runtime] for runtime in runtimes])
        axis.set_ylim(len(runtimes) - 0.5, -0.7)
        axis.set_xlim(0, 1.12 * max(span.high or span.value for span in spans.values()))
        axis.set_xlabel(axis_label)
        axis.spines["left"].set_visible(False)

    return _svg(draw, width=3.6, height=3.2, label=axis_label)


def _away(kind: str, found: dict[str, _Span]) -> str:
    """The lesser figure leans left, the greater right."""
    lesser = min(found, key=lambda k: found[k].value)
    return "right" if kind == lesser else "left"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _legend(runtimes: set[str]) -> list[Line2D]:
    used = [(runtime, *MARKERS[runtime]) for runtime in MARKERS if runtime in runtimes]
    handles = [Line2D([], [], ls="", marker=m, color=c, markersize=7, label=RUNTIMES[r]) for r, m, c in used]
    handles.append(Line2D([], [], ls="", marker="o", mfc="none", mec=MUTED, markersize=7, label="hollow: float"))
    handles.append(Line2D([], [], ls="", marker="o", mfc=MUTED, mec=MUTED, markersize=7, label="filled: quantised"))
    return handles


def _accuracy_limits(axis: Axes, values: list[float]) -> None:
    """At least two points high, so that a tenth of a point does not look like a cliff."""
    low, high = min(values), max(values)
    spare = max(0.06 * (high - low), (2 - (high - low)) / 2)
    axis.set_ylim(max(-1, low - spare), min(100 + 0.1 * spare, high + spare))
    axis.yaxis.set_major_locator(MaxNLocator(6))


def _draw_losses(axis: Axes, losses: dict[str, list[tuple[int, float]]]) -> None:
    axis.set_title("loss")
    for (name, series), (colour, dash) in zip(losses.items(), ((ORANGE, "--"), (BLUE, "-")), strict=True):
        if series:
            _line(axis, series, colour, dash, name=name)
    if all(losses.values()):
        axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, borderaxespad=0, handlelength=1.6)


def _line(axis: Axes, series: list[tuple[int, float]], colour: str, dash: str, name: str | None = None) -> None:
    marker = "o" if len(series) <= 20 else ""
    axis.plot(*zip(*series, strict=True), dash, color=colour, marker=marker, label=name)


def _epoch_axis(axis: Axes, epochs: Sequence[EpochResult]) -> None:
    last = max(epoch.epoch for epoch in epochs) + 1
    axis.set_xlabel("epoch")
    axis.set_xlim(0.5 if last < 20 else 0, last + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def _series(epochs: Sequence[EpochResult], figure: Callable[[EpochResult], float | None]) -> list[tuple[int, float]]:
    """Epochs, counted from one as people do, with a finite figure."""
    pairs = [(epoch.epoch + 1, figure(epoch)) for epoch in epochs]
    return [(number, value) for number, value in pairs if value is not None and math.isfinite(value)]


def _svg(draw: Callable[[Figure], None], *, width: float, height: float, label: str) -> str:
    """Draw without pyplot's global state; the SVG element without prolog, sized by the page."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    svg = text[text.index("<svg") :]
    for placeholder, variable in THEME.items():
        svg = svg.replace(placeholder, variable)
    return svg.replace("<svg ", f'<svg class="plot" role="img" aria-label="{escape(label, quote=True)}" ', 1)
