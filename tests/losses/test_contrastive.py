"""CRD against values worked out by hand from the objective L_critic and its critic h."""

import math

import pytest
import torch

from openautoglm.losses import CRD, crd_loss
from openautoglm.tensors import Seen

APART = torch.eye(2)


def test_value():
    # t·s = 1 for the same picture, 0 for the other; N = M = 1: h = e / (e + 1) and 1 / (1 + 1)
    expected = -(math.log(math.e / (math.e + 1)) + math.log(1 / 2))
    assert crd_loss(APART, APART, torch.tensor([0, 1]), temperature=1.0).item() == pytest.approx(expected, abs=1e-6)


def test_temperature_and_size_of_the_data():
    # e^(1 / 0.5) = e²; N / M = 1 / 4
    expected = -(math.log(math.e**2 / (math.e**2 + 0.25)) + math.log(1 - 1 / 1.25))
    value = crd_loss(APART, APART, torch.tensor([0, 1]), temperature=0.5, num_data=4.0)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_pictures_of_one_class_are_no_negatives():
    # three pictures, two of class 0: picture 2 has N = 2, the others N = 1
    three = torch.eye(3)
    first = -(math.log(math.e / (math.e + 1)) + math.log(1 / 2))
    last = -(math.log(math.e / (math.e + 2)) + 2 * math.log(1 - 1 / 3))
    value = crd_loss(three, three, torch.tensor([0, 0, 1]), temperature=1.0)
    assert value.item() == pytest.approx((2 * first + last) / 3, abs=1e-6)


def test_gradient_draws_to_the_own_picture_and_from_the_other():
    student = torch.tensor([[0.6, 0.8], [0.8, 0.6]], requires_grad=True)
    crd_loss(student, APART, torch.tensor([0, 1]), temperature=1.0).backward()
    assert student.grad[0, 0] < 0 < student.grad[0, 1]


def test_a_batch_of_one_class_has_a_finite_gradient():
    student = APART.clone().requires_grad_(True)
    crd_loss(student, APART, torch.tensor([1, 1])).backward()
    assert torch.isfinite(student.grad).all()


def seen(dim: int) -> Seen:
    return Seen(logits=torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0]]), embedding=torch.randn(3, dim))


def test_heads_meet_in_one_space_and_learn():
    student, teacher = seen(5), seen(7)
    heads = CRD(dim=4).build(student, teacher)
    assert (heads.student.weight.shape, heads.teacher.weight.shape) == ((4, 5), (4, 7))
    heads(student, teacher, torch.tensor([0, 1, 1])).backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in heads.parameters())


def test_without_a_label_the_teacher_chooses_the_class():
    student, teacher = seen(5), seen(7)
    heads = CRD(dim=4).build(student, teacher)
    assert heads(student, teacher, torch.tensor([-1, 1, -1])) == heads(student, teacher, torch.tensor([0, 1, 1]))


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"temperature must be above 0, got 0\.0"):
        CRD(temperature=0.0)
