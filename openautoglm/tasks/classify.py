"""Classify a crop: forward and cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from openautoglm.models import answers
from openautoglm.tensors import UNLABELLED, Batch, StepOutput


class Classify:
    """Cross-entropy with label smoothing; unlabelled pictures cost nothing.

    Args:
        label_smoothing: share of the target spread over all classes (arXiv 1512.00567, section 7).
    """

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        check_label_smoothing(label_smoothing)
        self.label_smoothing = label_smoothing

    def train_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Logits and smoothed loss."""
        return self._step(model, batch, self.label_smoothing)

    def eval_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Logits and plain cross-entropy, which compares between runs."""
        return self._step(model, batch, 0.0)

    def _step(self, model: nn.Module, batch: Batch, label_smoothing: float) -> StepOutput:
        logits, early = answers(model, batch.image)
        loss = labelled_cross_entropy(logits, batch.label, label_smoothing=label_smoothing)
        return StepOutput(
            loss=loss, preds=logits, target=batch.label, image=batch.image, taught=batch.taught, early=early
        )


def labelled_cross_entropy(logits: Tensor, label: Tensor, *, label_smoothing: float) -> Tensor:
    """Mean cross-entropy over the labelled rows of ``(b, k)``; zero, with a gradient of zero, if there are none."""
    total = F.cross_entropy(logits, label, ignore_index=UNLABELLED, label_smoothing=label_smoothing, reduction="sum")
    return total / torch.clamp((label != UNLABELLED).sum(), min=1)


def check_label_smoothing(label_smoothing: float) -> None:
    """Raise ValueError unless the share lies in [0, 1)."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}")
