"""What every distillation loss looks like to the task that adds them up."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

from openautoglm.tensors import UNLABELLED, Seen


class DistillationLoss(Protocol):
    """Compares what a student and a teacher make of the same pictures.

    Attributes:
        weight: factor of the loss in the sum.
        reads_hints: whether it reads more than logits: maps inside the nets, or what their classifiers see.
    """

    weight: float
    reads_hints: bool

    def __call__(self, student: Seen, teacher: Seen, label: Int[Tensor, b]) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, -1 where unknown, to a scalar."""
        ...


@runtime_checkable
class LearntLoss(Protocol):
    """A loss with weights of its own, such as a projection of the student's channels to the teacher's.

    They are trained beside the student's, lie in the checkpoint of an unfinished training, and leave with it.

    Attributes:
        weight: factor of the loss in the sum.
        reads_hints: True, for its shapes follow from what both nets show.
    """

    weight: float
    reads_hints: bool

    def build(self, student: Seen, teacher: Seen) -> nn.Module:
        """The loss as a module, called as a ``DistillationLoss`` is.

        Args:
            student: what it makes of one picture, for the shapes.
            teacher: likewise.
        """
        ...


Loss = DistillationLoss | LearntLoss


def check_temperature(temperature: float) -> None:
    """Raise ValueError unless the temperature is above zero."""
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")


def check_same_size(student: Float[Tensor, "b _ _ _"], teacher: Float[Tensor, "b _ _ _"]) -> None:
    """Raise ValueError unless the maps have the same height and width."""
    if student.shape[-2:] != teacher.shape[-2:]:
        sizes = ["x".join(map(str, maps.shape[-2:])) for maps in (student, teacher)]
        raise ValueError(f"maps of one size are compared, got {sizes[0]} and {sizes[1]}: choose another stride")


def or_first_choice(label: Int[Tensor, b], teacher: Float[Tensor, "b k"]) -> Int[Tensor, b]:
    """The labels, and the class that the teacher's logits favour where there is none."""
    return label.where(label != UNLABELLED, teacher.argmax(dim=1))


def embedding_of(seen: Seen) -> Tensor:
    """What the classifier sees, ``(b, c)``."""
    assert seen.embedding is not None, "the task asks for it where a loss reads hints"
    return seen.embedding
