"""Where a hand is found by its gesture alone."""

from __future__ import annotations

import pytest
import torch

from openautoglm.losses.detection import label_targets, spot_targets
from openautoglm.nn.evidence import evidence_box, pooled_logits
from openautoglm.tensors import EMPTY

CELLS, STRIDE = 24, 8
BOX = torch.tensor([[48.0, 80.0, 96.0, 144.0]])
OTHER = torch.tensor([[130.0, 20.0, 170.0, 60.0]])


def bell(box: torch.Tensor) -> torch.Tensor:
    """The attention that a hand in a box should get."""
    targets = spot_targets(
        box[None], torch.zeros(1, 1, dtype=torch.long), torch.tensor([True]), height=CELLS, width=CELLS, stride=STRIDE
    )
    return targets.heat[:, None]


def named(attention_one: torch.Tensor, attention_two: torch.Tensor) -> torch.Tensor:
    """Logits of three gestures: 0 under the first hand, 1 under the second, 2 elsewhere."""
    logits = torch.zeros(1, 3, CELLS, CELLS)
    logits[:, 2] = 1.0
    logits[:, 0] += 6 * (attention_one[:, 0] > 0.01)
    logits[:, 1] += 6 * (attention_two[:, 0] > 0.01)
    return logits


def overlap(one: torch.Tensor, two: torch.Tensor) -> float:
    low, high = torch.maximum(one[:2], two[:2]), torch.minimum(one[2:], two[2:])
    shared = float((high - low).clamp(min=0).prod())
    areas = [float((box[2:] - box[:2]).prod()) for box in (one, two)]
    return shared / (sum(areas) - shared)


def test_pooling_weighs_by_attention():
    attention = torch.tensor([[[[0.5, 0.25], [0.25, 0.0]]]])
    logits = torch.tensor([[[[4.0, 0.0], [8.0, 100.0]]]])
    assert pooled_logits(attention, logits).tolist() == [[pytest.approx(0.5 * 4 + 0.25 * 8)]]


@pytest.mark.parametrize(("gesture", "box"), [(0, BOX), (1, OTHER)])
def test_of_two_hands_the_one_that_makes_the_gesture_is_found(gesture: int, box: torch.Tensor):
    one, two = bell(BOX), bell(OTHER)
    found = evidence_box(torch.maximum(one, two), named(one, two), torch.tensor([gesture]))
    assert overlap(found[0] * CELLS * STRIDE, box[0]) > 0.75


def test_a_map_that_shows_nothing_gives_the_whole_picture():
    """An untrained net looks at everything."""
    flat = torch.full((1, 1, CELLS, CELLS), 0.02)
    assert evidence_box(flat, torch.zeros(1, 3, CELLS, CELLS), torch.tensor([0]))[0].tolist() == [0, 0, 1, 1]


def test_a_loss_on_the_box_reaches_attention_and_names():
    one, two = bell(BOX), bell(OTHER)
    attention = torch.maximum(one, two).clamp(min=0.01).requires_grad_()
    logits = named(one, two).requires_grad_()
    evidence_box(attention, logits, torch.tensor([0])).square().sum().backward()
    for given in (attention, logits):
        assert given.grad is not None
        assert torch.isfinite(given.grad).all()
        assert given.grad.abs().sum() > 0


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
