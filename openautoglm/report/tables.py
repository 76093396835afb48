"""The table of a run for the terminal and for README."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from openautoglm.bench.result import ModelResult, Results
from openautoglm.report import numbers
from openautoglm.report.columns import Column
from openautoglm.report.sweeps import SweepRow, sweep_markdown, sweep_row, sweep_table

__all__ = [
    "SweepRow",
    "final_table",
    "markdown_table",
    "sweep_markdown",
    "sweep_row",
    "sweep_table",
]

RUNTIMES = {"eager": "PyTorch", "executorch": "ExecuTorch", "litert": "LiteRT", "onnx": "ONNX Runtime"}
KINDS = {
    "int8": "INT8",
    "float": "float",
    "mixed": "mixed INT8",
    "dynamic": "dynamic INT8",
    "weights": "rounded",
}


def ordered(results: Results) -> list[ModelResult]:
    """Rows as people read them: eager models as they came about, then each INT8 file with its float export below."""
    eager = [m for m in results.models if m.runtime == "eager"]
    files = [m for m in results.models if m.runtime != "eager"]
    runtimes = list(dict.fromkeys(m.runtime for m in files))
    return eager + sorted(files, key=lambda m: (runtimes.index(m.runtime), m.kind == "float"))


def final_table(results: Results) -> Table:
    """The table a run ends with, 80 columns wide: every model, each INT8 file with its float export below."""
    columns = _columns(results)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("model", overflow="fold")
    for column in columns:
        table.add_column(column.heading.replace(" ", "\n", 1), justify="right", no_wrap=True)
    for model in ordered(results):
        export = model.runtime != "eager"
        style = "dim" if export and model.kind == "float" else "bold" if model is numbers.primary(results) else None
        table.add_row(escape(model.name), *(column.cell(model) for column in columns), style=style)
    return table


def markdown_table(results: Results) -> str:
    """The same table in Markdown."""
    columns = _columns(results)
    headings = ["model", *(column.heading for column in columns)]
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * len(columns)]
    for model in ordered(results):
        label = f"`{model.name}` {KINDS[model.kind]}" if model.runtime != "eager" else model.name
        cells = [label, *(column.cell(model) for column in columns)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _columns(results: Results) -> list[Column[ModelResult]]:
    """Accuracy, and the others that some row fills."""
    columns: list[Column[ModelResult]] = [
        Column("top-1 %", lambda m: numbers.percent(m.top1, unit=False)),
        Column("hand AP50", lambda m: numbers.percent(m.hand_ap50, unit=False)),
        Column("mAP50", lambda m: numbers.percent(m.map50, unit=False)),
        Column("gold box", lambda m: numbers.percent(m.top1_gold_box, unit=False)),
        Column("to eager", lambda m: numbers.points(m.top1_minus_eager)),
        Column("agree %", lambda m: numbers.percent(m.agreement, unit=False)),
        Column("KB", lambda m: numbers.MISSING if m.size_kb is None else f"{m.size_kb:,.0f}"),
        Column("of float", lambda m: numbers.ratio(m.size_ratio)),
        Column("ms", lambda m: numbers.milliseconds(m.latency_ms.median if m.latency_ms else None, unit=False)),
        Column("quartiles", lambda m: numbers.quartiles(m.latency_ms) or numbers.MISSING),
        Column("of float", lambda m: numbers.ratio(m.latency_ratio)),
        Column(
            "INT8 ops", lambda m: numbers.census_line(m).replace(" of ", "/") if m.kind != "float" else numbers.MISSING
        ),
    ]
    filled = [c for c in columns[1:] if any(c.cell(model) != numbers.MISSING for model in results.models)]
    return [columns[0], *filled]
