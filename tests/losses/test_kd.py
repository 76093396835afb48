"""KD against values worked out by hand."""

import math

import pytest
import torch

from openautoglm.losses import KD, kd_loss
from openautoglm.tensors import Seen

# teacher (3/4, 1/4) against student (1/2, 1/2): 3/4 ln(3/2) + 1/4 ln(1/2)
BY_HAND = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)


def test_value():
    student, teacher = torch.zeros(1, 2), torch.tensor([[math.log(3), 0.0]])
    assert kd_loss(student, teacher, temperature=1.0).item() == pytest.approx(BY_HAND, abs=1e-6)


def test_temperature_softens_and_scales_by_its_square():
    student, teacher = torch.zeros(1, 2), torch.tensor([[2 * math.log(3), 0.0]])
    assert kd_loss(student, teacher, temperature=2.0).item() == pytest.approx(4 * BY_HAND, abs=1e-6)


def test_mean_over_the_batch():
    student, teacher = torch.zeros(2, 2), torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    assert kd_loss(student, teacher, temperature=1.0).item() == pytest.approx(BY_HAND / 2, abs=1e-6)


def test_gradient_is_the_difference_of_probabilities():
    student, teacher = torch.zeros(1, 2, requires_grad=True), torch.tensor([[math.log(3), 0.0]])
    kd_loss(student, teacher, temperature=1.0).backward()
    assert torch.allclose(student.grad, torch.tensor([[-0.25, 0.25]]), atol=1e-6)


def test_class_is_the_function():
    student, teacher = torch.randn(4, 5), torch.randn(4, 5)
    value = KD(temperature=3.0)(Seen(student), Seen(teacher), torch.zeros(4, dtype=torch.long))
    assert value == kd_loss(student, teacher, temperature=3.0)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"temperature must be above 0, got 0\.0"):
        KD(temperature=0.0)
