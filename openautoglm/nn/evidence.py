"""Where is the hand of a picture that is known by a gesture alone?

The evidence for the gesture at a cell is attention times the probability that the cell gives to it. The box that the
net predicts where that is largest is taken for true, as joint training on detection and classification data takes the
box that explains a label best (YOLO9000, arXiv 1612.08242, section 4). Boxes themselves have to be learnt elsewhere.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from openautoglm.maps import STRIDE, GlanceMaps, boxes_at


def pooled_logits(maps: GlanceMaps) -> Float[Tensor, "b k"]:
    """Mean of the cells' logits, weighted by attention: attention-based pooling (arXiv 1802.04712, section 2.4)."""
    attention = maps.attention.sigmoid()
    weights = attention / attention.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    return (weights * maps.logits).sum(dim=(2, 3))


def box_of_gesture(maps: GlanceMaps, label: Int[Tensor, b]) -> Float[Tensor, "b 4"]:
    """The predicted box at the strongest evidence for a gesture; nothing is learnt through it.

    Args:
        maps: of a glance, ``(b, _, h, w)``.
        label: the gesture of each picture, ``(b,)``.

    Returns:
        x0, y0, x1, y1 in pixels of the glance's input, ``(b, 4)``; may reach over the edge.
    """
    with torch.no_grad():
        pictures = torch.arange(len(label), device=label.device)
        evidence = maps.attention[:, 0].sigmoid() * maps.logits.softmax(dim=1)[pictures, label]
        width = evidence.shape[-1]
        best = evidence.flatten(1).argmax(dim=1)
        return STRIDE * boxes_at(maps.box, pictures, best // width, best % width)


def square_round(
    boxes_px: Float[Tensor, "b 4"], *, width: int, height: int, margin: float = 0.1, least_px: float = STRIDE
) -> Float[Tensor, "b 4"]:
    """Squares round boxes, as a look is given them, for ``crop_resize``.

    Args:
        boxes_px: in pixels of a picture, ``(b, 4)``.
        width: of the picture.
        height: of the picture.
        margin: added on every side, as a part of the box's longer side.
        least_px: smallest side of a box that counts.

    Returns:
        x0, y0, x1, y1 as fractions of width and height, ``(b, 4)``; may reach over the edge.
    """
    low, high = boxes_px[:, :2], boxes_px[:, 2:]
    half = (0.5 + margin) * (high - low).amax(dim=1, keepdim=True).clamp(min=least_px)
    middle = (low + high) / 2
    return torch.cat([middle - half, middle + half], dim=1) / boxes_px.new_tensor([width, height, width, height])
