"""Where a hand is found by its gesture alone."""

from __future__ import annotations

import pytest
import torch

from openautoglm.losses.detection import label_targets, spot_targets
from openautoglm.maps import STRIDE, GlanceMaps
from openautoglm.nn.evidence import box_of_gesture, pooled_logits, square_round
from openautoglm.tensors import EMPTY

CELLS = 24
BOX = torch.tensor([[48.0, 80.0, 96.0, 144.0]])
OTHER = torch.tensor([[130.0, 20.0, 170.0, 60.0]])


def bell(box: torch.Tensor) -> torch.Tensor:
    """The attention that a hand in a box should get."""
    targets = spot_targets(
        box[None], torch.zeros(1, 1, dtype=torch.long), torch.tensor([True]), height=CELLS, width=CELLS, stride=STRIDE
    )
    return targets.heat[:, None]


def two_hands() -> GlanceMaps:
    """Gesture 0 in ``BOX``, gesture 1 in ``OTHER``, 2 elsewhere; each cell predicts the box of its hand."""
    logits, box = torch.zeros(1, 3, CELLS, CELLS), torch.ones(1, 4, CELLS, CELLS)
    logits[:, 2] = 1.0
    middles = STRIDE * (torch.arange(CELLS) + 0.5)
    for gesture, (x0, y0, x1, y1) in enumerate([BOX[0].tolist(), OTHER[0].tolist()]):
        hand = bell(torch.tensor([[x0, y0, x1, y1]]))[0, 0] > 0.01
        logits[0, gesture][hand] = 6.0
        x, y = middles[None, :].expand(CELLS, CELLS), middles[:, None].expand(CELLS, CELLS)
        for side, distance in enumerate([x - x0, y - y0, x1 - x, y1 - y]):
            box[0, side][hand] = (distance / STRIDE)[hand]
    attention = torch.maximum(bell(BOX), 0.7 * bell(OTHER)).clamp(0.01, 0.99).logit()
    return GlanceMaps(attention=attention.requires_grad_(), box=box.requires_grad_(), logits=logits.requires_grad_())


def test_pooling_weighs_by_attention():
    attention = torch.tensor([[[[0.5, 0.25], [0.25, 1e-9]]]]).logit()
    logits = torch.tensor([[[[4.0, 0.0], [8.0, 100.0]]]])
    pooled = pooled_logits(GlanceMaps(attention=attention, box=torch.zeros(1, 4, 2, 2), logits=logits))
    assert pooled.tolist() == [[pytest.approx(0.5 * 4 + 0.25 * 8)]]


@pytest.mark.parametrize(("gesture", "box"), [(0, BOX), (1, OTHER)])
def test_of_two_hands_the_one_that_makes_the_gesture_is_found(gesture: int, box: torch.Tensor):
    found = box_of_gesture(two_hands(), torch.tensor([gesture]))
    assert found[0].tolist() == pytest.approx(box[0].tolist(), abs=1e-3)
    assert not found.requires_grad


def test_squares_lie_round_boxes_and_are_never_empty():
    boxes_px = torch.tensor([[10.0, 20.0, 50.0, 40.0], [30.0, 30.0, 30.0, 30.0]])
    squares = square_round(boxes_px, width=100, height=200, margin=0.1)
    assert squares[0].tolist() == pytest.approx([0.06, 0.03, 0.54, 0.27])
    assert squares[1].tolist() == pytest.approx([0.252, 0.126, 0.348, 0.174])


def test_a_further_hand_is_left_alone_and_an_unknown_picture_too():
    one, two = bell(BOX), bell(OTHER)
    both, boxes = torch.maximum(one, two).repeat(2, 1, 1, 1), BOX.repeat(2, 1)
    targets = label_targets(both, boxes, torch.tensor([0, EMPTY]), stride=STRIDE)
    assert torch.equal(targets.heat[0], one[0, 0])
    known = targets.known[0]
    assert known[one[0, 0] > 0.01].all()
    assert not known[two[0, 0] >= 0.3].any()
    assert known[(one + two)[0, 0] < 0.01].all()
    assert not targets.known[1].any()
    assert (targets.owner[1] == -1).all()
