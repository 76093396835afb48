"""DKD against values worked out by hand from its two parts, TCKD and NCKD."""

import math

import pytest
import torch

from openautoglm.losses import DKD, dkd_loss, kd_loss
from openautoglm.tensors import Seen

LABEL = torch.tensor([0])


def logits(*probabilities: float) -> torch.Tensor:
    return torch.tensor([[math.log(p) for p in probabilities]])


def test_target_part_alone():
    # others agree; target 1/2 against 1/3: 1/2 ln(3/2) + 1/2 ln(3/4)
    value = dkd_loss(torch.zeros(1, 3), logits(0.5, 0.25, 0.25), LABEL, alpha=2.0, beta=8.0, temperature=1.0)
    assert value.item() == pytest.approx(2 * (0.5 * math.log(1.5) + 0.5 * math.log(0.75)), abs=1e-6)


def test_others_part_alone():
    # target 1/3 both; others (3/4, 1/4) against (1/2, 1/2)
    value = dkd_loss(torch.zeros(1, 3), logits(2 / 6, 3 / 6, 1 / 6), LABEL, alpha=1.0, beta=8.0, temperature=1.0)
    assert value.item() == pytest.approx(8 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)), abs=1e-5)


def test_the_decoupled_form_of_kd_ties_it_to_kd():
    torch.manual_seed(0)
    student, teacher = torch.randn(1, 6), torch.randn(1, 6)
    others = 1 - teacher.softmax(1)[0, 0].item()
    value = dkd_loss(student, teacher, LABEL, alpha=1.0, beta=others, temperature=1.0)
    assert value.item() == pytest.approx(kd_loss(student, teacher, temperature=1.0).item(), abs=1e-5)


def test_without_label_the_teacher_chooses():
    torch.manual_seed(0)
    student, teacher = torch.randn(3, 4), torch.randn(3, 4)
    unlabelled = dkd_loss(student, teacher, torch.full((3,), -1))
    assert torch.equal(unlabelled, dkd_loss(student, teacher, teacher.argmax(1)))


def test_confident_logits_stay_finite_with_a_gradient():
    student = torch.tensor([[60.0, -60.0, 0.0]], requires_grad=True)
    value = dkd_loss(student, torch.tensor([[-60.0, 60.0, 0.0]]), LABEL, temperature=1.0)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(student.grad).all()
    assert student.grad.abs().sum() > 0


def test_class_is_the_function():
    student, teacher, label = torch.randn(4, 5), torch.randn(4, 5), torch.arange(4)
    loss = DKD(alpha=0.5, beta=2.0, temperature=3.0)
    value = loss(Seen(student), Seen(teacher), label)
    assert value == dkd_loss(student, teacher, label, alpha=0.5, beta=2.0, temperature=3.0)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature must be above 0, got -1"):
        DKD(temperature=-1.0)
