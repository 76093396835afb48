"""Alone: the student without a teacher, same data and steps; the honest baseline of distillation."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from openautoglm.artifacts import save_model
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import accuracy_note, fresh_student, judge, student_config
from openautoglm.train import LitClassify, OneCycle, fit


@dataclass(frozen=True, kw_only=True)
class Alone:
    """Trains the student on labels only.

    Attributes:
        epochs: passes over the training split.
        batch_size: pictures a step.
        learning_rate: at the peak of the cycle.
        weight_decay: of matrices and kernels.
        label_smoothing: share of the target spread over all classes.
        small_px: side of the pictures in the first ``small_epochs``.
        small_epochs: first epochs on shrunk pictures, as many as the student beside the teacher has.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    small_px: int = 64
    small_epochs: int = 0

    def __call__(self, run: Run) -> Outcome:
        """Leave the student in ``alone/``."""
        folder = run.stage_folder("alone")
        config = student_config(run)
        model = fresh_student(run).to(memory_format=torch.channels_last)
        lit = LitClassify(
            model=model,
            num_classes=len(run.source.class_names()),
            label_smoothing=self.label_smoothing,
            optim=OneCycle(learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            seed=run.seed,
        )
        data = run.data(batch_size=self.batch_size, small_px=self.small_px, small_epochs=self.small_epochs)
        fit(lit, data, folder=folder, title="alone", epochs=self.epochs, settings=run.settings)
        save_model(model, folder, config=config, facts={"stage": "alone", "settings": asdict(self)})
        row = judge(run, model, name="student alone", architecture=run.model)
        return Outcome(note=accuracy_note(row), models=(row,))
