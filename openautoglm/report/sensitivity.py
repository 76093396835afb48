"""Which layers INT8 hurts: as a table and as a picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from openautoglm.compress.sensitivity import LayerSensitivity
from openautoglm.report import numbers
from openautoglm.report.light import LIGHT, light_style


def sensitivity_table(
    rows: Sequence[LayerSensitivity], *, left_in_float: Collection[str] = (), num_shown: int = 10
) -> Table:
    """The worst layers, worst first."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("layer", overflow="fold")
    for heading in ("weights", "error of\nINT8 weights", "of INT8\noutput", "stays"):
        table.add_column(heading, justify="right")
    for row in rows[: max(num_shown, len(left_in_float))]:
        output = numbers.MISSING if row.output_error is None else f"{row.output_error:.1e}"
        stays = "float" if row.layer in left_in_float else ""
        table.add_row(escape(row.layer), numbers.count(row.num_params), f"{row.weight_error:.1e}", output, stays)
    if (rest := len(rows) - table.row_count) > 0:
        table.caption = f"and {rest} that suffer less"
    return table


def draw_sensitivity(rows: Sequence[LayerSensitivity], path: Path, *, left_in_float: Collection[str] = ()) -> None:
    """Write a PNG: a line a layer, what rounding its weights and its output does to the logits.

    Args:
        rows: worst first.
        path: of the picture.
        left_in_float: names of the layers whose weights are not rounded.
    """
    with matplotlib.rc_context(light_style()):
        figure = Figure(figsize=(8.4, 1.1 + 0.22 * len(rows)), layout="constrained")
        axis = figure.subplots()
        for place, row in enumerate(rows):
            face = LIGHT["card"] if row.layer in left_in_float else LIGHT["blue"]
            axis.plot(row.weight_error, place, "o", mfc=face, mec=LIGHT["blue"], markersize=6)
            if row.output_error is not None:
                axis.plot(row.output_error, place, "|", color=LIGHT["orange"], markersize=9, mew=2)
        for label, marker, face, edge in (
            ("INT8 weights", "o", LIGHT["blue"], LIGHT["blue"]),
            ("left in float", "o", LIGHT["card"], LIGHT["blue"]),
            ("INT8 output", "|", LIGHT["orange"], LIGHT["orange"]),
        ):
            axis.plot([], [], marker, mfc=face, mec=edge, mew=2 if marker == "|" else 1, markersize=7, label=label)
        axis.set_xscale("log")
        axis.set_yticks(range(len(rows)), [row.layer for row in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.grid(visible=False, axis="y")
        axis.set_title("squared error of the logits over their square, one layer rounded at a time")
        axis.legend(loc="lower right", frameon=True, facecolor=LIGHT["card"], edgecolor="none")
        figure.savefig(path, dpi=160)
