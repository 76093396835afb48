"""``python -m openautoglm list`` and ``info``: what there is, and what a manifest says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from openautoglm.cli.errors import OK
from openautoglm.types import WEIGHTS
from openautoglm.zoo import store
from openautoglm.zoo.listing import describe, list_models
from openautoglm.zoo.release import release

_NUMBERS = ("classes", "KB", "top-1 %", "ms")


def print_models() -> int:
    """Print the released models."""
    models = list_models()
    if not models:
        print("no model is released with this version; train one:  python scripts/train.py recipe=distill_int8")
        return OK
    table = _table("name", "task", "classes", "KB", "top-1 %", "ms", "data")
    for model in models:
        table.add_row(
            model.name,
            model.task,
            str(len(model.classes)),
            _number(model.size_kb, ".0f"),
            _number(model.top1, ".1f", 100),
            _number(model.latency_ms, ".2f"),
            model.data or "",
        )
    console = Console(highlight=False)
    console.print(table)
    # below: beside the figures it would fold every row at 80 columns
    for what, known in (
        ("ms on ", {model.name: model.measured_on for model in models}),
        ("", {model.name: model.licence for model in models}),
    ):
        for text in dict.fromkeys(filter(None, known.values())):
            names = ", ".join(name for name, said in known.items() if said == text)
            console.print(f"[dim]{what}{escape(text)}: {escape(names)}[/]", soft_wrap=True)
    return OK


def release_run(run: str, name: str, sources: Sequence[str], weights: str | None = None) -> int:
    """Put a finished run among the released models."""
    artifact = release(run, name, sources=sources, weights=weights)
    size_kb = sum(entry["bytes"] for entry in artifact.manifest["files"].values()) / 1e3
    print(f"{name}: {size_kb:.0f} KB in {artifact.folder}")
    return OK


def print_info(name_or_folder: str) -> int:
    """Print what config and manifest of an artifact say, after its checksums were verified."""
    artifact = store.find(name_or_folder)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    manifest = artifact.manifest
    model = describe(artifact)
    console.print(model.name, style="bold")
    rows = {
        "task": model.task,
        "spotter": artifact.config.get("spotter"),
        "classes": f"{len(model.classes)}: {', '.join(model.classes)}",
        "image": f"{model.image_size} px",
        "data": model.data,
        "licence": model.licence,
        "made by": manifest.get("command"),
        "commit": manifest.get("commit"),
        "thresholds": _pairs(artifact.config.get("thresholds") or {}),
    }
    for title, text in rows.items():
        if text:
            console.print(f"{title:<12}{text}")
    if manifest.get("programs"):
        console.print()
        for line in _programs(manifest):
            console.print(line)
    if manifest.get("figures"):
        console.print()
        console.print(_figures(manifest["figures"]))
    console.print(f"\n{len(manifest['files'])} files, all as their checksums say")
    return OK


def _programs(manifest: dict[str, Any]) -> Iterator[str]:
    """A line a program and one a method."""
    for file, program in manifest["programs"].items():
        yield f"{file}  {_kb(manifest, file)}, {program['runtime']}"
        for weights in program.get(WEIGHTS, ()):
            yield f"  weights: {weights}  {_kb(manifest, weights)}"
        for method, tensors in program["methods"].items():
            inputs, outputs = (", ".join(_tensor(tensor) for tensor in tensors[side]) for side in ("inputs", "outputs"))
            yield f"  {method}: {inputs} -> {outputs}"


def _kb(manifest: dict[str, Any], file: str) -> str:
    return f"{manifest['files'][file]['bytes'] / 1e3:.0f} KB"


def _figures(rows: list[dict[str, Any]]) -> Table:
    table = _table("model", "runtime", "kind", "top-1 %", "KB", "ms")
    for row in rows:
        latency = row.get("latency_ms") or {}
        table.add_row(
            row["name"],
            row["runtime"],
            row["kind"],
            _number(row.get("top1"), ".2f", 100),
            _number(row.get("size_kb"), ".0f"),
            _number(latency.get("median"), ".2f"),
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold", no_wrap=name == "name")
    return table


def _tensor(tensor: dict[str, Any]) -> str:
    return f"{tensor['name']} {tensor['dtype']} {'x'.join(str(size) for size in tensor['shape'])}"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _number(value: float | None, form: str, factor: float = 1.0) -> str:
    return "" if value is None else f"{value * factor:{form}}"
