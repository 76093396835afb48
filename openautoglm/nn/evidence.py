"""Where is the hand of a picture that is known by a gesture alone?

The evidence for the gesture at a cell is attention times the probability that the cell gives to it; the hand lies round
its peak. Training takes that for true, as joint training on detection and classification data takes the box that
explains a label best (YOLO9000, arXiv 1612.08242, section 4).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.nn.crop import moment_box

_OF_PEAK = 0.25
"""Part of the peak's evidence from which a cell belongs to the hand."""
_BELL = math.sqrt(3 / (1 - _OF_PEAK * math.log(1 / _OF_PEAK) / (1 - _OF_PEAK)))
"""Side of a hand over that of the uniform region with the variance of its bell, a Gaussian of a sixth of the hand's
side, of which the cells below ``_OF_PEAK`` are cut off."""


def pooled_logits(attention: Float[Tensor, "b 1 h w"], logits: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k"]:
    """Mean of the cells' logits, weighted by attention: attention-based pooling (arXiv 1802.04712, section 2.4).

    Args:
        attention: in [0, 1], ``(b, 1, h, w)``.
        logits: of the gestures, ``(b, k, h, w)``.
    """
    weights = attention / attention.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    return (weights * logits).sum(dim=(2, 3))


def evidence_box(
    attention: Float[Tensor, "b 1 h w"], logits: Float[Tensor, "b k h w"], label: Int[Tensor, b]
) -> Float[Tensor, "b 4"]:
    """Box of the evidence for a gesture round its peak; differentiable.

    Args:
        attention: in [0, 1], ``(b, 1, h, w)``.
        logits: of the gestures, ``(b, k, h, w)``.
        label: the gesture of each picture, ``(b,)``.

    Returns:
        x0, y0, x1, y1 as fractions of width and height, ``(b, 4)``.
    """
    probability = logits.softmax(dim=1)[torch.arange(len(label)), label]
    evidence = attention * probability[:, None]
    return moment_box(evidence * _round_peak(evidence.detach()), margin=_BELL).clamp(0.0, 1.0)


def _round_peak(evidence: Float[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 1 h w"]:
    """The cells that a way of strong evidence connects with the strongest."""
    strong = evidence >= _OF_PEAK * evidence.amax(dim=(2, 3), keepdim=True)
    region = evidence == evidence.amax(dim=(2, 3), keepdim=True)
    for _ in range(max(evidence.shape[2:])):
        grown = F.max_pool2d(region.float(), 3, stride=1, padding=1).bool() & strong
        if torch.equal(grown, region):
            break
        region = grown
    return region
