"""What each exported INT8 program runs: its census, in words."""

from __future__ import annotations

from typing import Any

from openautoglm.bench.result import ModelResult, Results
from openautoglm.report import numbers
from openautoglm.report.markup import Html, el, facts, section
from openautoglm.report.tables import RUNTIMES

MAX_NAMES = 12


def programs(results: Results) -> Html | None:
    """One block a file: what is in INT8, what stayed float, what is fused, what fell back."""
    files = [m for m in results.models if m.kind != "float" and m.runtime != "eager" and m.census]
    if not files:
        return None
    return section("What each program runs", el("div", *map(_program, files), class_="columns"))


def _program(model: ModelResult) -> Html:
    census = model.census or {}
    heavy = numbers.float_heavy(model)
    listed = facts({
        "In INT8": _counts(census.get("int8_heavy")),
        "Heavy, in float": _names(heavy) if heavy else "none",
        "Attention products": _counts(census.get("matmul")),
        "Other operations": _counts(census.get("other")),
        "Fused activations": _number(census.get("num_fused_activations")),
        "Pieces for the delegate": _number(census.get("num_partitions")),
        "Outside the delegate": _names(census.get("outside")),
    })  # fmt: skip
    return el("div", el("h3", f"{model.name}, {RUNTIMES.get(model.runtime, model.runtime)}"), listed)


def _counts(counts: Any) -> str | None:
    if not isinstance(counts, dict) or not counts:
        return None
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1] if isinstance(pair[1], int) else 0, str(pair[0])))
    return _names([f"{number} {name}" for name, number in ranked])


def _names(names: Any) -> str | None:
    if not isinstance(names, list | tuple) or not names:
        return None
    left = len(names) - MAX_NAMES
    return ", ".join(map(str, names[:MAX_NAMES])) + (f" and {left} more" if left > 0 else "")


def _number(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and value > 0 else None
