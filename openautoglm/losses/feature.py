"""Hints from the middle of the teacher. Romero et al.: FitNets: Hints for Thin Deep Nets, arXiv 1412.6550.

What differs: the hint is learnt together with the labels and the other losses instead of before them; squares are
averaged over channels and positions instead of summed, so that a weight holds for every size; the regressor is a 1x1
convolution, because both maps have the same height and width.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from openautoglm.losses.base import check_same_size
from openautoglm.tensors import Seen


def hint_loss(guided: Float[Tensor, "b c h w"], hint: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """``½ · mean (hint − guided)²``, the hint loss ``L_HT`` of hint-based training.

    Args:
        guided: the student's map after its regressor, ``(b, c, h, w)``.
        hint: the teacher's map, ``(b, c, h, w)``.
    """
    return (hint - guided).square().mean() / 2


class FitNet:
    """``hint_loss`` with its numbers.

    Args:
        weight: factor of the loss in the sum.
        stride: of the maps that are compared, in pixels of the picture.
    """

    reads_hints = True

    def __init__(self, *, weight: float = 1.0, stride: int = 16) -> None:
        self.weight, self.stride = weight, stride

    def build(self, student: Seen, teacher: Seen) -> HintRegressor:
        """The loss with a regressor from the student's channels to the teacher's."""
        dims = [seen.at(self.stride).shape[1] for seen in (student, teacher)]
        return HintRegressor(dim_student=dims[0], dim_teacher=dims[1], stride=self.stride)


class HintRegressor(nn.Module):
    """Brings the student's map to the teacher's channels and compares the two.

    Args:
        dim_student: channels of the student's map.
        dim_teacher: channels of the teacher's.
        stride: of both.
    """

    def __init__(self, *, dim_student: int, dim_teacher: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.regress = nn.Conv2d(dim_student, dim_teacher, kernel_size=1)

    def forward(
        self,
        student: Seen,
        teacher: Seen,
        label: Int[Tensor, b],  # noqa: ARG002 - every distillation loss is called alike
    ) -> Float[Tensor, ""]:
        """Both nets' answers and labels ``(b,)``, which are not used, to a scalar."""
        guided, hint = self.regress(student.at(self.stride)), teacher.at(self.stride)
        check_same_size(guided, hint)
        return hint_loss(guided, hint)
