"""Decoupled knowledge distillation. Zhao et al.: Decoupled Knowledge Distillation, arXiv 2203.08679.

What differs: a picture without a label takes the teacher's first choice as its target class.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.losses.base import check_temperature, or_first_choice
from openautoglm.tensors import Seen


def dkd_loss(
    student: Float[Tensor, "b k"],
    teacher: Float[Tensor, "b k"],
    label: Int[Tensor, b],
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Float[Tensor, ""]:
    """``T² · (α · KL(bᵀ ‖ bˢ) + β · KL(p̂ᵀ ‖ p̂ˢ))``, the paper's ``α · TCKD + β · NCKD``.

    ``b`` is (probability of the target, of all others together); ``p̂`` the probabilities of the others among
    themselves; both at temperature T.

    Args:
        student: logits, ``(b, k)``.
        teacher: logits, ``(b, k)``.
        label: target classes, ``(b,)``; -1 takes the teacher's first choice.
        alpha: α, weight of the target class's part.
        beta: β, weight of the other classes' part.
        temperature: T > 0.
    """
    is_target = F.one_hot(or_first_choice(label, teacher), student.shape[1]).bool()
    target_part = F.kl_div(
        _target_and_rest(student / temperature, is_target),
        _target_and_rest(teacher / temperature, is_target),
        reduction="batchmean",
        log_target=True,
    )
    others_part = F.kl_div(
        _among_others(student / temperature, is_target),
        _among_others(teacher / temperature, is_target),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * (alpha * target_part + beta * others_part)


def _target_and_rest(logits: Float[Tensor, "b k"], is_target: Bool[Tensor, "b k"]) -> Float[Tensor, "b 2"]:
    """Log-probabilities of the target and of everything else."""
    total = logits.logsumexp(dim=1)
    target = logits[is_target]
    rest = logits.masked_fill(is_target, -torch.inf).logsumexp(dim=1)
    return torch.stack([target - total, rest - total], dim=1)


def _among_others(logits: Float[Tensor, "b k"], is_target: Bool[Tensor, "b k"]) -> Float[Tensor, "b k1"]:
    """Log-softmax over the classes that are not the target."""
    return F.log_softmax(logits[~is_target].reshape(len(logits), -1), dim=1)


class DKD:
    """``dkd_loss`` with its numbers.

    Args:
        weight: factor of the loss in the sum.
        alpha: α, weight of the target class's part.
        beta: β, weight of the other classes' part.
        temperature: T > 0.
    """

    reads_hints = False

    def __init__(self, *, weight: float = 1.0, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0) -> None:
        check_temperature(temperature)
        self.weight, self.alpha, self.beta, self.temperature = weight, alpha, beta, temperature

    def __call__(self, student: Seen, teacher: Seen, label: Int[Tensor, b]) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, -1 where unknown, to a scalar."""
        return dkd_loss(
            student.logits, teacher.logits, label, alpha=self.alpha, beta=self.beta, temperature=self.temperature
        )
