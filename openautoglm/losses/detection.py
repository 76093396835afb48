"""Losses of the glance: the attention map of hand centres, the boxes, the gesture at each hand.

Penalty-reduced focal loss on centres (Objects as Points, arXiv 1904.07850, eq. 1), generalised intersection over
union on boxes (GIoU, 1902.09630), cross-entropy on gestures. What differs: boxes are distances to the four sides, as
in FCOS (1904.01355), learnt in the middle of each hand; frames whose hands are not all known are no negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from openautoglm.maps import boxes_at
from openautoglm.tensors import EMPTY

_CENTRAL = 0.25  # of a box's sides: cells nearer to its centre than this learn its box and gesture
_SPREAD = 1 / 6  # deviation of the centre's bell, as a fraction of the box's sides
_FAR = 0.01  # of a bell: less is outside of the hand
_ANOTHER = 0.3  # attention from which a cell outside of the one known hand may be a further one


@dataclass(frozen=True)
class SpotTargets:
    """What each cell of the glance's maps should say.

    Attributes:
        heat: bell round each centre, 1 at its cell, ``(b, h, w)``.
        owner: row of the hand that a cell belongs to, -1 for none, ``(b, h, w)``.
        known: cells that count for the attention, ``(b, h, w)``.
    """

    heat: Float[Tensor, "b h w"]
    owner: Int[Tensor, "b h w"]
    known: Bool[Tensor, "b h w"]


def spot_targets(
    boxes_px: Float[Tensor, "b m 4"],
    labels: Int[Tensor, "b m"],
    complete: Bool[Tensor, b],
    *,
    height: int,
    width: int,
    stride: int,
) -> SpotTargets:
    """Targets of maps with ``height`` x ``width`` cells of ``stride`` pixels.

    Args:
        boxes_px: x0, y0, x1, y1 in pixels of the input, ``(b, m, 4)``.
        labels: class index, -1 for a hand of unknown gesture, ``EMPTY`` for no hand, ``(b, m)``.
        complete: whether all hands of a picture are given; otherwise its background is not learnt from, ``(b,)``.
        height: cells.
        width: cells.
        stride: pixels a cell.
    """
    there = labels != EMPTY
    cells = boxes_px / stride
    size = (cells[..., 2:] - cells[..., :2]).clamp(min=1e-3)
    centre = (cells[..., :2] + cells[..., 2:]) / 2
    grid_x = torch.arange(width, device=cells.device, dtype=cells.dtype) + 0.5
    grid_y = torch.arange(height, device=cells.device, dtype=cells.dtype) + 0.5
    # the bell stands on the cell that holds the centre, so that one cell has the value 1
    on_cell = centre.floor() + 0.5
    spread = (_SPREAD * size).clamp(min=0.5)
    bell_x = torch.exp(-0.5 * ((grid_x - on_cell[..., :1]) / spread[..., :1]).square())
    bell_y = torch.exp(-0.5 * ((grid_y - on_cell[..., 1:]) / spread[..., 1:]).square())
    bells = bell_y[..., :, None] * bell_x[..., None, :] * there[..., None, None]
    reach = (_CENTRAL * size).clamp(min=0.5)
    near_x = (grid_x - centre[..., :1]).abs() <= reach[..., :1]
    near_y = (grid_y - centre[..., 1:]).abs() <= reach[..., 1:]
    inside = near_y[..., :, None] & near_x[..., None, :] & there[..., None, None]
    # where hands overlap, the smaller one is in front
    area = torch.where(inside, size.prod(dim=-1)[..., None, None], torch.inf)
    smallest, owner = area.min(dim=1)
    owner = torch.where(torch.isfinite(smallest), owner, -1)
    heat = bells.amax(dim=1)
    return SpotTargets(heat=heat, owner=owner, known=complete[:, None, None] | (heat > _FAR))


def label_targets(
    attention: Float[Tensor, "b 1 h w"], boxes_px: Float[Tensor, "b 4"], label: Int[Tensor, b], *, stride: int
) -> SpotTargets:
    """What the maps should say if the boxes are right; what looks like a further hand is left alone.

    Args:
        attention: in [0, 1], ``(b, 1, h, w)``.
        boxes_px: in pixels of the input, ``(b, 4)``.
        label: the gesture of each picture or ``EMPTY``, from which nothing is learnt, ``(b,)``.
        stride: pixels a cell.
    """
    _, _, height, width = attention.shape
    everywhere = torch.ones(len(label), dtype=torch.bool, device=label.device)
    targets = spot_targets(boxes_px[:, None], label[:, None], everywhere, height=height, width=width, stride=stride)
    is_further = (attention[:, 0] >= _ANOTHER) & (targets.heat < _FAR)
    known = targets.known & ~is_further & (label != EMPTY)[:, None, None]
    return SpotTargets(heat=targets.heat, owner=targets.owner, known=known)


def centre_focal_loss(
    attention: Float[Tensor, "b h w"], targets: SpotTargets, *, alpha: float = 2.0, beta: float = 4.0
) -> Float[Tensor, ""]:
    """``-1/N Σ (1 - p)^α log p`` at centres, ``(1 - y)^β p^α log(1 - p)`` elsewhere (1904.07850, eq. 1).

    Args:
        attention: logits, ``(b, h, w)``.
        targets: with N centres.
        alpha: weight of what is not learnt yet.
        beta: how far a bell spares its neighbourhood.
    """
    heat = targets.heat
    log_p, log_q = F.logsigmoid(attention), F.logsigmoid(-attention)
    is_centre = heat >= 1 - 1e-4
    at_centre = log_q.exp() ** alpha * log_p
    elsewhere = (1 - heat) ** beta * log_p.exp() ** alpha * log_q
    total = torch.where(is_centre, at_centre, elsewhere) * targets.known
    return -total.sum() / is_centre.sum().clamp(min=1)


def giou(box: Float[Tensor, "n 4"], target: Float[Tensor, "n 4"]) -> Float[Tensor, n]:
    """Generalised intersection over union of boxes x0, y0, x1, y1, between -1 and 1 (1902.09630, algorithm 1)."""
    overlap = _area(torch.maximum(box[:, :2], target[:, :2]), torch.minimum(box[:, 2:], target[:, 2:]))
    hull = _area(torch.minimum(box[:, :2], target[:, :2]), torch.maximum(box[:, 2:], target[:, 2:]))
    union = _area(box[:, :2], box[:, 2:]) + _area(target[:, :2], target[:, 2:]) - overlap
    return overlap / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)


def box_loss(
    box: Float[Tensor, "b 4 h w"], boxes_px: Float[Tensor, "b m 4"], targets: SpotTargets, *, stride: int
) -> Float[Tensor, ""]:
    """Mean of ``1 - GIoU`` over the cells that belong to a hand.

    Args:
        box: distances to the left, top, right and bottom side in cells, ``(b, 4, h, w)``.
        boxes_px: true boxes in pixels of the input, ``(b, m, 4)``.
        targets: which cell belongs to which hand.
        stride: pixels a cell.
    """
    picture, y, x = torch.nonzero(targets.owner >= 0, as_tuple=True)
    if len(picture) == 0:
        return box.sum() * 0.0
    truth = boxes_px[picture, targets.owner[picture, y, x]] / stride
    return (1 - giou(boxes_at(box, picture, y, x), truth)).mean()


def cell_class_loss(
    logits: Float[Tensor, "b k h w"], labels: Int[Tensor, "b m"], targets: SpotTargets
) -> Float[Tensor, ""]:
    """Mean cross-entropy of the gesture over the cells of hands whose gesture is known."""
    picture, y, x = torch.nonzero(targets.owner >= 0, as_tuple=True)
    label = labels[picture, targets.owner[picture, y, x]]
    picture, y, x, label = (value[label >= 0] for value in (picture, y, x, label))
    if len(label) == 0:
        return logits.sum() * 0.0
    return F.cross_entropy(logits[picture, :, y, x], label)


def _area(low: Float[Tensor, "n 2"], high: Float[Tensor, "n 2"]) -> Float[Tensor, n]:
    return (high - low).clamp(min=0).prod(dim=1)
