"""The foot of the page: seconds a stage, the command, the data, versions and device."""

from __future__ import annotations

from openautoglm.bench.result import Results, StageResult
from openautoglm.report import numbers
from openautoglm.report.markup import Html, el, facts, section

STAGES = {
    "prune": "Student pruned",
    "teach": "Teacher",
    "alone": "Student alone",
    "distill": "Student distilled",
    "quantize": "Student QAT",
    "export": "Export",
    "verify": "Verify",
    "compare": "Compare",
    "report": "Report",
}


def stage_title(name: str) -> str:
    """A stage as people call it."""
    return STAGES.get(name, name)


def stages(results: Results) -> Html | None:
    """How long each stage took."""
    if not results.stages:
        return None
    longest = max((stage.seconds or 0 for stage in results.stages), default=0) or 1
    bars = [_stage_bar(stage, longest) for stage in results.stages]
    total = f"{numbers.duration(results.seconds)} in all." if results.seconds is not None else None
    reused = " Hatched: taken over from an earlier run." if any(stage.reused for stage in results.stages) else ""
    note = el("p", (total or "") + reused, class_="note") if total or reused else None
    return section("Time of each stage", el("div", *bars, class_="bars"), note)


def origin(results: Results) -> Html:
    """What is needed to run it again and to judge the figures."""
    device = results.device
    machine = {
        "Processor": device.cpu if device else None,
        "INT8 by": device.int8 if device else None,
        "Cores": _number(device.num_cores if device else None),
        "Threads in training": _number(device.num_threads if device else None),
        "Accelerator": device.accelerator if device else None,
        "Commit": results.commit,
        "Started": results.started,
        "Seed": _number(results.seed),
    }
    return section(
        "How to get this again",
        el("pre", results.command) if results.command else el("p", "The command was not recorded.", class_="note"),
        el(
            "div",
            _listed("Run", machine),
            _listed("Versions", dict(results.versions)),
            _data(results),
            class_="columns",
        ),
    )


def _stage_bar(stage: StageResult, longest: float) -> Html:
    width = f"width:{100 * (stage.seconds or 0) / longest:.1f}%"
    track = el("div", el("i", style=width, class_="reused" if stage.reused else None), class_="track")
    value = el("span", numbers.duration(stage.seconds), class_="value")
    note = el("span", stage.note, class_="wide") if stage.note else None
    return el("div", el("span", stage_title(stage.name), class_="name"), track, value, note, class_="bar")


def _listed(title: str, pairs: dict[str, str | None]) -> Html | None:
    return el("div", el("h3", title), facts(pairs)) if any(pairs.values()) else None


def _data(results: Results) -> Html | None:
    data = results.data
    if data is None:
        return None
    listed = facts({
        "Name": data.name,
        "Fingerprint": data.fingerprint,
        "Pictures": _pictures(data.num_train, data.num_dev, data.num_test),
        "Side": f"{data.image_size} px" if data.image_size else None,
        "Crops": data.crops,
        "Classes": f"{len(data.classes)}: {', '.join(data.classes)}" if data.classes else None,
    })  # fmt: skip
    problems = None
    if data.problems:
        problem = "problem" if len(data.problems) == 1 else "problems"
        summary = el("summary", f"{numbers.count(len(data.problems))} {problem} found in the data")
        problems = el("details", summary, el("ul", *[el("li", text) for text in data.problems[:200]]))
    return el("div", el("h3", "Data"), listed, problems)


def _pictures(num_train: int | None, num_dev: int | None, num_test: int | None) -> str:
    named = (("train", num_train), ("dev", num_dev), ("test", num_test))
    return ", ".join(f"{numbers.count(number)} {name}" for name, number in named if number is not None)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
