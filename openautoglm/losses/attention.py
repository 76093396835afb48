"""Attention transfer. Zagoruyko, Komodakis: Paying More Attention to Attention, arXiv 1612.03928.

Activation-based, with the sum of squares over the channels as attention and p = 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.losses.base import check_same_size
from openautoglm.tensors import Seen


def attention_map(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n"]:
    """``Q / ‖Q‖₂`` with ``Q = vec(Σ_c |A_c|²)``: where the net is active (section 3.1).

    Args:
        features: a map of the net, ``(b, c, h, w)``.
    """
    return F.normalize(rearrange(features.square().sum(dim=1), "b h w -> b (h w)"), dim=1)


def attention_transfer_loss(
    student: Sequence[Float[Tensor, "b _ _ _"]], teacher: Sequence[Float[Tensor, "b _ _ _"]]
) -> Float[Tensor, ""]:
    """``½ · mean_b Σ_j ‖Q_S^j / ‖Q_S^j‖₂ − Q_T^j / ‖Q_T^j‖₂‖₂``, the paper's ``L_AT`` without β, the weight.

    Args:
        student: its maps, from j = 1 on, ``(b, c, h, w)`` each.
        teacher: maps of the same heights and widths.
    """
    total = torch.zeros((), device=student[0].device)
    for ours, theirs in zip(student, teacher, strict=True):
        check_same_size(ours, theirs)
        total = total + torch.linalg.vector_norm(attention_map(ours) - attention_map(theirs), dim=1).mean() / 2
    return total


class AttentionTransfer:
    """``attention_transfer_loss`` with its numbers.

    Args:
        weight: β, factor of the loss in the sum.
        strides: of the maps that are compared, in pixels of the picture.
    """

    reads_hints = True

    def __init__(self, *, weight: float = 1.0, strides: Sequence[int] = (8, 16, 32)) -> None:
        if not strides:
            raise ValueError("attention transfer compares at least one map, got none: give strides, such as [8, 16]")
        self.weight, self.strides = weight, list(strides)

    def __call__(
        self,
        student: Seen,
        teacher: Seen,
        label: Int[Tensor, b],  # noqa: ARG002 - every distillation loss is called alike
    ) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, which are not used, to a scalar."""
        return attention_transfer_loss(
            [student.at(stride) for stride in self.strides], [teacher.at(stride) for stride in self.strides]
        )
