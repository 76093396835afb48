"""Distillation of a glance: where another net sees hands, how large, and what it takes them for.

The attention by the quality focal loss, whose target is a probability (Li et al.: Generalized Focal Loss, arXiv
2006.04388, eq. 5); boxes by GIoU and gestures by KD, both where the teacher's attention is, so that the many cells
without a hand do not drown them (Chen et al.: Learning Efficient Object Detection Models with Knowledge Distillation,
NeurIPS 2017, section 3, weigh fore- and background likewise). Frames that nobody has labelled teach too.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from openautoglm.losses.base import check_temperature
from openautoglm.losses.detection import giou
from openautoglm.losses.kd import kd_loss
from openautoglm.maps import GlanceMaps, boxes_at

_FAINT = 0.1
"""Attention of the teacher from which there may be a hand, and its box and its gesture mean something."""


def soft_focal_loss(
    attention: Float[Tensor, "b 1 h w"], taught: Float[Tensor, "b 1 h w"], *, beta: float = 2.0
) -> Float[Tensor, ""]:
    """``1/N Σ |y - p|^β · BCE(p, y)`` (2006.04388, eq. 5), N the peaks of y; nothing where p is y.

    Args:
        attention: the student's logits of p.
        taught: the teacher's logits of y.
        beta: weight of what is not learnt yet.
    """
    target = taught.sigmoid()
    doubt = (target - attention.sigmoid()).abs() ** beta
    entropy = F.binary_cross_entropy_with_logits(attention, target, reduction="none")
    is_peak = (target >= _FAINT) & (target == F.max_pool2d(target, 3, stride=1, padding=1))
    return (doubt * entropy).sum() / is_peak.sum().clamp(min=1)


def glance_kd_losses(student: GlanceMaps, teacher: GlanceMaps, *, temperature: float = 2.0) -> dict[str, Tensor]:
    """``attention``, ``box`` and ``cell``, each unweighted; gradient flows through the student's maps alone.

    Args:
        student: maps of some pictures.
        teacher: maps of the same pictures and of the same size.
        temperature: T > 0 of the gestures.

    Raises:
        ValueError: the maps differ in size or in the number of gestures.
    """
    if student.logits.shape != teacher.logits.shape:
        shapes = ["x".join(map(str, maps.logits.shape)) for maps in (student, teacher)]
        raise ValueError(f"got maps of gestures of {shapes[0]} and, of the teacher, {shapes[1]}: they must be alike")
    teacher = GlanceMaps(*(part.detach() for part in teacher))
    seen = teacher.attention[:, 0].sigmoid()
    picture, y, x = torch.nonzero(seen >= _FAINT, as_tuple=True)
    parts = {"attention": soft_focal_loss(student.attention, teacher.attention)}
    if len(picture) == 0:
        return parts | {"box": student.box.sum() * 0.0, "cell": student.logits.sum() * 0.0}
    weight = seen[picture, y, x]
    weight = weight / weight.sum()
    overlap = giou(boxes_at(student.box, picture, y, x), boxes_at(teacher.box, picture, y, x))
    logits, taught = (maps.logits[picture, :, y, x] for maps in (student, teacher))
    divergence = kd_loss(logits, taught, temperature=temperature, weight=weight)
    return parts | {"box": (weight * (1 - overlap)).sum(), "cell": divergence}


class GlanceKD:
    """``glance_kd_losses`` with its numbers.

    Args:
        weight: factor of all three in the sum, beside the factors that the labels' losses of the same name have.
        temperature: T > 0 of the gestures.
    """

    def __init__(self, *, weight: float = 1.0, temperature: float = 2.0) -> None:
        check_temperature(temperature)
        self.weight, self.temperature = weight, temperature

    def __call__(self, student: GlanceMaps, teacher: GlanceMaps) -> dict[str, Tensor]:
        """Maps of the same pictures to unweighted losses by name."""
        return glance_kd_losses(student, teacher, temperature=self.temperature)
