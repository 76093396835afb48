"""Verify: every exported program in its own runtime, against eager and against its float export.

Only a program whose convolutions and linear layers all run in INT8 gets into ``artifact/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openautoglm.artifacts import build_model
from openautoglm.bench.latency import Latency, measure
from openautoglm.bench.origin import collect_device
from openautoglm.bench.result import ExitsResult, ModelResult, Results, to_plain
from openautoglm.data.hands import crops_of
from openautoglm.models import Exportable
from openautoglm.report.exits import exits_sentence
from openautoglm.stages.exams import CropExam, Exam, FrameExam
from openautoglm.stages.exits import ExitExam, macs_of
from openautoglm.stages.exported import Exported, describe, open_exported, refuse_float, shown
from openautoglm.stages.programs import RESIZE
from openautoglm.stages.run import STRAYS, Outcome, Run, results_of
from openautoglm.stages.spotter import glance_files, with_glance
from openautoglm.types import Artifact
from openautoglm.zoo import cards, store

MAX_EAGER_DIFFERENCE = 0.005
"""Accuracy that a file may differ by from the eager quantised model it was made of."""


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Measures the programs of ``export/`` and makes the artifact.

    Attributes:
        rounds: of the latency measurement, INT8 and float in turn.
        num_threads: of each runtime.
        cost: also measure what INT8 costs in accuracy, paired, on test, dev and holdout together; of a
            net for whole frames what it costs the look, on the crops that frames are composed of.
        groups: name to classes whose accuracy is also told apart.
        max_loss: accuracy on dev that the thresholds of a net for whole frames may cost together.
        max_exit_loss: accuracy on dev that it may cost to believe the early exits of a net that has some.
    """

    rounds: int = 50
    num_threads: int = 1
    cost: bool = False
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_loss: float = 0.005
    max_exit_loss: float = 0.002

    def __call__(self, run: Run) -> Outcome:
        """Leave the result in ``artifact/``."""
        self._check_groups(run)
        model = build_model(run.find_stage("quantize").config)
        assert isinstance(model, Exportable)
        programs = open_exported(run, model.programs(), num_threads=self.num_threads)
        refuse_float(programs)
        exam = self._exam(run, model, programs)
        figures = {name: exam.figures(program) for name, program in programs.items()}
        latency = measure(
            {name: exam.call(program) for name, program in programs.items()},
            rounds=2 if run.quick else self.rounds,
            num_threads=self.num_threads,
        )
        rows = [*exam.in_eager(results_of(run).models)]
        rows += [_row(run, programs, name, figures[name], latency) for name in programs]
        main = next(iter(programs.values()))
        facts = exam.facts(main)
        exits: ExitsResult | None = facts.get("exits")
        if exits is not None and exits.sure is not None and run.frames is None:
            rows.append(_exits_row(run, main, exits))
        _build_artifact(run, programs, rows, facts)
        said = [] if exits is None else [exits_sentence(exits)]
        if (spotter := _spotter(run)) is not None:
            said.append(f"{spotter.manifest['name']} finds the hands of whole pictures")
        return Outcome(note="; ".join([_note(rows), *said]), models=tuple(rows), facts=facts)

    def _exam(self, run: Run, model: Exportable, programs: Mapping[str, Exported]) -> Exam:
        exits = ExitExam(
            macs=macs_of(model.programs()),
            max_loss=self.max_exit_loss,
            rounds=self.rounds,
            num_threads=self.num_threads,
        )
        if run.frames is not None:
            main = next(iter(programs.values()))
            cost = self.cost and run.frames.crops is not None
            return FrameExam(run, main, twins=programs, cost=cost, max_loss=self.max_loss, exits=exits)
        return CropExam(run, groups=self.groups, cost=self.cost, twins=programs, exits=exits)

    def _check_groups(self, run: Run) -> None:
        known = run.source.class_names()
        for name, classes in self.groups.items():
            unknown = [label for label in classes if label not in known]
            if unknown:
                raise ValueError(
                    f"stages.verify.groups.{name} names {', '.join(unknown)}; the data has {', '.join(known)}"
                )


def _row(
    run: Run, programs: Mapping[str, Exported], name: str, figures: dict[str, Any], latency: Mapping[str, Latency]
) -> ModelResult:
    """One row of the table."""
    program = programs[name]
    is_small = program.kind != "float"
    return ModelResult(
        name=program.shown,
        kind=program.kind,
        runtime=program.backend.name,
        architecture=run.model,
        size_kb=program.num_bytes / 1e3,
        size_ratio=program.num_bytes / programs[program.twin].num_bytes if is_small else None,
        latency_ms=latency[name].to_result(),
        latency_ratio=latency[name].median_ms / latency[program.twin].median_ms if is_small else None,
        census=program.census.to_dict(),
        **figures,
    )


def _exits_row(run: Run, program: Exported, exits: ExitsResult) -> ModelResult:
    """The main program once more, its looks ending early."""
    return ModelResult(
        name=f"{program.shown}, early exits",
        kind=program.kind,
        runtime=program.backend.name,
        architecture=run.model,
        top1=exits.top1,
        macs=exits.macs,
        latency_ms=exits.latency_ms,
    )


def _build_artifact(run: Run, programs: Mapping[str, Exported], rows: list[ModelResult], facts: dict[str, Any]) -> None:
    """Put the checked files, the integers and the figures together, and the glance of a spotter that cut the crops."""
    quantized = run.find_stage("quantize")
    results = results_of(run)
    for row in rows:
        results = results.with_model(row)
    shipped = [program for program in programs.values() if program.kind != "float"]
    spotter = _spotter(run)
    glances = [] if spotter is None else glance_files(spotter, {program.backend.name for program in shipped})
    config = quantized.config
    if "thresholds" in facts:
        chosen = facts["thresholds"]["thresholds"]
        config = {**config, "thresholds": {**(config.get("thresholds") or {}), **chosen}}
    if spotter is not None:
        config = with_glance(config, spotter)
    manifest = {
        **_origin(run, results),
        "labels": list(config["classes"]),
        "resize": RESIZE,
        "programs": {**_described(shipped), **{glance.name: glance.described for glance in glances}},
        "figures": to_plain(results.models),
        "int8_cost": to_plain(facts.get("int8_cost")),
        "thresholds": facts.get("thresholds"),
        "estimate": to_plain(results.estimate),
        "spotter": None if spotter is None else _named(spotter),
    }

    def write(fresh: Path) -> None:
        store.write_json(fresh / "config.json", config)
        for name in ("model.safetensors", "quantization.json"):
            shutil.copyfile(quantized.folder / name, fresh / name)
        (fresh / "programs").mkdir()
        for program in shipped:
            for path in program.all_files:
                shutil.copyfile(path, fresh / "programs" / shown(path.name))
        for glance in glances:
            glance.copy_into(fresh)
        (fresh / "README.md").write_text(cards.write_card(manifest), encoding="utf-8")

    store.build(run.artifact, write, manifest)


def _origin(run: Run, results: Results) -> dict[str, Any]:
    """How the artifact came about."""
    return {
        "name": f"{run.model} trained by {run.recipe}",
        "recipe": run.recipe,
        "command": run.command,
        "seed": run.seed,
        "data": to_plain(results.data),
        "versions": results.versions,
        # of the programs' milliseconds: a training may have run elsewhere, and each says its own threads
        "device": to_plain(collect_device(num_threads=None, accelerator="cpu")),
        "commit": results.commit,
    }


def _described(shipped: Sequence[Exported]) -> dict[str, Any]:
    """Inputs and outputs of each file."""
    return {
        f"programs/{shown(path.name)}": describe(program.backend, path, program.outputs)
        for program in shipped
        for path in program.files
    }


def _spotter(run: Run) -> Artifact | None:
    """The net that cropped the pictures of a run; None where they came as crops."""
    crops = crops_of(run.source)
    return None if crops is None else store.find(crops.spotter)


def _named(spotter: Artifact) -> dict[str, Any]:
    """Whose glance is in the artifact, and on what terms."""
    return {"name": spotter.manifest["name"], "licence": spotter.manifest.get("licence")}


def _note(rows: list[ModelResult]) -> str:
    """The INT8 files in a few words, with a warning where one strays from eager."""
    parts = []
    for row in rows:
        if row.kind != "float" and row.latency_ms is not None:
            strays = abs(row.top1_minus_eager or 0.0) > MAX_EAGER_DIFFERENCE
            warning = f" {STRAYS}" if strays else ""
            accuracy = "" if row.top1 is None else f" {100 * row.top1:.2f} %"
            parts.append(f"{row.name}{accuracy} {row.latency_ms.median:.2f} ms{warning}")
    return ", ".join(parts)
