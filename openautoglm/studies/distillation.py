"""Does a teacher lift the student, and by which method?

Every method trains the same student on the same labelled data for the same number of epochs, with the same seeds and
beside the same teacher; one student has none. ``dev`` chooses the method; then that method and the student without a
teacher are judged on ``test``, once. One data set a study: the method that one of them chose is judged on another with
``study.chosen=NAME``. Rows with unlabelled pictures make more steps, for their batches hold fewer labelled ones.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from openautoglm.artifacts import load_model, save_model
from openautoglm.bench.methods import ALONE, MethodRow, best_on_dev, gain_on_test, summarize_methods
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import to_plain
from openautoglm.data.base import Source
from openautoglm.data.cache import content_key
from openautoglm.data.transforms import Augment
from openautoglm.losses import Loss
from openautoglm.report.methods import draw_methods, methods_markdown
from openautoglm.stages.evaluate import predict, top1
from openautoglm.stages.run import Run
from openautoglm.stages.teach import Teach
from openautoglm.stages.training import fresh_student, student_config, unlabelled_classes
from openautoglm.studies.rows import begin_row, keep_row
from openautoglm.studies.trainings import run_of
from openautoglm.train import FitSettings, LitClassify, LitDistill, LitTask, OneCycle, clean, fit
from openautoglm.zoo import store

_TEACHER, _FIGURES = "teacher.json", "figures.json"


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to learn from a teacher.

    Attributes:
        losses: name to distillation loss.
        label_weight: factor of the cross-entropy on the labels.
        unlabelled_fraction: part of each batch that is drawn from the data set's unlabelled pictures.
    """

    losses: Mapping[str, Loss]
    label_weight: float = 1.0
    unlabelled_fraction: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DistillationStudy:
    """Methods x seeds on ``dev``, the best of them against no teacher on ``test``.

    Attributes:
        data: crops of hands.
        methods: name to method.
        teach: the teacher, or where it lies.
        seeds: of the comparison on dev; none where ``chosen`` was found on other data.
        final_seeds: of the comparison on test.
        chosen: method that is judged on test; None takes the best mean on dev.
        model: name of the student's architecture.
        augment: changes to training pictures.
        epochs: passes over the training split, for every student.
        batch_size: pictures a step.
        learning_rate: at the peak of the cycle.
        weight_decay: of matrices and kernels.
        label_smoothing: of the student without a teacher.
    """

    data: Source
    methods: Mapping[str, Method]
    teach: Teach
    seeds: Sequence[int] = (0, 1, 2)
    final_seeds: Sequence[int] = (0, 1, 2, 3, 4)
    chosen: str | None = None
    model: str = "openautoglm-small"
    augment: Augment = field(default_factory=Augment)
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        """Refuse names that cannot be told apart or are not there."""
        if not self.methods or ALONE in self.methods:
            raise ValueError(f"study.methods should name at least one method, and none {ALONE!r}: every study has that")
        if self.chosen is not None and self.chosen not in self.methods:
            raise ValueError(f"study.chosen={self.chosen} is none of the methods: {', '.join(self.methods)}")
        if not self.seeds and self.chosen is None:
            raise ValueError("study.seeds is empty, so dev chooses nothing: name the method by study.chosen=")

    def __call__(self, folder: Path, *, settings: FitSettings) -> dict[str, Any]:
        """Measure; trainings, the figures so far, their table and their picture lie in ``folder``.

        The same command with the same folder goes on: a training that is done is not repeated, an unfinished one goes
        on at its last epoch, and no student is judged on test twice.
        """
        teacher_key = self._teacher(folder, settings)
        rows: dict[tuple[str, int], MethodRow] = {}
        for seed in self.seeds:
            for method in (ALONE, *self.methods):
                rows[method, seed] = self._row(folder, settings, method, seed, teacher_key)
                self._write(folder, list(rows.values()), None)
        chosen = self.chosen or best_on_dev(summarize_methods(list(rows.values())))
        settings.console.print(f"judged on test: {chosen}, which {'was given' if self.chosen else 'dev chooses'}")
        for seed in self.final_seeds:
            for method in (ALONE, chosen):
                row = self._row(folder, settings, method, seed, teacher_key)
                rows[method, seed] = row if row.top1_test is not None else self._judged(folder, row)
                self._write(folder, list(rows.values()), None)
        return self._write(folder, list(rows.values()), chosen)

    def _teacher(self, folder: Path, settings: FitSettings) -> str:
        """Leave the teacher in ``teach/``; returns the hash of its weights."""
        place, told = folder / "teach", folder / _TEACHER
        key = content_key(self.teach, self.data.load("train").fingerprint)
        if told.exists() and json.loads(told.read_text(encoding="utf-8"))["key"] != key:
            raise ValueError(f"{place} holds a teacher of other settings or data: give another out=")
        store.write_json(told, {"key": key})
        if not (place / "manifest.json").exists():
            outcome = self.teach(run_of(self, folder, model=self.model, settings=settings, seed=0))
            settings.console.print(f"teacher: {outcome.note}")
            clean(place)
        return str(store.find(place).manifest["files"]["model.safetensors"]["sha256"])

    def _row(self, folder: Path, settings: FitSettings, method: str, seed: int, teacher_key: str) -> MethodRow:
        """A training, from its folder if it is done."""
        place = _place(folder, method, seed)
        row = MethodRow(**begin_row(place, asdict(MethodRow(method, seed, self._key(method, seed, teacher_key)))))
        if row.top1_dev is not None:
            return row
        start = time.perf_counter()
        run = run_of(self, place, model=self.model, settings=settings, seed=seed)
        model, num_steps = self._trained(run, method, folder / "teach")
        dev = run.load("dev")
        row = replace(
            row,
            top1_dev=top1(predict(model, dev), dev),
            num_steps=num_steps,
            seconds=round(time.perf_counter() - start, 1),
        )
        keep_row(place, asdict(row))
        clean(place)
        settings.console.print(
            f"{method}, seed {seed}: dev {100 * (row.top1_dev or 0):.2f} % after {row.seconds:.0f} s"
        )
        return row

    def _key(self, method: str, seed: int, teacher_key: str) -> str:
        """Hash of what shapes a training."""
        given = self.methods.get(method)
        losses = {} if given is None else {name: (type(loss), vars(loss)) for name, loss in given.losses.items()}
        apart = self.label_smoothing if given is None else (given.label_weight, given.unlabelled_fraction, teacher_key)
        numbers = (self.epochs, self.batch_size, self.learning_rate, self.weight_decay)
        splits = [self.data.load(split).fingerprint for split in ("train", "dev")]
        return content_key(seed, losses, apart, numbers, self.model, self.augment, self.data.image_size, splits)

    def _trained(self, run: Run, method: str, teacher: Path) -> tuple[nn.Module, int]:
        """The student with the best weights on dev, and the steps that it took."""
        model = fresh_student(run).to(memory_format=torch.channels_last)
        given, num_classes = self.methods.get(method), len(run.source.class_names())
        optim = OneCycle(learning_rate=self.learning_rate, weight_decay=self.weight_decay)
        lit: LitTask
        if given is None:
            lit = LitClassify(
                model=model, num_classes=num_classes, label_smoothing=self.label_smoothing, optim=optim, seed=run.seed
            )
        else:
            lit = LitDistill(
                model=model,
                teacher=load_model(store.find(teacher)).to(memory_format=torch.channels_last),
                num_classes=num_classes,
                losses=given.losses,
                label_weight=given.label_weight,
                unlabelled_classes=unlabelled_classes(run),
                optim=optim,
                seed=run.seed,
            )
        data = run.data(
            batch_size=self.batch_size, unlabelled_fraction=given.unlabelled_fraction if given is not None else 0.0
        )
        fit(lit, data, folder=run.folder, title=f"{method} {run.seed}", epochs=self.epochs, settings=run.settings)
        save_model(model, run.folder, config=student_config(run), facts={"method": method, "seed": run.seed})
        return model.eval().cpu(), self.epochs * len(data.train_dataloader())

    def _judged(self, folder: Path, row: MethodRow) -> MethodRow:
        """The row with its accuracy on test."""
        place = _place(folder, row.method, row.seed)
        test = self.data.load("test")
        row = replace(row, top1_test=top1(predict(load_model(store.find(place)), test), test))
        keep_row(place, asdict(row))
        return row

    def _write(self, folder: Path, rows: Sequence[MethodRow], chosen: str | None) -> dict[str, Any]:
        """The figures so far; with their table and picture once the chosen method is judged."""
        compared = self.seeds or self.final_seeds
        summaries = summarize_methods([row for row in rows if row.seed in compared])
        gain = None if chosen is None else gain_on_test(rows, chosen, self.final_seeds)
        figures = {
            "study": "distillation",
            "measured": True,
            "complete": chosen is not None,
            "data": {"name": self.data.name, "classes": list(self.data.class_names())},
            "methods": [asdict(summary) for summary in summaries],
            "test": None if gain is None else asdict(gain),
            "rows": [asdict(row) for row in rows],
            "settings": self._settings(),
            "versions": collect_versions(),
            "device": to_plain(collect_device(num_threads=torch.get_num_threads(), accelerator="cpu")),
            "commit": collect_commit(),
        }
        store.write_json(folder / _FIGURES, figures)
        if gain is not None:
            (folder / "methods.md").write_text(methods_markdown(summaries, gain), encoding="utf-8")
            draw_methods(summaries, gain, folder / "methods.png")
        return figures

    def _settings(self) -> dict[str, Any]:
        methods = {
            name: {
                "losses": {key: vars(loss) for key, loss in method.losses.items()},
                "label_weight": method.label_weight,
                "unlabelled_fraction": method.unlabelled_fraction,
            }
            for name, method in self.methods.items()
        }
        names = ("model", "epochs", "batch_size", "learning_rate", "weight_decay", "label_smoothing", "chosen")
        given = self.teach.artifact
        artifacts = [given] if isinstance(given, str) else list(given or ())
        teach = {**asdict(self.teach), "artifact": [Path(artifact).name for artifact in artifacts] or None}
        return {**{name: getattr(self, name) for name in names}, "augment": asdict(self.augment), "methods": methods,
                "teach": teach}  # fmt: skip


def _place(folder: Path, method: str, seed: int) -> Path:
    """Where a training lies."""
    return folder / f"{method.replace(' ', '_')}_{seed}"
