"""What every distillation loss looks like to the task that adds them up."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float, Int
from torch import Tensor


class DistillationLoss(Protocol):
    """Compares a student's logits with a teacher's.

    Attributes:
        weight: factor of the loss in the sum.
    """

    weight: float

    def __call__(
        self, student: Float[Tensor, "b k"], teacher: Float[Tensor, "b k"], label: Int[Tensor, b]
    ) -> Float[Tensor, ""]:
        """Logits ``(b, k)`` twice and labels ``(b,)``, -1 where unknown, to a scalar."""
        ...


def check_temperature(temperature: float) -> None:
    """Raise ValueError unless the temperature is above zero."""
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
