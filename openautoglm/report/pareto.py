"""``study=pareto`` as tables and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from openautoglm.bench.front import FrontRow, Match
from openautoglm.report import numbers
from openautoglm.report.light import LIGHT, light_style

_HEADINGS = ("parameters", "file KB", "ms", "quartiles", "float top-1 %", "INT8 top-1 %", "INT8 layers",
             "float operations", "on the front")  # fmt: skip


def front_markdown(rows: Sequence[FrontRow], matches: Sequence[Match]) -> str:
    """All nets by their time, then each of the others beside ours that takes no longer.

    Args:
        rows: all nets.
        matches: one for each of the others.
    """
    lines = ["| net | " + " | ".join(_HEADINGS) + " |", "|---|" + "---:|" * len(_HEADINGS)]
    lines += [
        "| " + " | ".join((row.net, *_cells(row))) + " |" for row in sorted(rows, key=lambda row: row.latency_ms.median)
    ]
    lines += ["", "| within the time of | ms | ours | points (95 % interval) |", "|---|---:|---|---:|"]
    for one in matches:
        gain = numbers.MISSING
        if one.difference is not None and one.ci95 is not None:
            gain = f"{numbers.points(one.difference)} ({' to '.join(numbers.points(end) for end in one.ci95)})"
        time = numbers.milliseconds(one.latency_ms, unit=False)
        lines.append(f"| {one.other} | {time} | {one.ours or 'all are slower'} | {gain} |")
    return "\n".join(lines) + "\n"


def _cells(row: FrontRow) -> tuple[str, ...]:
    return (
        numbers.magnitude(row.num_params),
        f"{row.size_kb:,.0f}",
        numbers.milliseconds(row.latency_ms.median, unit=False),
        numbers.quartiles(row.latency_ms),
        numbers.percent(row.float_top1, unit=False),
        numbers.percent(row.top1, unit=False),
        str(row.num_int8) if row.kind == "int8" else f"{row.num_int8} ({row.kind})",
        str(row.num_float),
        "yes" if row.is_on_front else "no",
    )


def draw_front(rows: Sequence[FrontRow], path: Path) -> None:
    """Write a PNG: INT8 accuracy over INT8 latency, the front of all nets as a line.

    Args:
        rows: all nets.
        path: of the picture.
    """
    with matplotlib.rc_context(light_style()):
        figure = Figure(figsize=(8.4, 4.6), layout="constrained")
        axis = figure.subplots()
        front = sorted((row for row in rows if row.is_on_front), key=lambda row: row.latency_ms.median)
        axis.plot(
            [row.latency_ms.median for row in front], [100 * row.top1 for row in front],
            drawstyle="steps-post", color=LIGHT["muted"], lw=1, zorder=1,
        )  # fmt: skip
        for is_ours, colour, marker, label in ((True, "blue", "o", "this family"), (False, "orange", "s", "timm")):
            chosen = [row for row in rows if row.is_ours == is_ours]
            axis.scatter(
                [row.latency_ms.median for row in chosen], [100 * row.top1 for row in chosen],
                s=46, color=LIGHT[colour], marker=marker, label=label, zorder=2,
            )  # fmt: skip
        for row in rows:
            axis.annotate(
                row.net.removeprefix("timm/"), (row.latency_ms.median, 100 * row.top1), xytext=(7, 5),
                textcoords="offset points", fontsize=8, color=LIGHT["ink"],
            )  # fmt: skip
        axis.set_xlabel("INT8 .pte, one picture, one thread, ms")
        axis.set_ylabel("INT8 top-1, %")
        axis.set_xlim(0, 1.3 * max(row.latency_ms.median for row in rows))
        axis.legend(loc="lower right")
        figure.savefig(path, dpi=160)
