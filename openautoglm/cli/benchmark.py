"""``scripts/benchmark.py``: how long an artifact's programs take, what fusion saves, or what each block costs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from openautoglm.cli.errors import guard
from openautoglm.cli.measuring import Figures, run_measurement
from openautoglm.cli.recipes import find_groups

_KINDS: dict[str, Any] = {
    "artifact": str | None,
    "runtimes": list[str],
    "cost": bool,
    "fusion": bool,
    "num_classes": int,
    "image_size": int | None,
    "rounds": int,
    "num_threads": int,
    "json": str | None,
    "out": str | None,
}
_HELP = """\
python scripts/benchmark.py artifact=NAME_OR_FOLDER [key=value …]
python scripts/benchmark.py cost=true model=NAME|artifact=NAME_OR_FOLDER [key=value …]

  artifact=NAME_OR_FOLDER          its programs, in turn, each in its runtime
  runtimes=[executorch,litert]     some of them
  cost=true model=NAME             multiply-adds, bytes and time of each block, and where attention becomes dear
  fusion=true                      operations of that artifact before and after fusion, counted and timed
  image_size=128 num_classes=19    of that model
  out=FOLDER                       where its picture goes, as cost.png
  rounds=50 num_threads=1          of the timing
  json=FILE                        where the figures go
  --cfg job                        prints every setting with its value

Choices
  model    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(
        lambda: run_measurement(words, name="benchmark", help_text=_help, kinds=_KINDS, measure=_measure, show=_print)
    )


def _help() -> str:
    return _HELP + " ".join(find_groups("benchmark")["model"])


def _measure(values: Mapping[str, Any]) -> Figures:
    from openautoglm.bench.result import to_plain

    if values["cost"] and values["fusion"]:
        raise ValueError("cost=true and fusion=true are two questions: ask one at a time")
    figures = to_plain(_cost(values) if values["cost"] else _programs(values))
    assert isinstance(figures, dict)
    return figures


def _programs(values: Mapping[str, Any]) -> object:
    """How long programs take, or what fusion saves in them."""
    if values["artifact"] is None:
        raise ValueError("artifact is not set: add artifact=… to time its programs, or cost=true to measure a model")
    if values["out"] is not None:
        raise ValueError("out= is for the picture of cost=true; latencies go to json=FILE")
    from openautoglm.bench.benchmark import report_fusion, report_latency

    report = report_fusion if values["fusion"] else report_latency
    return report(
        values["artifact"],
        runtimes=values["runtimes"],
        rounds=values["rounds"],
        num_threads=values["num_threads"],
    )


def _cost(values: Mapping[str, Any]) -> object:
    """The figures; the picture is drawn on the way."""
    folder = None if values["out"] is None else Path(values["out"])
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    from openautoglm.bench.benchmark import report_cost

    architecture, arguments = _architecture(values)
    report = report_cost(architecture, arguments, rounds=values["rounds"], num_threads=values["num_threads"])
    if folder is not None:
        from openautoglm.report.cost_picture import draw_cost

        draw_cost(report, folder / "cost.png")
    return report


def _architecture(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the model that is asked about."""
    size = {} if values["image_size"] is None else {"image_size": values["image_size"]}
    if values["artifact"] is None:
        model = values["model"]
        return model["architecture"], {"num_classes": values["num_classes"], **model["arguments"], **size}
    from openautoglm.zoo import store

    config = store.find(values["artifact"]).config
    return config["architecture"], {**config["arguments"], **size}


def _print(figures: Figures, target: Path | None) -> None:
    from openautoglm.bench.benchmark import CostReport, FusionReport, LatencyReport
    from openautoglm.bench.plain import build
    from openautoglm.report.benchmark import cost_tables, latency_table
    from openautoglm.report.fusion import fusion_table

    console = Console()
    if "takeover" in figures:
        for heading, table in cost_tables(build(CostReport, figures)):
            console.print(f"\n[bold]{heading}[/]", highlight=False)
            console.print(table)
    elif "forms" in figures:
        console.print(fusion_table(build(FusionReport, figures).forms))
    else:
        console.print(latency_table(build(LatencyReport, figures)))
    if target is not None:
        console.print(str(target), highlight=False, soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
