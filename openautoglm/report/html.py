"""``report.html``: one page that needs no other file, no script and no network, made from a run folder."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from openautoglm.bench.result import FILE_NAME, Results, read_results
from openautoglm.report import evidence, plots, provenance
from openautoglm.report.comparison import comparison
from openautoglm.report.exits import exits
from openautoglm.report.expectation import expectation
from openautoglm.report.headline import header, sentence
from openautoglm.report.markup import Html, el, section
from openautoglm.report.programs import programs
from openautoglm.report.style import CSS

PAGE_NAME = "report.html"


def write_report(run_folder: Path) -> Path:
    """Render ``report.html`` of a run, also of one that has not finished, and return its path.

    Raises:
        ValueError: ``results.json`` is there but broken; an old page is left as it was.
    """
    if not run_folder.is_dir():
        raise ValueError(f"{run_folder} is no folder: give the folder of a run")
    page = render(_results(run_folder), run_folder)
    path = run_folder / PAGE_NAME
    temporary = path.with_name(f".{PAGE_NAME}.{os.getpid()}.tmp")
    try:
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def render(results: Results, run_folder: Path) -> str:
    """The page as text; pictures are read from ``run_folder``."""
    body = [
        header(results),
        expectation(results),
        evidence.models_table(results),
        comparison(results),
        exits(results),
        _tradeoff(results),
        programs(results),
        _curves(results),
        evidence.confusion(results),
        evidence.recall(results),
        evidence.mistakes(results, run_folder),
        evidence.contact_sheet(results, run_folder),
        provenance.stages(results),
        provenance.origin(results),
    ]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        # Nothing may be fetched even if a field of results.json tried to.
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("title", f"{results.recipe}: {sentence(results)}"),
        el("style", Html(CSS)),
    )
    return "<!doctype html>\n" + el("html", head, el("body", el("main", *body)), lang="en") + "\n"


_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def _results(run_folder: Path) -> Results:
    """What is there: ``results.json``, filled up from ``run.json``; a run that has only begun has neither."""
    results = read_results(run_folder) if (run_folder / FILE_NAME).exists() else Results(recipe=run_folder.parent.name)
    if results.command is not None:
        return results
    try:
        command = json.loads((run_folder / "run.json").read_text(encoding="utf-8")).get("command")
    except (OSError, ValueError, AttributeError):
        return results
    if isinstance(command, list):
        command = " ".join(map(str, command))
    return replace(results, command=command) if isinstance(command, str) else results


def _curves(results: Results) -> Html | None:
    """Small multiples, one a stage; the students side by side first."""
    students = {provenance.stage_title(s): results.curves[s] for s in ("alone", "distill") if s in results.curves}
    figures = [("Students on dev", plots.accuracy_figure(dict(students), label="Dev accuracy of the students"))]
    for stage, epochs in results.curves.items():
        title = provenance.stage_title(stage)
        figures.append((title, plots.curve_figure(epochs, title=f"Training curve: {title}")))
    drawn = [el("figure", el("h3", title), Html(svg)) for title, svg in figures if svg is not None]
    return section("Training", el("div", *drawn, class_="figures")) if drawn else None


def _tradeoff(results: Results) -> Html | None:
    drawn = [el("figure", el("h3", title), Html(svg)) for title, svg in plots.tradeoff_figures(results).items()]
    return section("Size, latency, accuracy", el("div", *drawn, class_="figures")) if drawn else None
