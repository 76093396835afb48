"""Knowledge distillation. Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, arXiv 1503.02531."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.losses.base import check_temperature
from openautoglm.tensors import Seen


def kd_loss(
    student: Float[Tensor, "b k"],
    teacher: Float[Tensor, "b k"],
    *,
    temperature: float = 4.0,
    weight: Float[Tensor, b] | None = None,
) -> Float[Tensor, ""]:
    """``T² · mean_b KL(softmax(teacher / T) ‖ softmax(student / T))`` (section 2; T² keeps the gradient's size).

    Args:
        student: logits, ``(b, k)``.
        teacher: logits, ``(b, k)``.
        temperature: T > 0; higher shows more of the teacher's small probabilities.
        weight: shares of the rows in the mean, which sum up to 1, ``(b,)``; None for equal ones.
    """
    told, taught = (F.log_softmax(logits / temperature, dim=1) for logits in (student, teacher))
    if weight is None:
        return F.kl_div(told, taught, reduction="batchmean", log_target=True) * temperature**2
    divergence = F.kl_div(told, taught, reduction="none", log_target=True).sum(dim=1)
    return (weight * divergence).sum() * temperature**2


class KD:
    """``kd_loss`` with its numbers.

    Args:
        weight: factor of the loss in the sum.
        temperature: T > 0.
    """

    reads_hints = False

    def __init__(self, *, weight: float = 1.0, temperature: float = 4.0) -> None:
        check_temperature(temperature)
        self.weight, self.temperature = weight, temperature

    def __call__(
        self,
        student: Seen,
        teacher: Seen,
        label: Int[Tensor, b],  # noqa: ARG002 - every distillation loss is called alike
    ) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, which are not used, to a scalar."""
        return kd_loss(student.logits, teacher.logits, temperature=self.temperature)
