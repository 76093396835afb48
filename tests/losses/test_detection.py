"""Losses of the glance against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from openautoglm.losses.detection import box_loss, cell_class_loss, centre_focal_loss, giou, spot_targets
from openautoglm.tensors import EMPTY, UNLABELLED

# one picture, 8 x 8 cells of 8 pixels: a hand of class 2 with its centre in cell (3, 2), and no second hand
BOXES = torch.tensor([[[16.0, 8.0, 40.0, 32.0], [0.0, 0.0, 0.0, 0.0]]])
LABELS = torch.tensor([[2, EMPTY]])


def targets(boxes=BOXES, labels=LABELS, complete=True):
    return spot_targets(boxes, labels, torch.tensor([complete] * len(boxes)), height=8, width=8, stride=8)


def test_targets_of_one_hand():
    found = targets()
    assert found.heat.shape == found.owner.shape == found.known.shape == (1, 8, 8)
    assert found.heat[0, 2, 3] == 1.0
    assert (found.heat >= 1 - 1e-4).sum() == 1
    # deviation 24 px / 6 = half a cell
    assert found.heat[0, 2, 4].item() == pytest.approx(math.exp(-2))
    assert torch.nonzero(found.owner[0] == 0).tolist() == [[2, 3]]
    assert found.known.all()


def test_what_is_not_known_is_no_negative():
    found = targets(complete=False)
    assert found.known[0, 2, 3]
    assert not found.known[0, 7, 7]


def test_the_smaller_hand_is_in_front():
    boxes = torch.tensor([[[0.0, 0.0, 64.0, 64.0], [24.0, 24.0, 40.0, 40.0]]])
    found = targets(boxes, torch.tensor([[0, UNLABELLED]]))
    assert found.owner[0, 3, 3] == 1
    assert found.owner[0, 2, 4] == 0


def test_no_hand_at_all():
    found = targets(torch.zeros(1, 1, 4), torch.tensor([[EMPTY]]))
    assert found.heat.sum() == 0
    assert (found.owner == -1).all()
    maps = torch.zeros(1, 4, 8, 8, requires_grad=True)
    loss = box_loss(maps, torch.zeros(1, 1, 4), found, stride=8) + cell_class_loss(maps, torch.tensor([[EMPTY]]), found)
    loss.backward()
    assert loss == 0
    assert maps.grad.abs().sum() == 0


def test_focal_loss_by_hand():
    """One centre and one cell beside it with heat e^-2, each at p = 1/2; the others are masked out."""
    found = targets()
    found.known[:] = False
    found.known[0, 2, 3:5] = True
    loss = centre_focal_loss(torch.zeros(1, 8, 8), found)
    expected = 0.25 * math.log(2) + (1 - math.exp(-2)) ** 4 * 0.25 * math.log(2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_focal_loss_falls_when_the_centre_is_found():
    found = targets()
    good = torch.full((1, 8, 8), -6.0)
    good[0, 2, 3] = 6.0
    assert centre_focal_loss(good, found) < 0.01 * centre_focal_loss(torch.zeros(1, 8, 8), found)
    shifted = good.roll(2, dims=2)
    assert centre_focal_loss(shifted, found) > centre_focal_loss(torch.full((1, 8, 8), -2.0), found)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.0, 0.0, 2.0, 2.0), 1.0),
        ((1.0, 0.0, 3.0, 2.0), 1 / 3),  # hull 6, union 6
        ((3.0, 0.0, 5.0, 2.0), 0 - 2 / 10),  # apart: hull 10, union 8
        ((0.0, 0.0, 1.0, 1.0), 1 / 4),
    ],
)
def test_giou_by_hand(box, expected):
    assert giou(torch.tensor([box]), torch.tensor([[0.0, 0.0, 2.0, 2.0]])).item() == pytest.approx(expected, abs=1e-6)


def test_box_loss_is_zero_for_the_true_distances():
    """Centre of cell (3, 2) is (28, 20) px: 12 px to each side, 1.5 cells."""
    maps = torch.zeros(1, 4, 8, 8)
    maps[0, :, 2, 3] = 1.5
    assert box_loss(maps, BOXES, targets(), stride=8).item() == pytest.approx(0.0, abs=1e-6)
    maps[0, 0, 2, 3] = 3.0  # twice as far to the left: IoU 1 / 1.5
    assert box_loss(maps, BOXES, targets(), stride=8).item() == pytest.approx(1 / 3, abs=1e-6)


def test_class_loss_by_hand():
    logits = torch.zeros(1, 4, 8, 8)
    assert cell_class_loss(logits, LABELS, targets()).item() == pytest.approx(math.log(4))
    logits[0, 2, 2, 3] = 20.0
    assert cell_class_loss(logits, LABELS, targets()).item() == pytest.approx(0.0, abs=1e-6)


def test_a_hand_of_unknown_gesture_costs_no_class_loss():
    logits = torch.rand(1, 4, 8, 8, requires_grad=True)
    unknown = torch.tensor([[UNLABELLED, EMPTY]])
    assert cell_class_loss(logits, unknown, targets(labels=unknown)) == 0
