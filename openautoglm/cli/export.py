"""``scripts/export.py``: an artifact's programs, written into it and counted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from openautoglm.cli.errors import guard
from openautoglm.cli.measuring import Figures, run_measurement

_KINDS: dict[str, Any] = {"artifact": str, "backends": list[str], "out": str | None, "json": str | None}
_HELP = """\
python scripts/export.py artifact=NAME_OR_FOLDER [key=value …]

  artifact=NAME_OR_FOLDER      float or quantised: what Quantizer saved, a stage of a run, a released name
  backends=[executorch,litert,onnx]
  out=FOLDER                   artifact that gets the programs; the one they are made of unless given
  json=FILE                    where the figures go: bytes and the census of each program
  --cfg job                    prints every setting with its value"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(
        lambda: run_measurement(
            words, name="export", help_text=lambda: _HELP, kinds=_KINDS, measure=_measure, show=_print
        )
    )


def _measure(values: Mapping[str, Any]) -> Figures:
    from openautoglm.bench.result import to_plain
    from openautoglm.stages.programs import export_artifact

    artifact, programs = export_artifact(values["artifact"], backends=values["backends"], out=values["out"])
    # where it went is for the screen: a JSON names no folder of this machine
    return {"name": artifact.manifest.get("name", artifact.folder.name), "programs": to_plain(programs)}


def _print(figures: Figures, target: Path | None) -> None:
    from openautoglm.report.tables import KINDS

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in ("program", "kind"):
        table.add_column(heading)
    for heading in ("KB", "INT8 ops"):
        table.add_column(heading, justify="right")
    for row in figures["programs"]:
        heavy = f"{row['num_int8']}/{row['num_int8'] + row['num_float']}"
        table.add_row("programs/" + ", ".join(row["files"]), KINDS[row["kind"]], f"{row['size_kb']:,.0f}", heavy)
    console = Console()
    console.print(table)
    if target is not None:
        console.print(str(target), highlight=False, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
