"""Distil: any task's loss on the labels, plus losses that compare the student with a frozen teacher."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from openautoglm.losses import DistillationLoss
from openautoglm.tasks.classify import Classify
from openautoglm.tensors import Batch, StepOutput


class Distill:
    """``label_weight · task + Σ weight · loss(student, teacher)``.

    The teacher stays in evaluation mode, without gradient and outside the student's parameters and checkpoint.

    Args:
        task: task on the labels.
        teacher: called with the same picture; does its own normalisation.
        losses: name to loss; the names appear in the log.
        label_weight: factor of the task's own loss.
        teacher_bf16: run the teacher in bfloat16: two to three times faster where the processor has it.
    """

    def __init__(
        self,
        *,
        task: Classify,
        teacher: nn.Module,
        losses: Mapping[str, DistillationLoss],
        label_weight: float = 1.0,
        teacher_bf16: bool = False,
    ) -> None:
        if not losses:
            raise ValueError("distillation needs at least one loss, got none: choose one, such as distill=kd")
        self.task, self.losses, self.label_weight = task, dict(losses), label_weight
        self.teacher_bf16 = teacher_bf16
        self.teacher = teacher.eval().requires_grad_(False)

    def train_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Weighted sum; ``parts`` holds each loss before its weight."""
        hard = self.task.train_step(model, batch)
        kind = batch.image.device.type
        with torch.no_grad(), torch.autocast(kind, dtype=torch.bfloat16, enabled=self.teacher_bf16):
            self.teacher.to(batch.image.device).eval()
            taught = self.teacher(batch.image).float()
        parts: dict[str, Tensor] = {"label": hard.loss.detach()}
        loss = self.label_weight * hard.loss
        for name, compare in self.losses.items():
            value = compare(hard.preds, taught, batch.label)
            parts[name] = value.detach()
            loss = loss + compare.weight * value
        return StepOutput(loss=loss, preds=hard.preds, target=hard.target, parts=parts)

    def eval_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The task alone: a student is judged without its teacher."""
        return self.task.eval_step(model, batch)
