"""Spot: find the hands of a whole frame with a glance, name each by a second look at its crop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from openautoglm.losses import GlanceKD
from openautoglm.losses.detection import box_loss, cell_class_loss, centre_focal_loss, label_targets, spot_targets
from openautoglm.maps import STRIDE, GlanceMaps
from openautoglm.models import answers
from openautoglm.nn.crop import crop_resize
from openautoglm.nn.evidence import box_of_gesture, pooled_logits, square_round
from openautoglm.tasks.classify import check_label_smoothing, labelled_cross_entropy
from openautoglm.tasks.frozen import Frozen
from openautoglm.tensors import EMPTY, UNLABELLED, NearBatch, SpotBatch, StepOutput


class Spot:
    """``look + attention + box_weight · box + cell_weight · cell``: cross-entropy, focal loss, GIoU, cross-entropy.

    Closer views of a batch cost the glance's three losses again, with the same factors. A picture that is known by a
    gesture alone costs its pooled naming; where the evidence for the gesture is, the net looks and learns, see
    ``nn.evidence``. The model has two methods: ``glance`` takes frames to ``GlanceMaps``, calling it takes crops to
    logits. A teacher's glance at the same frames and closer views costs all three once more, by ``losses.glance``.

    Args:
        attention_weight: factor of the loss on hand centres.
        box_weight: factor of the loss on boxes.
        cell_weight: factor of the loss on the glance's own naming.
        label_smoothing: share of the second look's target spread over all classes.
        teacher: a net whose ``glance`` knows the same gestures; None learns from labels alone.
        glance_kd: how it teaches.
        teacher_bf16: run it in bfloat16 where the device computes in it.
    """

    def __init__(
        self,
        *,
        attention_weight: float = 1.0,
        box_weight: float = 1.0,
        cell_weight: float = 0.5,
        label_smoothing: float = 0.0,
        teacher: nn.Module | None = None,
        glance_kd: GlanceKD | None = None,
        teacher_bf16: bool = False,
    ) -> None:
        check_label_smoothing(label_smoothing)
        self.attention_weight, self.box_weight, self.cell_weight = attention_weight, box_weight, cell_weight
        self.label_smoothing = label_smoothing
        self.teacher = None if teacher is None else Frozen(teacher, bf16=teacher_bf16)
        self.glance_kd = glance_kd or GlanceKD()

    def train_step(self, model: nn.Module, batch: SpotBatch) -> StepOutput:
        """All losses; ``preds`` are those of the second look."""
        return self._step(model, batch, self.label_smoothing, self.teacher)

    def eval_step(self, model: nn.Module, batch: SpotBatch) -> StepOutput:
        """The same without teacher and label smoothing, on the crops whose gesture is known."""
        output = self._step(model, batch, 0.0, None)
        known = output.target != UNLABELLED
        return replace(
            output,
            preds=output.preds[known],
            target=output.target[known],
            image=output.image[known],
            early=tuple(logits[known] for logits in output.early),
        )

    def _step(self, model: nn.Module, batch: SpotBatch, label_smoothing: float, teacher: Frozen | None) -> StepOutput:
        maps, parts = self._glance(model, batch, teacher)
        crops, label = batch.crops.image, batch.crops.label
        if batch.near is not None:
            _, closer = self._glance(model, batch.near, teacher)
            parts |= {f"near_{name}": value for name, value in closer.items()}
        if batch.frame_label is not None:
            rows = torch.nonzero(batch.frame_label != UNLABELLED)[:, 0]
            label_only, boxes_px = _label_losses(GlanceMaps(*(part[rows] for part in maps)), batch.frame_label[rows])
            parts |= {f"label_{name}": value for name, value in label_only.items()}
            _, _, height, width = batch.image.shape
            found = square_round(boxes_px, width=width, height=height)
            # sums of weights may pass 1 by a rounding, which no picture does
            seen = crop_resize(batch.image[rows], found, size=crops.shape[-1]).clamp(0.0, 1.0)
            crops = torch.cat([crops, seen])
            label = torch.cat([label, batch.frame_label[rows]])
        logits, early = answers(model, crops)
        parts["look"] = labelled_cross_entropy(logits, label, label_smoothing=label_smoothing)
        weights = {"attention": self.attention_weight, "box": self.box_weight, "cell": self.cell_weight}
        weighted = [weights.get(name.rpartition("_")[2], 1.0) * value for name, value in parts.items()]
        return StepOutput(
            loss=torch.stack(weighted).sum(),
            preds=logits,
            target=label,
            image=crops,
            parts={name: value.detach() for name, value in parts.items()},
            early=early,
        )

    def _glance(
        self, model: nn.Module, seen: SpotBatch | NearBatch, teacher: Frozen | None
    ) -> tuple[GlanceMaps, dict[str, Tensor]]:
        """The maps of some pictures and what they cost by labels and, weighted, beside a teacher."""
        glance: Any = model.glance
        maps: GlanceMaps = glance(seen.image)
        parts = _glance_losses(maps, seen)
        if teacher is not None:
            taught = teacher.ask(lambda net: net.glance(seen.image), seen.image)
            compared = self.glance_kd(maps, GlanceMaps(*(part.float() for part in taught)))
            parts |= {f"taught_{name}": self.glance_kd.weight * value for name, value in compared.items()}
        return maps, parts


def _glance_losses(maps: GlanceMaps, seen: SpotBatch | NearBatch) -> dict[str, Tensor]:
    """Of the attention, the boxes and the naming, each unweighted."""
    _, _, height, width = maps.attention.shape
    targets = spot_targets(seen.boxes_px, seen.labels, seen.complete, height=height, width=width, stride=STRIDE)
    return {
        "attention": centre_focal_loss(maps.attention[:, 0], targets),
        "box": box_loss(maps.box, seen.boxes_px, targets, stride=STRIDE),
        "cell": cell_class_loss(maps.logits, seen.labels, targets),
    }


def _label_losses(maps: GlanceMaps, label: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The same, without boxes, for pictures that are known by a label ``(b,)`` alone, and where the hands may be.

    What was found is learnt as if it were true where the glance as a whole names the picture right.
    """
    pooled, boxes_px = pooled_logits(maps), box_of_gesture(maps, label)
    understood = torch.where(pooled.argmax(dim=1) == label, label, torch.full_like(label, EMPTY))
    targets = label_targets(maps.attention.detach().sigmoid(), boxes_px, understood, stride=STRIDE)
    return {
        "cell": functional.cross_entropy(pooled, label),
        "attention": centre_focal_loss(maps.attention[:, 0], targets),
    }, boxes_px
