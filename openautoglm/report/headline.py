"""The top of the page: one sentence, what it stands on, and the tiles."""

from __future__ import annotations

from openautoglm.bench.paired import Interval, wilson_interval
from openautoglm.bench.result import ModelResult, Results
from openautoglm.report import numbers
from openautoglm.report.markup import Html, el
from openautoglm.report.tables import KINDS, RUNTIMES


def header(results: Results) -> Html:
    """Title, warnings, context and tiles."""
    started = (results.started or "").replace("T", " ")[:16]
    eyebrow = " · ".join(filter(None, ["openautoglm", results.recipe, started, _seed(results)]))
    return el(
        "header",
        el("p", eyebrow, class_="eyebrow"),
        el("h1", sentence(results)),
        banner(results),
        el("p", context(results), class_="lead") if context(results) else None,
        tiles(results),
    )


def sentence(results: Results) -> str:
    """Accuracy, size and latency of the model that the run is about."""
    model = numbers.primary(results)
    if model is None:
        return f"{results.recipe}: no model has been tested yet"
    what = f"The {KINDS[model.kind]} file {model.name}" if model.runtime != "eager" else f"The {model.name}"
    text = f"{what} {_accuracy(results, model)}"
    cost = []
    if model.size_kb is not None:
        cost.append(f"takes {numbers.size(model.size_kb)}")
    if model.latency_ms is not None:
        cost.append(f"answers in {numbers.milliseconds(model.latency_ms.median)}")
    return ", ".join([text, *cost[:-1]]) + (f" and {cost[-1]}" if cost else "")


def _accuracy(results: Results, model: ModelResult) -> str:
    if model.top1 is None and results.estimate is not None:
        return f"can be expected to name {numbers.percent(results.estimate.top1)} of new pictures right"
    num_test = results.data.num_test if results.data else None
    pictures = f"{numbers.count(num_test)} test pictures" if num_test else "the test pictures"
    return f"names {numbers.percent(model.top1)} of {pictures} right"


def context(results: Results) -> str:
    """Which student, teacher and data; where it was measured."""
    model, parts = numbers.primary(results), []
    if model is None and results.data is None:
        return ""
    student = model.architecture if model and model.architecture else "The student"
    teacher = results.model("teacher")
    if teacher is not None:
        student += f", taught by {teacher.architecture or 'a larger teacher'}"
    if results.data is not None:
        student += f", on {results.data.name}"
        student += f" ({len(results.data.classes)} classes)" if results.data.classes else ""
    parts.append(f"{student}.")
    if model is not None and model.runtime != "eager":
        threads = model.latency_ms.num_threads if model.latency_ms else None
        where = f"Measured in {RUNTIMES.get(model.runtime, model.runtime)}"
        where += f" on {threads} thread{'s' if threads != 1 else ''}" if threads else ""
        where += f" of {results.device.cpu}" if results.device and results.device.cpu else ""
        parts.append(f"{where}.")
    return " ".join(parts)


def banner(results: Results) -> Html | None:
    """Said first where a reader could take the page for more than it is."""
    done = ", ".join(stage.name for stage in results.stages) or "none"
    lines = []
    if results.status == "running":
        lines.append(f"This run has not finished; resume= continues it. Stages done: {done}.")
    if results.status == "failed":
        reason = f" {results.error}" if results.error else ""
        lines.append(f"This run failed. Stages done: {done}.{reason}")
    if not results.measured:
        lines.append("The figures are simulated, not measured.")
    return (
        el("p", *[Html(el("span", line) + el("br")) for line in lines], class_="banner", role="alert")
        if lines
        else None
    )


def tiles(results: Results) -> Html | None:
    """Up to five figures."""
    model = numbers.primary(results)
    found = []
    if model is not None:
        found = [_accuracy_tile(results, model), _size_tile(model), _latency_tile(model)]
    found += [_gain_tile(results), _cost_tile(results)]
    shown = [tile for tile in found if tile is not None]
    return el("div", *shown, class_="tiles") if shown else None


def accuracy_interval(results: Results, model: ModelResult) -> Interval | None:
    """Wilson's 95 % interval of a test accuracy."""
    num_test = results.data.num_test if results.data else None
    if model.top1 is None or not num_test or not 0 <= model.top1 <= 1:
        return None
    return wilson_interval(round(model.top1 * num_test), num_test)


def _accuracy_tile(results: Results, model: ModelResult) -> Html:
    found = results.estimate
    if model.top1 is None and found is not None:
        note = f"95{numbers.THIN}% interval {numbers.extent(*found.ci95)}" if found.ci95 else ""
        return _tile("Expected accuracy", numbers.percent(found.top1), note)
    interval = accuracy_interval(results, model)
    note = f"95{numbers.THIN}% interval {numbers.extent(interval.low, interval.high)}" if interval else ""
    return _tile(f"{KINDS[model.kind]} accuracy", numbers.percent(model.top1), note)


def _size_tile(model: ModelResult) -> Html | None:
    if model.size_kb is None:
        return None
    return _tile("File", numbers.size(model.size_kb), _of_float(model.size_ratio))


def _latency_tile(model: ModelResult) -> Html | None:
    if model.latency_ms is None:
        return None
    return _tile("Latency, median", numbers.milliseconds(model.latency_ms.median), _of_float(model.latency_ratio))


def _gain_tile(results: Results) -> Html | None:
    alone, distilled = results.model("student alone"), results.model("student distilled")
    if alone is None or distilled is None or alone.top1 is None or distilled.top1 is None:
        return None
    note = f"points over the student alone, {numbers.percent(alone.top1)}; one seed"
    return _tile("Teacher's gain", numbers.points(distilled.top1 - alone.top1, 1), note)


def _cost_tile(results: Results) -> Html | None:
    cost = results.int8_cost
    if cost is None:
        return None
    note = f"points on {numbers.count(cost.num_samples)} pictures"
    if cost.ci95 is not None:
        note += f"; 95{numbers.THIN}% interval {numbers.points(-cost.ci95[1], 2)} to {numbers.points(-cost.ci95[0], 2)}"
    return _tile("INT8 against float", numbers.points(-cost.difference, 2), note)


def _tile(name: str, figure: str, note: str) -> Html:
    return el("div", el("span", name, class_="name"), el("b", figure), el("span", note), class_="tile")


def _of_float(ratio: float | None) -> str:
    return "" if ratio is None else f"{numbers.ratio(ratio)} its float export"


def _seed(results: Results) -> str:
    return "" if results.seed is None else f"seed {results.seed}"
