"""Distil: any task's loss on the labels, plus losses that compare the student with a frozen teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from openautoglm.losses import DistillationLoss
from openautoglm.tensors import UNLABELLED, StepOutput

_IMPOSSIBLE = -1e4


class Task(Protocol):
    """What a batch costs; the batch is of the kind that the task was written for."""

    def train_step(self, model: nn.Module, batch: Any) -> StepOutput:
        """Loss to descend."""
        ...

    def eval_step(self, model: nn.Module, batch: Any) -> StepOutput:
        """Loss to report."""
        ...


class Distill:
    """``label_weight · task + Σ weight · loss(student, teacher)``.

    The teacher stays in evaluation mode, without gradient and outside the student's parameters and checkpoint.

    Args:
        task: task on the labels.
        teacher: called with the same picture; does its own normalisation.
        losses: name to loss; the names appear in the log.
        label_weight: factor of the task's own loss.
        teacher_bf16: run the teacher in bfloat16: two to three times faster where the processor has it.
        unlabelled_classes: the only classes that a picture without a label may show; None for all.
    """

    def __init__(
        self,
        *,
        task: Task,
        teacher: nn.Module,
        losses: Mapping[str, DistillationLoss],
        label_weight: float = 1.0,
        teacher_bf16: bool = False,
        unlabelled_classes: Sequence[int] | None = None,
    ) -> None:
        if not losses:
            raise ValueError("distillation needs at least one loss, got none: choose one, such as distill=kd")
        self.task, self.losses, self.label_weight = task, dict(losses), label_weight
        self.teacher_bf16 = teacher_bf16
        self.unlabelled_classes = list(unlabelled_classes) if unlabelled_classes is not None else None
        self.teacher = teacher.eval().requires_grad_(False)

    def train_step(self, model: nn.Module, batch: Any) -> StepOutput:
        """Weighted sum; ``parts`` holds each loss before its weight."""
        hard = self.task.train_step(model, batch)
        kind = hard.image.device.type
        with torch.no_grad(), torch.autocast(kind, dtype=torch.bfloat16, enabled=self.teacher_bf16):
            self.teacher.to(hard.image.device).eval()
            taught = self._among_possible(self.teacher(hard.image).float(), hard.target)
        parts: dict[str, Tensor] = {"label": hard.loss.detach(), **hard.parts}
        loss = self.label_weight * hard.loss
        for name, compare in self.losses.items():
            value = compare(hard.preds, taught, hard.target)
            parts[name] = value.detach()
            loss = loss + compare.weight * value
        return replace(hard, loss=loss, parts=parts)

    def _among_possible(self, taught: Tensor, target: Tensor) -> Tensor:
        """Logits ``(b, k)`` that give no probability to what a picture without a label cannot show."""
        if self.unlabelled_classes is None:
            return taught
        impossible = torch.ones(taught.shape[1], dtype=torch.bool, device=taught.device)
        impossible[self.unlabelled_classes] = False
        # finite: a loss may multiply it by a probability of zero
        return torch.where((target == UNLABELLED)[:, None] & impossible, _IMPOSSIBLE, taught)

    def eval_step(self, model: nn.Module, batch: Any) -> StepOutput:
        """The task alone: a student is judged without its teacher."""
        return self.task.eval_step(model, batch)
