"""Tables of one kind of row, in the terminal and in Markdown; a column that no row fills is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.markup import escape
from rich.table import Table

from openautoglm.report import numbers

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its heading, broken by a newline in the terminal, and how a row fills it."""

    heading: str
    cell: Callable[[Row], str]


def to_table(first: Column[Row], columns: Sequence[Column[Row]], rows: Sequence[Row]) -> Table:
    """A line a row; ``first`` names it."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first.heading, overflow="fold")
    columns = _filled(columns, rows)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(escape(first.cell(row)), *(column.cell(row) for column in columns))
    return table


def to_markdown(first: Column[Row], columns: Sequence[Column[Row]], rows: Sequence[Row]) -> str:
    """The same table in Markdown."""
    columns = [first, *_filled(columns, rows)]
    lines = [[column.heading.replace("\n", " ") for column in columns]]
    lines += [[column.cell(row) for column in columns] for row in rows]
    head, *body = ["| " + " | ".join(line) + " |\n" for line in lines]
    return head + "|---|" + "---:|" * (len(columns) - 1) + "\n" + "".join(body)


def _filled(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> list[Column[Row]]:
    return [column for column in columns if any(column.cell(row) != numbers.MISSING for row in rows)]
