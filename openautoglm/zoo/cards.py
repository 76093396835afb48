"""The model card, written from the manifest and nothing else."""

from __future__ import annotations

from typing import Any


def write_card(manifest: dict[str, Any]) -> str:
    """README.md of an artifact.

    Args:
        manifest: what ``manifest.json`` will hold.
    """
    data = manifest["data"]
    lines = [
        f"# {manifest['name']}",
        "",
        f"Names one of {len(manifest['labels'])} hand gestures on a crop of {data['image_size']} x "
        f"{data['image_size']} pixels: {', '.join(manifest['labels'])}.",
        "",
        "## Figures",
        "",
        "| model | runtime | kind | top-1 on test | KB | ms |",
        "|---|---|---|---|---|---|",
        *[_row(row) for row in manifest["figures"]],
        "",
        f"Trained on {data['num_train']} pictures of `{data['name']}`, chosen on {data['num_dev']}, "
        f"judged on {data['num_test']}; the judged ones chose nothing.",
        "",
        "## Input and output",
        "",
        f"RGB in [0, 1]; {manifest['resize']}. Shapes, types, scales and zero points of each program stand in "
        "`manifest.json`.",
        "",
        "## How it was made",
        "",
        f"    {manifest['command']}",
        "",
        f"Seed {manifest['seed']}; torch {manifest['versions'].get('torch', 'unknown')}.",
        "",
    ]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    """One row of the table of figures."""
    latency = row.get("latency_ms") or {}
    cells = [
        row["name"],
        row["runtime"],
        row["kind"],
        _number(row.get("top1"), 100, ".2f", " %"),
        _number(row.get("size_kb"), 1, ".0f"),
        _number(latency.get("median"), 1, ".2f"),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, factor: float, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value * factor:{form}}{unit}"
