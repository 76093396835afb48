"""Distil: any task's loss on the labels, plus losses that compare the student with a frozen teacher.

Maps inside the nets are gathered only if a loss reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from openautoglm.losses import LearntLoss, Loss
from openautoglm.maps import GlanceMaps
from openautoglm.models import Observable
from openautoglm.tasks.frozen import Frozen
from openautoglm.tensors import UNLABELLED, Seen, StepOutput

_IMPOSSIBLE = -1e4
_PROBE_PX = 64


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

    Args:
        task: task on the labels.
        teacher: called with the same picture; does its own normalisation. None where the batches hold its answers.
        losses: name to loss; the names appear in the log.
        label_weight: factor of the task's own loss.
        teacher_bf16: run the teacher in bfloat16 where the device computes in it.
        unlabelled_classes: the only classes that a picture without a label may show; None for all.
        student: what will be trained; needed by losses that read hints.

    Attributes:
        learnt: weights of the losses that have some, to be trained with the student's.
    """

    def __init__(
        self,
        *,
        task: Task,
        teacher: nn.Module | None,
        losses: Mapping[str, Loss],
        label_weight: float = 1.0,
        teacher_bf16: bool = False,
        unlabelled_classes: Sequence[int] | None = None,
        student: nn.Module | None = None,
    ) -> None:
        if not losses:
            raise ValueError("distillation needs at least one loss, got none: choose one, such as distill=kd")
        self.task, self.losses, self.label_weight = task, dict(losses), label_weight
        self.unlabelled_classes = list(unlabelled_classes) if unlabelled_classes is not None else None
        self.teacher = None if teacher is None else Frozen(teacher, bf16=teacher_bf16)
        self.reads_hints = any(loss.reads_hints for loss in self.losses.values())
        self.learnt = self._build_learnt(student)
        self._comparisons: dict[str, Any] = {**self.losses, **dict(self.learnt.items())}

    def _build_learnt(self, student: nn.Module | None) -> nn.ModuleDict:
        """The losses with weights of their own, for the shapes of both nets."""
        if not self.reads_hints:
            return nn.ModuleDict()
        names = ", ".join(name for name, loss in self.losses.items() if loss.reads_hints)
        taught_by = None if self.teacher is None else self.teacher.net
        ours, theirs = _glimpse(student, f"the student of {names}"), _glimpse(taught_by, f"the teacher of {names}")
        learnt = {name: loss for name, loss in self.losses.items() if isinstance(loss, LearntLoss)}
        return nn.ModuleDict({name: loss.build(ours, theirs) for name, loss in learnt.items()})

    def train_step(self, model: nn.Module, batch: Any) -> StepOutput:
        """Weighted sum; ``parts`` holds each loss before its weight."""
        watched = _Watched(model) if self.reads_hints else None
        hard = self.task.train_step(watched or model, batch)
        student = watched.seen if watched is not None else Seen(hard.preds)
        teacher = self._ask(hard)
        parts: dict[str, Tensor] = {"label": hard.loss.detach(), **hard.parts}
        loss = self.label_weight * hard.loss
        for name, compare in self._comparisons.items():
            value = compare(student, teacher, hard.target)
            parts[name] = value.detach()
            loss = loss + self.losses[name].weight * value
        return replace(hard, loss=loss, parts=parts)

    def _ask(self, hard: StepOutput) -> Seen:
        """What the teacher makes of the pictures, in float32."""
        if hard.taught is not None and not self.reads_hints:
            return Seen(self._among_possible(hard.taught, hard.target))
        if self.teacher is None:
            raise ValueError(
                "the batches hold no answers of a teacher: give one, or GestureData(taught=CachedTeacher…)"
            )

        def see(net: Any) -> Seen:
            return net.observe(hard.image) if self.reads_hints else Seen(net(hard.image))

        seen = self.teacher.ask(see, hard.image)
        return replace(
            seen,
            logits=self._among_possible(seen.logits.float(), hard.target),
            features=tuple(feature.float() for feature in seen.features),
            embedding=None if seen.embedding is None else seen.embedding.float(),
        )

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


class _Watched(nn.Module):
    """A student that also leaves what it saw on its way to the logits.

    Args:
        model: the student.
    """

    seen: Seen

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.exit_stages: tuple[int, ...] = getattr(model, "exit_stages", ())

    def forward(self, image: Tensor) -> Tensor:
        """``(b, 3, h, w)`` to logits ``(b, k)``."""
        model: Any = self.model
        self.seen = model.observe(image)
        return self.seen.logits

    def all_exits(self, image: Tensor) -> tuple[Tensor, ...]:
        """``(b, 3, h, w)`` to the logits of every early exit and the last ones."""
        last = self(image)
        return (*self.seen.early, last)

    def glance(self, image: Tensor) -> GlanceMaps:
        """The first look of a net for whole frames."""
        model: Any = self.model
        maps: GlanceMaps = model.glance(image)
        return maps


def _glimpse(net: nn.Module | None, role: str) -> Seen:
    """What a net makes of one grey picture; nothing in it changes."""
    if net is None or not isinstance(net, Observable):
        raise ValueError(
            f"{role} has to show its maps (forward_intermediates, observe), and does not: choose another net, or a "
            "loss on logits, such as distill=kd"
        )
    was_training = net.training
    place = next(net.parameters())
    with torch.no_grad():
        net.eval()
        seen = net.observe(torch.zeros(1, 3, _PROBE_PX, _PROBE_PX, device=place.device))
    net.train(was_training)
    return seen
