"""Self-distillation from a net's last exit to its earlier ones.

Zhang et al.: Be Your Own Teacher, arXiv 1905.08094; Phuong and Lampert: Distillation-Based Training for Multi-Exit
Architectures, ICCV 2019. What differs from the first: no hint between maps; the last exit is a teacher as any other
here, without gradient and at a temperature, as in the second.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.losses.base import check_temperature
from openautoglm.losses.kd import kd_loss
from openautoglm.tensors import UNLABELLED


def exits_loss(
    early: Sequence[Float[Tensor, "b k"]],
    last: Float[Tensor, "b k"],
    label: Int[Tensor, b],
    *,
    share: float = 0.5,
    temperature: float = 4.0,
) -> Float[Tensor, ""]:
    """``Σ_e (1 − α) · CE(z_e, y) + α · T² · KL(softmax(z_last / T) ‖ softmax(z_e / T))``; no gradient through z_last.

    Args:
        early: logits z_e of each early exit, ``(b, k)``; at least one.
        last: logits of the last exit, ``(b, k)``.
        label: classes y, ``(b,)``; -1 where unknown, which only the last exit then teaches.
        share: α, what the last exit teaches; the rest is the labels'.
        temperature: T > 0.
    """
    num_labelled = (label != UNLABELLED).sum().clamp(min=1)
    total = last.new_zeros(())
    for logits in early:
        hard = F.cross_entropy(logits, label, ignore_index=UNLABELLED, reduction="sum") / num_labelled
        total = total + (1 - share) * hard + share * kd_loss(logits, last.detach(), temperature=temperature)
    return total


class ExitsLoss:
    """``exits_loss`` with its numbers.

    Args:
        weight: factor of the loss in the sum.
        share: α, what the last exit teaches; the rest is the labels'.
        temperature: T > 0.
    """

    def __init__(self, *, weight: float = 0.5, share: float = 0.5, temperature: float = 4.0) -> None:
        check_temperature(temperature)
        if not 0 <= share <= 1:
            raise ValueError(f"share must lie between 0 and 1, got {share}")
        self.weight, self.share, self.temperature = weight, share, temperature

    def __call__(
        self, early: Sequence[Float[Tensor, "b k"]], last: Float[Tensor, "b k"], label: Int[Tensor, b]
    ) -> Float[Tensor, ""]:
        """Logits of the early exits and of the last one, and labels ``(b,)``, -1 where unknown, to a scalar."""
        return exits_loss(early, last, label, share=self.share, temperature=self.temperature)
