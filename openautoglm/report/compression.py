"""``study=compression`` as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.table import Table

from openautoglm.bench.compression import CompressionRow
from openautoglm.report import numbers
from openautoglm.report.columns import Column, to_markdown, to_table
from openautoglm.report.light import LIGHT, light_style


def compression_table(rows: Sequence[CompressionRow]) -> Table:
    """A line a method."""
    return to_table(_METHOD, _COLUMNS, rows)


def compression_markdown(rows: Sequence[CompressionRow]) -> str:
    """The same table in Markdown."""
    return to_markdown(_METHOD, _COLUMNS, rows)


def _interval(row: CompressionRow) -> str:
    if row.cost is None:
        return numbers.MISSING
    return " to ".join(numbers.points(end) for end in row.cost.ci95)


_METHOD: Column[CompressionRow] = Column("method", lambda row: row.method)
_COLUMNS: list[Column[CompressionRow]] = [
    Column("top-1\n%", lambda row: numbers.percent(row.top1, unit=False)),
    Column("cost,\npoints", lambda row: numbers.points(row.cost.difference if row.cost else None)),
    Column("95 %\ninterval", _interval),
    Column("M\nMACs", lambda row: numbers.MISSING if row.macs is None else f"{row.macs / 1e6:.1f}"),
    Column("weights\nKB", lambda row: numbers.MISSING if row.artifact_kb is None else f"{row.artifact_kb:,.0f}"),
    Column("file\nKB", lambda row: f"{row.program_kb:,.0f}"),
    Column("of\nfloat", lambda row: numbers.ratio(row.size_ratio)),
    Column("ms", lambda row: numbers.milliseconds(row.latency_ms.median, unit=False)),
    Column("of\nfloat", lambda row: numbers.ratio(row.latency_ratio)),
    Column("INT8\nops", lambda row: f"{row.num_int8}/{row.num_int8 + row.num_float}"),
]


def draw_compression(rows: Sequence[CompressionRow], path: Path, *, claim: Mapping[str, Any]) -> None:
    """Write a PNG: what is left of bytes and time, and the points that it costs.

    Args:
        rows: float first.
        path: of the picture.
        claim: method, size_ratio and latency_ratio that an article states.
    """
    with matplotlib.rc_context(light_style()):
        figure = Figure(figsize=(9.6, 1.2 + 0.34 * len(rows)), layout="constrained")
        size, time, cost = figure.subplots(1, 3, sharey=True)
        for axis, key, title in (
            (size, "size_ratio", "bytes of the float .pte"),
            (time, "latency_ratio", "time of the float .pte"),
        ):
            _draw_ratio(axis, rows, key, title)
            place = next((place for place, row in enumerate(rows) if row.method == claim["method"]), None)
            if place is not None:
                axis.plot(claim[key], place, "D", mfc="none", mec=LIGHT["orange"], mew=1.6, label="claimed")
                axis.legend(loc="lower right", frameon=True, facecolor=LIGHT["card"], edgecolor="none")
        _draw_cost(cost, rows)
        size.set_yticks(range(len(rows)), [row.method for row in rows])
        size.set_ylim(len(rows) - 0.4, -0.6)
        figure.savefig(path, dpi=160)


def _draw_ratio(axis: Axes, rows: Sequence[CompressionRow], key: str, title: str) -> None:
    values = [getattr(row, key) for row in rows]
    colours = [LIGHT["muted"] if row.kind == "float" else LIGHT["blue"] for row in rows]
    axis.barh(range(len(rows)), values, color=colours, height=0.62)
    for place, value in enumerate(values):
        axis.annotate(f"{value:.2f}", (value, place), xytext=(3, 0), textcoords="offset points", va="center",
                      fontsize=8, color=LIGHT["ink"])  # fmt: skip
    axis.set_title(title)
    axis.set_xlim(0, 1.15 * max(1.0, *values))
    axis.grid(visible=False, axis="y")


def _draw_cost(axis: Axes, rows: Sequence[CompressionRow]) -> None:
    for place, row in enumerate(rows):
        if row.cost is not None:
            low, high = (100 * end for end in row.cost.ci95)
            axis.plot([low, high], [place, place], color=LIGHT["blue"], lw=2)
            axis.plot(100 * row.cost.difference, place, "o", color=LIGHT["blue"], markersize=6)
    axis.axvline(0, color=LIGHT["ink"], lw=0.8)
    axis.set_title("points of accuracy it costs, 95 %")
    axis.grid(visible=False, axis="y")
