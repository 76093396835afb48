"""Early exits learn beside any task, from the labels and from the net's last answer."""

from __future__ import annotations

from dataclasses import replace

from openautoglm.losses import ExitsLoss
from openautoglm.tensors import StepOutput


def with_exits(output: StepOutput, loss: ExitsLoss) -> StepOutput:
    """What a task costs together with its net's early exits; the same where there are none.

    The labels and the last exit teach them, whatever teaches the last exit: what it learns reaches them through it.
    """
    if not output.early:
        return output
    value = loss(output.early, output.preds, output.target)
    parts = {**output.parts, "exits": value.detach()}
    return replace(output, loss=output.loss + loss.weight * value, parts=parts)
