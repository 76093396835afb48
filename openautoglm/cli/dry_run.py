"""``data.dry_run=true``: what a data set holds, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from openautoglm.cli.binding import build
from openautoglm.cli.errors import OK

SHEET = "dry_run.png"
_MAX_PROBLEMS = 20


def dry_run(values: dict[str, Any], *, console: Console | None = None) -> int:
    """Print counts a class and split, problems and assumptions, and leave a sheet of first pictures.

    Args:
        values: resolved config, with ``data``.
        console: where to print.
    """
    from openautoglm.data.base import Source

    console = console or Console(highlight=False)
    source = build(values["data"])
    if isinstance(source, Source):
        _crops(source, console)
    else:
        _frames(source, console)
    return OK


def _crops(source: Any, console: Console) -> None:
    from openautoglm.data.contact import contact_sheet

    holds_out = getattr(source, "holds_out", lambda _: True)
    splits = {split: source.load(split) for split in ("train", "dev", "test") if holds_out(split)}
    names = source.class_names()
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for split in splits:
        table.add_column(split, justify="right")
    counts = {split: np.bincount(found.labels, minlength=len(names)) for split, found in splits.items()}
    for row, name in enumerate(names):
        table.add_row(escape(name), *(f"{count[row]:,}" for count in counts.values()))
    table.add_row("[bold]all[/]", *(f"[bold]{len(found):,}[/]" for found in splits.values()))
    console.print(table)
    if left := [split for split in ("dev", "test") if split not in splits]:
        console.print(f"nothing is held out for {' and '.join(left)}: folds of the training pictures take their place")
    console.print(f"each picture is padded to a square and scaled to {source.image_size} px")
    for name in ("hands_note", "mirror_note"):
        if note := getattr(source, name, None):
            console.print(escape(note), soft_wrap=True)
    _problems([problem for found in splits.values() for problem in found.problems], console)
    contact_sheet(splits["train"]).save(SHEET)
    console.print(f"first pictures: {Path(SHEET).resolve()}", soft_wrap=True)


def _frames(source: Any, console: Console) -> None:
    from openautoglm.data.contact import frame_sheet

    splits = {split: source.load_frames(split) for split in ("train", "dev", "test")}
    names = source.class_names()
    table = Table(box=None, pad_edge=False)
    table.add_column("hands that show")
    for split in splits:
        table.add_column(split, justify="right")
    for row, name in enumerate(names):
        table.add_row(escape(name), *(f"{int((found.labels == row).sum()):,}" for found in splits.values()))
    table.add_row("[dim]not known[/]", *(f"{int((found.labels < 0).sum()):,}" for found in splits.values()))
    table.add_row("[bold]frames[/]", *(f"[bold]{len(found):,}[/]" for found in splits.values()))
    table.add_row("[dim]all hands known[/]", *(f"{int(found.complete.sum()):,}" for found in splits.values()))
    console.print(table)
    _problems([problem for found in splits.values() for problem in found.problems], console)
    train = splits["train"]
    step = max(1, len(train) // 12)
    frame_sheet([train.frame(row) for row in range(0, len(train), step)][:12], classes=names).save(SHEET)
    console.print(f"some frames: {Path(SHEET).resolve()}", soft_wrap=True)


def _problems(problems: list[str], console: Console) -> None:
    found = list(dict.fromkeys(problems))
    for problem in found[:_MAX_PROBLEMS]:
        console.print(f"[yellow]·[/] {escape(problem)}", soft_wrap=True)
    if len(found) > _MAX_PROBLEMS:
        console.print(f"  and {len(found) - _MAX_PROBLEMS:,} more")
    console.print(f"{len(found):,} problem{'' if len(found) == 1 else 's'}" if found else "no problems")
