"""Shape letters and the two structures that travel between data, tasks and training.

Letters, everywhere in nn, models and losses:

    b  batch            c  channels          k  classes
    h  height           w  width             n  tokens (h * w)
    d  token width      r  rank              e  hidden width of a feed-forward
    s  scales
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

UNLABELLED = -1
"""Label of a picture whose class is not known; it takes part in distillation only."""


@dataclass(frozen=True)
class Batch:
    """One step's pictures.

    Attributes:
        image: RGB in [0, 1], ``(b, c, h, w)``.
        label: class index or ``UNLABELLED``, ``(b,)``.
        index: row of each picture in its split, ``(b,)``.
    """

    image: Tensor
    label: Tensor
    index: Tensor


@dataclass(frozen=True)
class StepOutput:
    """What a task returns for one batch.

    Attributes:
        loss: scalar to be minimised.
        preds: logits, ``(b, k)``.
        target: class indices, ``(b,)``.
        parts: named scalars that make up the loss, for the log.
    """

    loss: Tensor
    preds: Tensor
    target: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
