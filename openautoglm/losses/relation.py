"""Relations between pictures. Park et al.: Relational Knowledge Distillation, arXiv 1904.05068.

What differs: both losses are averaged over their pairs and triplets instead of summed, so that a weight holds for
every batch size. What is compared is what the classifiers see; the widths of the two nets may differ.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.losses.base import embedding_of
from openautoglm.tensors import Seen


def rkd_distance_loss(student: Float[Tensor, "b c"], teacher: Float[Tensor, "b c2"]) -> Float[Tensor, ""]:
    """``mean_{i≠j} l_δ(ψ_D(s_i, s_j), ψ_D(t_i, t_j))`` with ``ψ_D(x_i, x_j) = ‖x_i − x_j‖₂ / μ`` (equations 5 to 8).

    ``μ`` is the mean distance of the batch; ``l_δ`` the Huber loss, quadratic up to a difference of 1.

    Args:
        student: embeddings, ``(b, c)``.
        teacher: embeddings, ``(b, c2)``.
    """
    return F.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def rkd_angle_loss(student: Float[Tensor, "b c"], teacher: Float[Tensor, "b c2"]) -> Float[Tensor, ""]:
    """``mean_{i≠j≠k} l_δ(ψ_A(s_i, s_j, s_k), ψ_A(t_i, t_j, t_k))`` (equations 9 and 10).

    ``ψ_A(x_i, x_j, x_k) = cos ∠ x_i x_j x_k``, the angle at the second picture of a triplet.

    Args:
        student: embeddings, ``(b, c)``.
        teacher: embeddings, ``(b, c2)``.
    """
    return F.smooth_l1_loss(_angles(student), _angles(teacher))


def _relative_distances(embedding: Float[Tensor, "b c"]) -> Float[Tensor, p]:
    """Distance of each ordered pair over their mean."""
    apart = ~torch.eye(_at_least(embedding, 2), dtype=torch.bool, device=embedding.device)
    distances: Tensor = torch.linalg.vector_norm(embedding[:, None] - embedding[None, :], dim=2)[apart]
    return distances / distances.mean().clamp(min=1e-12)


def _angles(embedding: Float[Tensor, "b c"]) -> Float[Tensor, t]:
    """Cosine of each triplet of different pictures."""
    num = _at_least(embedding, 3)
    towards = embedding[:, None] - embedding[None, :]
    lengths = torch.linalg.vector_norm(towards, dim=2, keepdim=True)
    # between equal pictures there is no direction, and no gradient
    towards = towards / lengths.masked_fill(lengths < 1e-6, torch.inf)
    cosines: Tensor = torch.einsum("ijc,kjc->ijk", towards, towards)
    apart = ~torch.eye(num, dtype=torch.bool, device=embedding.device)
    return cosines[apart[:, :, None] & apart[None, :, :] & apart[:, None, :]]


def _at_least(embedding: Float[Tensor, "b c"], least: int) -> int:
    if len(embedding) < least:
        raise ValueError(f"relations need at least {least} pictures a batch, got {len(embedding)}: raise batch_size")
    return len(embedding)


class RKD:
    """``distance · rkd_distance_loss + angle · rkd_angle_loss``.

    Args:
        weight: factor of the loss in the sum.
        distance: weight of the distances; the paper's.
        angle: weight of the angles; the paper's.
    """

    reads_hints = True

    def __init__(self, *, weight: float = 1.0, distance: float = 25.0, angle: float = 50.0) -> None:
        self.weight, self.distance, self.angle = weight, distance, angle

    def __call__(
        self,
        student: Seen,
        teacher: Seen,
        label: Int[Tensor, b],  # noqa: ARG002 - every distillation loss is called alike
    ) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, which are not used, to a scalar."""
        ours, theirs = embedding_of(student), embedding_of(teacher)
        return self.distance * rkd_distance_loss(ours, theirs) + self.angle * rkd_angle_loss(ours, theirs)
