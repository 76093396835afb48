"""Spot: the student learns to find hands in whole frames and to name them, in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from openautoglm.artifacts import load_model, save_model
from openautoglm.losses import Loss
from openautoglm.models import Exportable
from openautoglm.stages.frames import frames_note, judge_frames
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import find_teacher, fresh_student, round_to_half, student_config
from openautoglm.tasks import Spot as SpotTask
from openautoglm.train import LitSpot, OneCycle, fit
from openautoglm.train.callbacks import FreezeBatchNorm
from openautoglm.zoo import store


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Trains glance and look of one net together, beside the teacher of ``teach/`` if there is one.

    Attributes:
        losses: name to distillation loss, for the second look.
        epochs: passes over the training frames.
        batch_size: frames a step.
        learning_rate: at the peak of the cycle.
        weight_decay: of matrices and kernels.
        teacher_bf16: run teachers in bfloat16 where the device computes in it.
        glance_teacher: released name or folder of a net for whole frames, of the same gestures, whose glance teaches
            the student's; None learns the glance from boxes alone.
        small_px: side of the frames in the first ``small_epochs``.
        small_epochs: first epochs on shrunk frames, for a part of the time (EfficientNetV2, arXiv 2104.00298).
        freeze_after: share of the steps after which BatchNorm's statistics stand still: both looks share them.
    """

    losses: Mapping[str, Loss]
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    teacher_bf16: bool = False
    small_px: int = 128
    small_epochs: int = 0
    freeze_after: float = 0.4
    glance_teacher: str | None = None

    def __call__(self, run: Run) -> Outcome:
        """Leave the student in ``spot/``."""
        folder = run.stage_folder("spot")
        model = fresh_student(run)
        assert isinstance(model, Exportable)
        lit = LitSpot(
            model=model,
            teacher=find_teacher(run),
            num_classes=len(run.source.class_names()),
            losses=self.losses,
            teacher_bf16=self.teacher_bf16,
            task=SpotTask(teacher=self._find_glance_teacher(run), teacher_bf16=self.teacher_bf16),
            optim=OneCycle(learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            seed=run.seed,
        )
        fit(
            lit,
            run.scenes(batch_size=self.batch_size, small_px=self.small_px, small_epochs=self.small_epochs),
            folder=folder,
            title="spot",
            epochs=self.epochs,
            settings=run.settings,
            keep_best=False,  # what dev measures at an epoch's end is the second look alone
            callbacks=[FreezeBatchNorm(after=self.freeze_after)],
        )
        round_to_half(model)
        save_model(model, folder, config=student_config(run), facts={"stage": "spot"})
        num_params = sum(parameter.numel() for parameter in model.parameters())
        row = judge_frames(run, model.programs(), name="student", architecture=run.model, num_params=num_params)
        return Outcome(note=frames_note(row), models=(row,))

    def _find_glance_teacher(self, run: Run) -> nn.Module | None:
        if self.glance_teacher is None:
            return None
        found = store.find(self.glance_teacher)
        classes, wanted = tuple(found.config["classes"]), run.source.class_names()
        if found.is_quantized or found.config.get("task") != "spot" or classes != wanted:
            raise ValueError(
                f"stages.spot.glance_teacher={self.glance_teacher} is {'quantised, ' if found.is_quantized else ''}"
                f"for {found.config.get('task')}, of {', '.join(classes)}; it has to be a float net for whole frames "
                f"(task spot) of {', '.join(wanted)}, such as a run's spot/"
            )
        return load_model(found).to(memory_format=torch.channels_last)
