"""``scripts/evaluate.py``: one artifact in one runtime over one split."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from openautoglm.cli.binding import build
from openautoglm.cli.errors import guard
from openautoglm.cli.help import evaluate_help
from openautoglm.cli.measuring import run_measurement

_KINDS: dict[str, Any] = {
    "artifact": str,
    "runtime": Literal["executorch", "litert", "onnx", "eager"],
    "split": Literal["train", "dev", "test", "val"],
    "num_threads": int,
    "json": str | None,
}

_SPLITS = {"val": "dev"}  # how folders of people are called


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(
        lambda: run_measurement(
            words, name="evaluate", help_text=evaluate_help, kinds=_KINDS, measure=_measure, show=_print
        )
    )


def _measure(values: Mapping[str, Any]) -> dict[str, Any]:
    from openautoglm.bench.result import to_plain
    from openautoglm.data.frames import FrameSource
    from openautoglm.stages import evaluate as stage

    source = build(values["data"])
    measure = stage.evaluate_frames if isinstance(source, FrameSource) else stage.evaluate
    found = measure(
        artifact=values["artifact"],
        runtime=values["runtime"],
        source=source,
        split=_SPLITS.get(values["split"], values["split"]),
        num_threads=values["num_threads"],
    )
    plain = to_plain(found)
    assert isinstance(plain, dict)
    return plain


def _print(figures: Mapping[str, Any], target: Path | None) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in figures.items():
        if isinstance(value, float):
            table.add_row(name, f"{value:.4f}")
        elif isinstance(value, str | int):
            table.add_row(name, str(value))
    console.print(table)
    recall = Table(box=None, pad_edge=False)
    recall.add_column("class")
    recall.add_column("recall", justify="right")
    for name, share in sorted(figures.get("recall", {}).items(), key=lambda item: (item[1] is None, item[1])):
        recall.add_row(name, "-" if share is None else f"{share:.4f}")
    if recall.row_count:
        console.print(recall)
    if target is not None:
        console.print(str(target), highlight=False, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
