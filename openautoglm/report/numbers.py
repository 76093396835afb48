"""How figures are written, in the page, the terminal and README alike."""

from __future__ import annotations

from openautoglm.bench.result import LatencyResult, ModelResult, Results

MISSING = DASH = "\u2013"
MINUS = "\u2212"
TIMES = "\u00d7"
THIN = "\u202f"


def percent(share: float | None, digits: int = 1, *, unit: bool = True) -> str:
    """``0.9734`` as ``97.3 %``."""
    if share is None:
        return MISSING
    return f"{100 * share:.{digits}f}" + (f"{THIN}%" if unit else "")


def points(difference: float | None, digits: int = 2) -> str:
    """A difference of two shares in signed percentage points: ``-0.003`` as ``-0.30`` with a true minus."""
    if difference is None:
        return MISSING
    text = f"{100 * difference:+.{digits}f}"
    if float(text) == 0:
        return text[1:]
    return text.replace("-", MINUS)


def count(number: int | None) -> str:
    """``45208`` as ``45,208``."""
    return MISSING if number is None else f"{number:,}"


def magnitude(number: int | None) -> str:
    """``1_070_000`` as ``1.07 M``."""
    if number is None:
        return MISSING
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{THIN}{letter}"
    return str(number)


def size(size_kb: float | None) -> str:
    """Kilobytes of 1,000 bytes, megabytes from one on."""
    if size_kb is None:
        return MISSING
    return f"{size_kb / 1000:.2f}{THIN}MB" if size_kb >= 1000 else f"{size_kb:.0f}{THIN}KB"


def milliseconds(value_ms: float | None, *, unit: bool = True) -> str:
    """Three figures."""
    if value_ms is None:
        return MISSING
    digits = 2 if value_ms < 10 else 1 if value_ms < 100 else 0
    return f"{value_ms:.{digits}f}" + (f"{THIN}ms" if unit else "")


def quartiles(latency: LatencyResult | None) -> str:
    """First and third quartile with a dash between."""
    if latency is None or latency.q1 is None or latency.q3 is None:
        return ""
    return f"{milliseconds(latency.q1, unit=False)}{DASH}{milliseconds(latency.q3, unit=False)}"


def extent(low: float, high: float, digits: int = 1, *, unit: bool = True) -> str:
    """Two shares as one range in percent."""
    return f"{percent(low, digits, unit=False)}{DASH}{percent(high, digits, unit=unit)}"


def ratio(value: float | None) -> str:
    """``0.3123`` as ``0.31`` and the sign of times."""
    return MISSING if value is None else f"{value:.2f}{TIMES}"


def duration(seconds: float | None) -> str:
    """``75.2`` as ``1 min 15 s``."""
    if seconds is None:
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f}{THIN}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{THIN}s"
    if whole < 3600:
        return f"{whole // 60}{THIN}min {whole % 60:02d}{THIN}s"
    return f"{whole // 3600}{THIN}h {whole % 3600 // 60:02d}{THIN}min"


def census_line(model: ModelResult) -> str:
    """How many of the heavy operations run in INT8: ``23 of 24``."""
    census = model.census or {}
    if not isinstance(census.get("int8_heavy"), dict):
        return MISSING
    num_int8 = total(census["int8_heavy"])
    return f"{num_int8} of {num_int8 + len(float_heavy(model))}"


def float_heavy(model: ModelResult) -> tuple[str, ...]:
    """Names of the heavy operations that stayed float."""
    names = (model.census or {}).get("float_heavy")
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def total(counts: object) -> int:
    """Sum of a census's counts by name."""
    return sum(value for value in counts.values() if isinstance(value, int)) if isinstance(counts, dict) else 0


def primary(results: Results) -> ModelResult | None:
    """The model a headline speaks of: the first exported INT8 file, else the furthest model that has a figure.

    Without pictures to spare for a test its accuracy is an estimate, see ``EstimateResult``.
    """
    judged = [m for m in results.models if m.top1 is not None or results.estimate is not None]
    exported = [m for m in judged if m.kind != "float" and m.runtime != "eager"]
    if exported:
        return next((m for m in exported if m.runtime == "executorch"), exported[0])
    students = [m for m in results.models if m.runtime == "eager" and m.top1 is not None and m.name != "teacher"]
    return students[-1] if students else None
