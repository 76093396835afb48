"""``scripts/benchmark.py fusion=true`` as a table: operations before and after fusion, and what that saves."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from openautoglm.bench.fusion import EAGER, FusionRow
from openautoglm.report import numbers
from openautoglm.report.columns import Column, to_markdown, to_table
from openautoglm.report.tables import KINDS, RUNTIMES


def fusion_table(rows: Sequence[FusionRow]) -> Table:
    """A line a form of the net."""
    return to_table(_FORM, _COLUMNS, rows)


def fusion_markdown(rows: Sequence[FusionRow]) -> str:
    """The same table in Markdown."""
    return to_markdown(_FORM, _COLUMNS, rows)


def _name(row: FusionRow) -> str:
    runtime = RUNTIMES[row.runtime]
    if row.runtime == EAGER:
        return f"{runtime}, BatchNorm folded" if row.is_fused else f"{runtime}, as trained"
    return f"{runtime} {KINDS[row.kind]}" + ("" if row.is_fused else ", unfused")


_FORM: Column[FusionRow] = Column("form", _name)
_COLUMNS: list[Column[FusionRow]] = [
    Column("operations", lambda row: str(row.operations.num_operations)),
    Column("conv,\nlinear", lambda row: str(row.operations.num_heavy)),
    Column("Batch\nNorm", lambda row: str(row.operations.num_batch_norms)),
    Column("ReLU", lambda row: str(row.operations.num_activations)),
    Column("fused\nReLU", lambda row: str(row.operations.num_fused_activations)),
    Column("others", lambda row: str(sum(row.operations.others.values()))),
    Column("KB", lambda row: numbers.MISSING if row.size_kb is None else f"{row.size_kb:,.0f}"),
    Column("ms", lambda row: numbers.milliseconds(row.latency_ms.median, unit=False)),
    Column("of\nunfused", lambda row: numbers.ratio(row.latency_ratio)),
]
