"""``scripts/evaluate.py``: one artifact in one runtime over one split."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from openautoglm.cli.binding import build, check_config, check_value
from openautoglm.cli.compose import compose_config
from openautoglm.cli.errors import OK, guard
from openautoglm.cli.help import evaluate_help
from openautoglm.cli.launch import describe
from openautoglm.cli.overrides import parse_arguments, refuse_sweep
from openautoglm.zoo.store import write_json

_KINDS: dict[str, Any] = {
    "artifact": str,
    "runtime": Literal["executorch", "litert", "onnx", "eager"],
    "split": Literal["train", "dev", "test"],
    "num_threads": int,
    "json": str | None,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(lambda: _evaluate(words))


def _evaluate(argv: Sequence[str]) -> int:
    options = parse_arguments(argv)
    if options.show_help:
        print(evaluate_help())
        return OK
    if options.sweep:
        raise ValueError("-m belongs to train.py: evaluate one artifact at a time")
    refuse_sweep(options.overrides)
    config = compose_config("evaluate", options.overrides)
    values = config.values
    if options.show_config:
        print(describe(values))
        return OK
    values["split"] = {"val": "dev"}.get(values["split"], values["split"])  # how folders of people are called
    for name, kind in _KINDS.items():
        check_value(values[name], kind, name)
    check_config(values, config.typed)
    target = Path(values["json"]) if values["json"] else None
    if target is not None and not target.parent.is_dir():
        raise ValueError(f"json={target}: there is no folder {target.parent}; make it first")
    figures = _measure(values)
    if target is not None:
        write_json(target, figures)
    _print(figures, target)
    return OK


def _measure(values: Mapping[str, Any]) -> dict[str, Any]:
    from openautoglm.bench.result import to_plain
    from openautoglm.stages.evaluate import evaluate

    found = evaluate(
        artifact=values["artifact"],
        runtime=values["runtime"],
        source=build(values["data"]),
        split=values["split"],
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
