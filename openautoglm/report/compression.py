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
from openautoglm.report.light import LIGHT, light_style

_HEADINGS = ("top-1\n%", "cost,\npoints", "95 %\ninterval", "weights\nKB", "file\nKB", "of\nfloat", "ms", "of\nfloat",
             "INT8\nops")  # fmt: skip


def compression_table(rows: Sequence[CompressionRow]) -> Table:
    """A line a method."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("method", overflow="fold")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.method, *_cells(row))
    return table


def compression_markdown(rows: Sequence[CompressionRow]) -> str:
    """The same table in Markdown."""
    headings = ["method", *(heading.replace("\n", " ") for heading in _HEADINGS)]
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * len(_HEADINGS)]
    lines += ["| " + " | ".join([row.method, *_cells(row)]) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: CompressionRow) -> list[str]:
    cost, interval = numbers.MISSING, numbers.MISSING
    if row.cost is not None:
        cost = numbers.points(row.cost.difference)
        interval = " to ".join(numbers.points(end) for end in row.cost.ci95)
    return [
        numbers.percent(row.top1, unit=False),
        cost,
        interval,
        f"{row.artifact_kb:,.0f}",
        f"{row.program_kb:,.0f}",
        numbers.ratio(row.size_ratio),
        numbers.milliseconds(row.latency_ms.median, unit=False),
        numbers.ratio(row.latency_ratio),
        f"{row.num_int8}/{row.num_int8 + row.num_float}",
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
