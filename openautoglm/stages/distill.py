"""Distill: the student learns from the labels and from the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from openautoglm.artifacts import load_model, save_model
from openautoglm.compress.sparsity import Sparsify, zero_share
from openautoglm.losses import Loss
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import (
    accuracy_note,
    fresh_student,
    judge,
    round_to_half,
    student_config,
    unlabelled_classes,
)
from openautoglm.train import CachedTeacher, LitDistill, OneCycle, fit


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Trains the student beside the frozen teacher of ``teach/``.

    Attributes:
        losses: name to distillation loss.
        epochs: passes over the training split.
        batch_size: pictures a step.
        learning_rate: at the peak of the cycle.
        weight_decay: of matrices and kernels.
        label_weight: factor of the cross-entropy on the labels.
        label_smoothing: share of the target spread over all classes.
        unlabelled_fraction: part of each batch that is drawn from the data set's unlabelled pictures.
        teacher_bf16: run the teacher in bfloat16 where the device computes in it.
        cache_teacher: keep the teacher's logits on disk, and take them from there where another training with the same
            teacher, data, augmentation and seed has left them.
        small_px: side of the pictures in the first ``small_epochs``.
        small_epochs: first epochs on shrunk pictures, for a part of the time (EfficientNetV2, arXiv 2104.00298).
        sparsity: makes single weights zero on the way; the last weights are then kept, the only ones with all zeros.
    """

    losses: Mapping[str, Loss]
    epochs: int
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    label_weight: float = 1.0
    label_smoothing: float = 0.0
    unlabelled_fraction: float = 0.0
    teacher_bf16: bool = False
    cache_teacher: bool = False
    small_px: int = 64
    small_epochs: int = 0
    sparsity: Sparsify | None = None

    def __call__(self, run: Run) -> Outcome:
        """Leave the student in ``distill/``."""
        folder = run.stage_folder("distill")
        config = student_config(run)
        model = fresh_student(run).to(memory_format=torch.channels_last)
        teacher = load_model(run.find_stage("teach")).to(memory_format=torch.channels_last)
        taught = self._cached(run, teacher)
        lit = LitDistill(
            model=model,
            teacher=None if taught else teacher,
            num_classes=len(run.source.class_names()),
            losses=self.losses,
            label_weight=self.label_weight,
            teacher_bf16=self.teacher_bf16,
            unlabelled_classes=unlabelled_classes(run),
            label_smoothing=self.label_smoothing,
            optim=OneCycle(learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            seed=run.seed,
        )
        data = run.data(
            batch_size=self.batch_size,
            unlabelled_fraction=self.unlabelled_fraction,
            small_px=self.small_px,
            small_epochs=self.small_epochs,
            taught=taught,
        )
        fit(
            lit,
            data,
            folder=folder,
            title="distill",
            epochs=self.epochs,
            settings=run.settings,
            keep_best=self.sparsity is None,
            callbacks=[] if self.sparsity is None else [self.sparsity],
        )
        facts: dict[str, Any] = {"stage": "distill", "losses": {name: vars(it) for name, it in self.losses.items()}}
        round_to_half(model)
        save_model(model, folder, config=config, facts=facts)
        row = judge(run, model, name="student distilled", architecture=run.model)
        zeros = "" if self.sparsity is None else f", {100 * zero_share(model):.1f} % of the weights are zero"
        return Outcome(note=accuracy_note(row) + zeros, models=(row,))

    def _cached(self, run: Run, teacher: nn.Module) -> CachedTeacher | None:
        """The teacher's answers on disk, if asked for; a quick run asks the teacher, of one batch."""
        hints = [name for name, loss in self.losses.items() if loss.reads_hints]
        if self.cache_teacher and hints:
            raise ValueError(
                f"cache_teacher=true keeps logits, and {', '.join(hints)} reads what goes on inside the teacher: "
                "choose a loss on logits, such as distill=kd, or cache_teacher=false"
            )
        if not self.cache_teacher or run.quick:
            return None
        device = "cuda" if run.settings.on_gpu else "cpu"
        return CachedTeacher(teacher=teacher, bf16=self.teacher_bf16, device=device)
