"""Attention transfer against values worked out by hand from its activation-based loss L_AT."""

import math

import pytest
import torch

from openautoglm.losses import AttentionTransfer, attention_transfer_loss
from openautoglm.losses.attention import attention_map
from openautoglm.tensors import Seen


def row(*values: float) -> torch.Tensor:
    """One picture, one channel, one line of positions."""
    return torch.tensor(values).reshape(1, 1, 1, -1)


def test_attention_is_the_sum_of_squares_over_channels_at_length_one():
    # (1² + 1², 0) and (√3², 1) at the positions: Q = (4, 2), up to its length
    features = torch.tensor([[[[1.0, 1.0]], [[math.sqrt(3), -1.0]]]])
    expected = torch.tensor([[4.0, 2.0]]) / math.sqrt(20)
    assert torch.allclose(attention_map(features), expected)


def test_value_of_attention_at_different_places():
    # (1, 0) against (0, 1): distance √2, halved
    assert attention_transfer_loss([row(3.0, 0.0)], [row(0.0, 2.0)]).item() == pytest.approx(math.sqrt(2) / 2)


def test_maps_are_added_and_pictures_averaged():
    student = torch.cat([row(1.0, 0.0), row(1.0, 0.0)])
    teacher = torch.cat([row(0.0, 1.0), row(1.0, 0.0)])
    value = attention_transfer_loss([student, student], [teacher, teacher])
    assert value.item() == pytest.approx(math.sqrt(2) / 2)  # two maps, half of the pictures differ


def test_channels_need_not_agree():
    features = torch.rand(2, 3, 4, 4)
    twice = torch.cat([features, features], dim=1)
    assert attention_transfer_loss([features], [twice]).item() == pytest.approx(0.0, abs=1e-6)


def test_gradient_moves_activity_to_where_the_teacher_looks():
    student = torch.ones(1, 1, 1, 2, requires_grad=True)
    attention_transfer_loss([student], [row(0.0, 1.0)]).backward()
    left, right = student.grad.flatten()
    assert left > 0 > right


def test_a_silent_map_has_a_finite_gradient():
    student = torch.zeros(1, 1, 1, 2, requires_grad=True)
    attention_transfer_loss([student], [torch.zeros(1, 1, 1, 2)]).backward()
    assert torch.isfinite(student.grad).all()


def test_class_compares_its_strides():
    def seen() -> Seen:
        maps = tuple(torch.rand(2, 3, side, side) for side in (16, 8, 4))
        return Seen(logits=torch.zeros(2, 3), features=maps, side_px=32)

    student, teacher = seen(), seen()
    expected = attention_transfer_loss(student.features[1:], teacher.features[1:])
    assert AttentionTransfer(strides=[4, 8])(student, teacher, torch.zeros(2, dtype=torch.long)) == expected


def test_no_map_is_refused():
    with pytest.raises(ValueError, match="at least one map, got none"):
        AttentionTransfer(strides=[])


def test_maps_of_unlike_size_are_refused():
    with pytest.raises(ValueError, match="got 4x4 and 8x8"):
        attention_transfer_loss([torch.rand(1, 1, 4, 4)], [torch.rand(1, 1, 8, 8)])
