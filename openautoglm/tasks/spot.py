"""Spot: find the hands of a whole frame with a glance, name each by a second look at its crop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from openautoglm.losses.detection import box_loss, cell_class_loss, centre_focal_loss, spot_targets
from openautoglm.models import answers
from openautoglm.nn.glance import STRIDE, GlanceMaps
from openautoglm.tasks.classify import check_label_smoothing, labelled_cross_entropy
from openautoglm.tensors import UNLABELLED, NearBatch, SpotBatch, StepOutput


class Spot:
    """``look + attention + box_weight · box + cell_weight · cell``: cross-entropy, focal loss, GIoU, cross-entropy.

    The model has two methods: ``glance`` takes frames to ``GlanceMaps``, calling it takes crops to logits. Where a
    batch has closer views too, the glance is asked for them as well, by three more losses with the same factors.

    Args:
        attention_weight: factor of the loss on hand centres.
        box_weight: factor of the loss on boxes.
        cell_weight: factor of the loss on the glance's own naming.
        label_smoothing: share of the second look's target spread over all classes.
    """

    def __init__(
        self,
        *,
        attention_weight: float = 1.0,
        box_weight: float = 1.0,
        cell_weight: float = 0.5,
        label_smoothing: float = 0.0,
    ) -> None:
        check_label_smoothing(label_smoothing)
        self.attention_weight, self.box_weight, self.cell_weight = attention_weight, box_weight, cell_weight
        self.label_smoothing = label_smoothing

    def train_step(self, model: nn.Module, batch: SpotBatch) -> StepOutput:
        """All four losses; ``preds`` are those of the second look."""
        return self._step(model, batch, self.label_smoothing)

    def eval_step(self, model: nn.Module, batch: SpotBatch) -> StepOutput:
        """The same without label smoothing, on the crops whose gesture is known."""
        output = self._step(model, batch, 0.0)
        known = output.target != UNLABELLED
        return replace(
            output,
            preds=output.preds[known],
            target=output.target[known],
            image=output.image[known],
            early=tuple(logits[known] for logits in output.early),
        )

    def _step(self, model: nn.Module, batch: SpotBatch, label_smoothing: float) -> StepOutput:
        logits, early = answers(model, batch.crops.image)
        parts = {"look": labelled_cross_entropy(logits, batch.crops.label, label_smoothing=label_smoothing)}
        parts |= _glance_losses(model, batch)
        if batch.near is not None:
            parts |= {f"near_{name}": value for name, value in _glance_losses(model, batch.near).items()}
        weights = {"attention": self.attention_weight, "box": self.box_weight, "cell": self.cell_weight}
        weighted = [weights.get(name.removeprefix("near_"), 1.0) * value for name, value in parts.items()]
        return StepOutput(
            loss=torch.stack(weighted).sum(),
            preds=logits,
            target=batch.crops.label,
            image=batch.crops.image,
            parts={name: value.detach() for name, value in parts.items()},
            early=early,
        )


def _glance_losses(model: nn.Module, seen: SpotBatch | NearBatch) -> dict[str, Tensor]:
    """Of the attention, the boxes and the naming, each unweighted."""
    glance: Any = model.glance
    maps: GlanceMaps = glance(seen.image)
    _, _, height, width = maps.attention.shape
    targets = spot_targets(seen.boxes_px, seen.labels, seen.complete, height=height, width=width, stride=STRIDE)
    return {
        "attention": centre_focal_loss(maps.attention[:, 0], targets),
        "box": box_loss(maps.box, seen.boxes_px, targets, stride=STRIDE),
        "cell": cell_class_loss(maps.logits, seen.labels, targets),
    }
