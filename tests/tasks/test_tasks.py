"""What a batch costs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from openautoglm.losses import KD, kd_loss
from openautoglm.tasks import Classify, Distill
from openautoglm.tensors import Batch


class Fixed(nn.Module):
    """Answers with its parameter, whatever it sees."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)
        self.drop = nn.Dropout(0.5)

    def forward(self, image):
        return self.drop(self.logits) if self.training else self.logits


def batch(*labels: int) -> Batch:
    return Batch(torch.rand(len(labels), 3, 8, 8), torch.tensor(labels), torch.arange(len(labels)))


def test_cross_entropy_by_hand():
    model = Fixed(torch.tensor([[math.log(3), 0.0]])).eval()
    output = Classify().train_step(model, batch(0))
    assert output.loss.item() == pytest.approx(-math.log(0.75), abs=1e-6)


def test_label_smoothing_by_hand():
    model = Fixed(torch.tensor([[math.log(3), 0.0]])).eval()
    expected = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25))
    assert Classify(label_smoothing=0.2).train_step(model, batch(0)).loss.item() == pytest.approx(expected, abs=1e-6)
    assert Classify(label_smoothing=0.2).eval_step(model, batch(0)).loss.item() == pytest.approx(-math.log(0.75))


def test_unlabelled_pictures_do_not_change_the_loss():
    logits = torch.tensor([[math.log(3), 0.0], [5.0, -5.0]])
    assert Classify().train_step(Fixed(logits).eval(), batch(0, -1)).loss.item() == pytest.approx(-math.log(0.75))
    assert Classify().train_step(Fixed(logits).eval(), batch(-1, -1)).loss.item() == 0.0


def test_label_smoothing_has_bounds():
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\), got 1"):
        Classify(label_smoothing=1)


def test_a_teacher_answers_among_what_an_unlabelled_picture_can_show():
    """Row 1 is unlabelled and can be class 1 or 2, so the teacher's favourite, class 0, gets nothing."""
    taught = torch.tensor([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
    student = torch.zeros(2, 3)
    task = Distill(
        task=Classify(), teacher=Fixed(taught), losses={"kd": KD(temperature=1.0)}, unlabelled_classes=[1, 2]
    )
    found = task.train_step(Fixed(student).eval(), batch(0, -1)).parts["kd"].item()
    p = 1 / (1 + math.exp(-1.0))
    unlabelled = p * math.log(3 * p) + (1 - p) * math.log(3 * (1 - p))
    labelled = kd_loss(student[:1], taught[:1], temperature=1.0).item()
    assert found == pytest.approx((labelled + unlabelled) / 2, abs=1e-5)


class TestDistill:
    def build(self):
        torch.manual_seed(0)
        teacher = Fixed(torch.randn(2, 4)).train()
        return Distill(
            task=Classify(), teacher=teacher, losses={"kd": KD(weight=3.0, temperature=2.0)}, label_weight=0.5
        )

    def test_sum_of_weighted_parts(self):
        task, student, pictures = self.build(), Fixed(torch.randn(2, 4)).eval(), batch(1, -1)
        output = task.train_step(student, pictures)
        kd = kd_loss(student.logits, task.teacher.logits, temperature=2.0)
        hard = Classify().train_step(student, pictures).loss
        assert output.loss.item() == pytest.approx((0.5 * hard + 3.0 * kd).item(), abs=1e-5)
        assert output.parts["kd"].item() == pytest.approx(kd.item(), abs=1e-5)
        assert output.parts["label"].item() == pytest.approx(hard.item(), abs=1e-5)

    def test_teacher_is_frozen_and_in_evaluation(self):
        task, student = self.build(), Fixed(torch.randn(2, 4))
        task.teacher.train()  # someone switched everything to training
        task.train_step(student, batch(0, 1)).loss.backward()
        assert not task.teacher.training
        assert task.teacher.logits.grad is None
        assert student.logits.grad.abs().sum() > 0

    def test_teacher_in_half_precision_says_nearly_the_same(self):
        torch.manual_seed(0)
        teacher, seen = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), []
        for half in (False, True):
            losses = {"seen": lambda student, taught, label: seen.append(taught) or (student - taught).square().mean()}
            losses["seen"].weight = 1.0
            task = Distill(task=Classify(), teacher=teacher, losses=losses, teacher_bf16=half)
            torch.manual_seed(1)
            task.train_step(Fixed(torch.zeros(2, 4)), batch(0, 1))
        full, rounded = seen
        assert full.dtype == rounded.dtype == torch.float32
        assert 0 < (full - rounded).abs().max() < 0.02

    def test_without_a_loss_it_says_so(self):
        with pytest.raises(ValueError, match="at least one loss"):
            Distill(task=Classify(), teacher=nn.Identity(), losses={})
