"""RKD against values worked out by hand from equations 5 to 10."""

import math

import pytest
import torch

from openautoglm.losses import RKD, rkd_angle_loss, rkd_distance_loss
from openautoglm.tensors import Seen

RIGHT_ANGLE = torch.tensor([[3.0, 0.0], [0.0, 0.0], [0.0, 4.0]])  # distances 3, 4, 5: mean 4
LINE = torch.tensor([[0.0], [1.0], [2.0]])  # distances 1, 1, 2: mean 4/3


def test_distances_by_hand():
    # relative distances 3/4, 4/4, 5/4 (pairs 01, 12, 02) against 3/4, 3/4, 6/4
    expected = (0.0 + 0.25**2 / 2 + 0.25**2 / 2) / 3
    assert rkd_distance_loss(LINE, RIGHT_ANGLE).item() == pytest.approx(expected, abs=1e-6)


def test_distances_are_linear_beyond_a_difference_of_one():
    # five pictures, one far away: relative distances 0 six times and 5/2 four times, against 1 everywhere
    alone = torch.tensor([[0.0], [0.0], [0.0], [0.0], [9.0]])
    expected = (6 * 0.5 + 4 * (1.5 - 0.5)) / 10
    assert rkd_distance_loss(torch.eye(5), alone).item() == pytest.approx(expected, abs=1e-6)


def test_angles_by_hand():
    # right angle: cosines 0 at picture 1, 3/5 at 0, 4/5 at 2; line: −1 in the middle, 1 at the ends
    differences = [1.0, 0.4, 0.2]
    expected = sum(value**2 / 2 for value in differences) / 3
    assert rkd_angle_loss(LINE, RIGHT_ANGLE).item() == pytest.approx(expected, abs=1e-6)


def test_huber_is_linear_for_opposite_angles():
    # equilateral corners have cosine ½; in the middle of a line it is −1: 1.5 − ½, at its ends 1: 0.5² / 2
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]])
    assert rkd_angle_loss(LINE, corners).item() == pytest.approx((1.0 + 0.125 + 0.125) / 3, abs=1e-5)


@pytest.mark.parametrize("loss", [rkd_distance_loss, rkd_angle_loss])
def test_turned_moved_and_scaled_pictures_have_the_same_relations(loss):
    torch.manual_seed(0)
    student = torch.randn(6, 2)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    assert loss(student, 3 * student @ turn + 5).item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("loss", [rkd_distance_loss, rkd_angle_loss])
def test_gradient_reduces_the_loss_and_is_finite_for_equal_pictures(loss):
    torch.manual_seed(0)
    student, teacher = torch.randn(5, 3), torch.randn(5, 4)
    student[1] = student[0]
    student.requires_grad_(True)
    value = loss(student, teacher)
    value.backward()
    assert torch.isfinite(student.grad).all()
    with torch.no_grad():
        assert loss(student - 0.05 * student.grad, teacher) < value


def test_class_adds_both():
    student, teacher = torch.randn(4, 5), torch.randn(4, 6)
    ours, theirs = (Seen(logits=torch.zeros(4, 2), embedding=embedding) for embedding in (student, teacher))
    expected = 2.0 * rkd_distance_loss(student, teacher) + 3.0 * rkd_angle_loss(student, teacher)
    assert RKD(distance=2.0, angle=3.0)(ours, theirs, torch.zeros(4, dtype=torch.long)) == expected


def test_two_pictures_have_no_angle():
    with pytest.raises(ValueError, match="at least 3 pictures a batch, got 2: raise batch_size"):
        rkd_angle_loss(torch.rand(2, 3), torch.rand(2, 3))
