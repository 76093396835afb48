"""The model card, written from the manifest and nothing else."""

from __future__ import annotations

from typing import Any

_AP, _GOLD = "hand AP50", "top-1 at true boxes"


def write_card(manifest: dict[str, Any]) -> str:
    """README.md of an artifact.

    Args:
        manifest: what ``manifest.json`` will hold.
    """
    data = manifest["data"]
    spotter = manifest.get("spotter")
    finds = any("glance" in program["methods"] for program in manifest["programs"].values())
    on_frames = finds and spotter is None
    what = "Finds the hands in a picture and names each" if finds else "Names the hand on a crop"
    columns = ["model", "runtime", "kind", "top-1 on test", *([_AP, _GOLD] if on_frames else []), "KB", "ms"]
    lines = [
        f"# {manifest['name']}",
        "",
        f"{what} by one of {len(manifest['labels'])} gestures, on crops of {data['image_size']} x "
        f"{data['image_size']} pixels: {', '.join(manifest['labels'])}.",
        "",
        "## Figures",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *[_row(row, on_frames=on_frames) for row in manifest["figures"]],
        "",
        " ".join([_judged(manifest), *_timed(manifest)]),
        "",
        *([_found_by(manifest), ""] if spotter else []),
        *_sources(manifest),
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


def measured_on(manifest: dict[str, Any]) -> str | None:
    """The processor that its milliseconds were measured on, and what that computes INT8 by; None if it does not say."""
    device = manifest.get("device") or {}
    if not device.get("cpu"):
        return None
    return f"{device['cpu']}, INT8 by {device['int8']}" if device.get("int8") else str(device["cpu"])


def _timed(manifest: dict[str, Any]) -> list[str]:
    """Whose milliseconds they are; nothing if the manifest does not say."""
    machine = measured_on(manifest)
    return [] if machine is None else [f"Milliseconds: medians on {machine}."]


def _judged(manifest: dict[str, Any]) -> str:
    """What it was trained on, and how anyone can know what it is worth."""
    data, found = manifest["data"], manifest.get("estimate")
    trained = f"Trained on {data['num_train']} pictures of `{data['name']}`"
    if data["num_test"] or not found:
        return f"{trained}, chosen on {data['num_dev']}, judged on {data['num_test']}; the judged ones chose nothing."
    low, high = found["ci95"]
    return (
        f"{trained}, all there are. By cross-validation in {found['num_folds']} folds, each judged by a net that never "
        f"saw it, {100 * found['top1']:.1f} % of new pictures can be expected to be named right (95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f} %). A score below {found['reject_below']:.2f} is answered `unknown`."
    )


def _found_by(manifest: dict[str, Any]) -> str:
    """Whose glance finds the hands, and what the figures say of it."""
    spotter = manifest["spotter"]
    licence = f" (licence of its weights: {spotter['licence']})" if spotter["licence"] else ""
    return (
        f"Hands are found by the glance of `{spotter['name']}`{licence}, in programs of its own (`model.glance.*`), "
        f"and named by a look at a crop of each (`model.*`). In training {manifest['data']['crops']}. Figures and "
        "milliseconds are those of the look at such crops; what the glance does not find is not in them."
    )


def _sources(manifest: dict[str, Any]) -> list[str]:
    """Whose data is in it, and what that asks for; nothing if the manifest does not say."""
    if not manifest.get("sources"):
        return []
    named = [f"- {text}" for text in manifest["sources"].values()]
    return ["## Data and licence", "", f"Licence of the weights: {manifest['licence']}. Trained on", "", *named, ""]


def _row(row: dict[str, Any], *, on_frames: bool) -> str:
    """One row of the table of figures."""
    latency = row.get("latency_ms") or {}
    found = [_number(row.get(name), 100, ".2f", " %") for name in ("hand_ap50", "top1_gold_box")]
    cells = [
        row["name"],
        row["runtime"],
        row["kind"],
        _number(row.get("top1"), 100, ".2f", " %"),
        *(found if on_frames else []),
        _number(row.get("size_kb"), 1, ".0f"),
        _number(latency.get("median"), 1, ".2f"),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, factor: float, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value * factor:{form}}{unit}"
