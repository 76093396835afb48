"""What the page is told, as plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openautoglm.bench.result import Results, read_results
from openautoglm.report import numbers
from openautoglm.report.expectation import what_to_expect
from openautoglm.studio.files import handouts
from openautoglm.studio.projects import GOOD_PICTURES, LEAST_PICTURES, Project
from openautoglm.studio.training import Status
from openautoglm.studio.trying import Answer

Plain = dict[str, Any]
_ALIKE = (
    " Frames of one recording are alike as well: where each gesture was recorded twice or more, recordings are kept "
    "apart for this figure."
)


def project_view(project: Project) -> Plain:
    """Gestures, their pictures and what is missing."""
    return {
        "name": project.name,
        "folder": str(project.folder),
        "gestures": [
            {"name": gesture.name, "pictures": gesture.pictures, "num_sessions": gesture.num_sessions}
            for gesture in project.gestures()
        ],
        "needs": project.needs(),
        "least": LEAST_PICTURES,
        "good": GOOD_PICTURES,
    }


def status_view(status: Status, busy: str | None) -> Plain:
    """How a training stands.

    Args:
        status: of the project that is shown.
        busy: name of the project that is being trained, None where there is none.
    """
    plain: Plain = {
        "state": status.state,
        "busy": busy,
        "share": round(status.sight.share, 4),
        "stage": status.sight.stage,
        "fold": status.sight.fold,
        "num_folds": status.sight.num_folds,
        "trainings": status.sight.trainings,
        "seconds_left": status.seconds_left,
        "can_go_on": status.can_go_on,
        "is_current": status.is_current,
        "error": status.error,
        "result": None if status.result is None else result_view(status.result),
    }
    if status.record is not None:
        plain |= {"run": status.record.run, "num_pictures": status.record.num_pictures}
    return plain


def result_view(run: Path) -> Plain:
    """What came out of a run, in words that promise no more than was measured."""
    results = read_results(run)
    return {
        "run": str(run),
        "classes": results.data.classes if results.data else (),
        "accuracy": _accuracy(results),
        "seconds": results.seconds,
        "num_doubted": len(results.estimate.suspects) if results.estimate else 0,
        "problems": results.data.problems if results.data else (),
        "files": [
            {
                "name": file.name,
                "meaning": file.meaning,
                "runtime": file.runtime,
                "size": numbers.size(file.path.stat().st_size / 1000),
                "latency": _latency(results, file.name),
            }
            for file in handouts(run)
        ],
    }


def answer_view(answer: Answer) -> Plain:
    """Label, score, box and latency."""
    return {
        "hands": [{"label": hand.label, "score": hand.score, "box_px": hand.box_px} for hand in answer.hands],
        "latency_ms": round(answer.latency_ms, 3),
        "width": answer.width,
        "height": answer.height,
    }


def _accuracy(results: Results) -> Plain:
    found = results.estimate
    if found is None:
        text = "Not measured: all pictures were learnt from, and none was set aside to ask about."
        return {"top1": None, "low": None, "high": None, "text": text}
    low, high = found.ci95 if found.ci95 else (None, None)
    text = what_to_expect(found) + (_ALIKE if found.grouped_by is None else "")
    return {"top1": found.top1, "low": low, "high": high, "text": text}


def _latency(results: Results, name: str) -> str | None:
    row = results.model(name)
    return None if row is None or row.latency_ms is None else numbers.milliseconds(row.latency_ms.median)
