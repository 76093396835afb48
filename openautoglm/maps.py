"""What a glance at a frame says, cell by cell; known to the nets that say it and to the losses that judge it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

STRIDE = 8
"""Pixels of the input that one cell of the maps stands for."""


class GlanceMaps(NamedTuple):
    """What the first look returns; a named tuple, which exporters take apart.

    Attributes:
        attention: logits of a hand's centre, ``(b, 1, h, w)``.
        box: distances from the cell's centre to the left, top, right and bottom side, in cells, ``(b, 4, h, w)``.
        logits: of the gestures, ``(b, k, h, w)``.
    """

    attention: Tensor
    box: Tensor
    logits: Tensor


def boxes_at(
    box: Float[Tensor, "b 4 h w"], picture: Int[Tensor, n], y: Int[Tensor, n], x: Int[Tensor, n]
) -> Float[Tensor, "n 4"]:
    """x0, y0, x1, y1 in cells, as n cells predict them.

    Args:
        box: as in ``GlanceMaps``.
        picture: of each cell.
        y: its row.
        x: its column.
    """
    left, top, right, bottom = box[picture, :, y, x].unbind(dim=1)
    middle_x, middle_y = x + 0.5, y + 0.5
    return torch.stack([middle_x - left, middle_y - top, middle_x + right, middle_y + bottom], dim=1)
