"""The artifact's programs beside those of another net: what of its bytes and time is left, and at what accuracy."""

from __future__ import annotations

from openautoglm.bench.result import ComparisonResult, Results
from openautoglm.report import numbers
from openautoglm.report.markup import Html, el, section
from openautoglm.report.tables import RUNTIMES
from openautoglm.runtime.engines import SUFFIXES

HEADINGS = ("Bytes", "Latency", "Accuracy")
NOTES = (
    f"Bytes and latency: of the other net's file, both timed in the same rounds; 1.00{numbers.TIMES} is no change.",
    "Accuracy: points won on pictures that no stage trained on, paired, with the 95 % interval; below zero is a loss.",
)


def comparison(results: Results) -> Html | None:
    """A line a program and method; None where nothing was compared."""
    rows = results.comparisons
    if not rows:
        return None
    judged = any(row.difference is not None for row in rows)
    headings, notes = (HEADINGS, NOTES) if judged else (HEADINGS[:2], NOTES[:1])
    several = len({row.method for row in rows}) > 1
    head = el("tr", el("th", "Program"), *[el("th", heading) for heading in headings])
    body = [_row(row, headings, named=several) for row in rows]
    table = el("table", el("thead", head), el("tbody", *body), class_="models")
    references = ", ".join(dict.fromkeys(row.reference for row in rows))
    return section(f"Beside {references}", table, el("p", " ".join(notes), class_="note"))


def _row(row: ComparisonResult, headings: tuple[str, ...], *, named: bool) -> Html:
    runtimes = {suffix: RUNTIMES[name] for name, suffix in SUFFIXES.items()}
    about = [runtimes.get(row.program.rpartition(".")[2], ""), row.method if named else ""]
    first = el("td", row.program, el("small", " · ".join(filter(None, about))))
    cells = [
        el("td", figure, *[el("small", line) for line in lines], data_label=heading)
        for heading, (figure, lines) in zip(headings, _cells(row), strict=False)
    ]
    return el("tr", first, *cells, class_="file")


def _cells(row: ComparisonResult) -> list[tuple[str, list[str]]]:
    """A figure and smaller notes for each heading."""
    other_kb = row.size_kb / row.size_ratio
    latency, other = row.latency_ms, row.reference_latency_ms
    return [
        (numbers.ratio(row.size_ratio), [numbers.size(row.size_kb), f"of {numbers.size(other_kb)}"]),
        (
            numbers.ratio(row.latency_ratio),
            [
                f"{numbers.milliseconds(latency.median)} ({numbers.quartiles(latency)})",
                f"of {numbers.milliseconds(other.median)} ({numbers.quartiles(other)})",
            ],
        ),
        _accuracy(row),
    ]


def _accuracy(row: ComparisonResult) -> tuple[str, list[str]]:
    if row.difference is None:
        return numbers.MISSING, []
    lines = [f"{numbers.percent(row.top1)} against {numbers.percent(row.reference_top1)}"]
    if row.ci95 is not None:
        lines.insert(0, f"{numbers.points(-row.ci95[1])} to {numbers.points(-row.ci95[0])}")
    return numbers.points(-row.difference), [*lines, f"on {numbers.count(row.num_samples)} pictures"]
