"""Contrastive distillation. Tian, Krishnan, Isola: Contrastive Representation Distillation, arXiv 1910.10699.

What differs: the negatives are the other classes' pictures of the same batch, at most b − 1, instead of 16,384 drawn
from a memory of the whole data set, so a resumed training needs the weights of the two embeddings and nothing else. The
paper's M, the size of the data set, is 1 by default: the critic of so few negatives N then starts near its prior
1 / (N + 1), which the authors' code reaches by dividing by an estimate of the mean score. A picture without a label
belongs to the class that the teacher favours.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from openautoglm.losses.base import check_temperature, embedding_of, or_first_choice
from openautoglm.tensors import Seen


def crd_loss(
    student: Float[Tensor, "b d"],
    teacher: Float[Tensor, "b d"],
    label: Int[Tensor, b],
    *,
    temperature: float = 0.1,
    num_data: float = 1.0,
) -> Float[Tensor, ""]:
    """``−mean_i [log h(t_i, s_i) + Σ_j log(1 − h(t_j, s_i))]``, j over the pictures of other classes: ``L_critic``.

    The critic ``h(t, s) = e^(t·s / τ) / (e^(t·s / τ) + N / M)`` says how likely both come from the same picture.

    Args:
        student: embeddings of length 1, ``(b, d)``.
        teacher: embeddings of length 1, ``(b, d)``.
        label: classes, ``(b,)``; they choose the N negatives of each picture.
        temperature: τ > 0.
        num_data: M.
    """
    is_negative = label[:, None] != label[None, :]
    num_negatives = is_negative.sum(dim=1, keepdim=True).clamp(min=1)
    # e^x / (e^x + n) is the sigmoid of x − log n
    critic = student @ teacher.T / temperature - (num_negatives / num_data).log()
    same = F.logsigmoid(critic.diagonal())
    others = (F.logsigmoid(-critic) * is_negative).sum(dim=1)
    return -(same + others).mean()


class CRD:
    """``crd_loss`` with its numbers.

    Args:
        weight: factor of the loss in the sum; the paper's β is 0.8.
        dim: of the space in which both nets' embeddings meet.
        temperature: τ > 0.
        num_data: M.
    """

    reads_hints = True

    def __init__(self, *, weight: float = 0.8, dim: int = 128, temperature: float = 0.1, num_data: float = 1.0) -> None:
        check_temperature(temperature)
        self.weight, self.dim, self.temperature, self.num_data = weight, dim, temperature, num_data

    def build(self, student: Seen, teacher: Seen) -> ContrastiveHeads:
        """The loss with an embedding of each net."""
        return ContrastiveHeads(
            dim_student=embedding_of(student).shape[1],
            dim_teacher=embedding_of(teacher).shape[1],
            dim=self.dim,
            temperature=self.temperature,
            num_data=self.num_data,
        )


class ContrastiveHeads(nn.Module):
    """Linear maps of both nets' embeddings into one space, and the loss there.

    Args:
        dim_student: width of what the student's classifier sees.
        dim_teacher: width of what the teacher's classifier sees.
        dim: of the common space.
        temperature: τ > 0.
        num_data: M.
    """

    def __init__(self, *, dim_student: int, dim_teacher: int, dim: int, temperature: float, num_data: float) -> None:
        super().__init__()
        self.student, self.teacher = nn.Linear(dim_student, dim), nn.Linear(dim_teacher, dim)
        self.temperature, self.num_data = temperature, num_data

    def forward(self, student: Seen, teacher: Seen, label: Int[Tensor, b]) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, -1 where unknown, to a scalar."""
        return crd_loss(
            F.normalize(self.student(embedding_of(student)), dim=1),
            F.normalize(self.teacher(embedding_of(teacher)), dim=1),
            or_first_choice(label, teacher.logits),
            temperature=self.temperature,
            num_data=self.num_data,
        )
