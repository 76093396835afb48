"""What a batch costs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from openautoglm.losses import CRD, KD, RKD, AttentionTransfer, FitNet, kd_loss
from openautoglm.models import create_model
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


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_model("openautoglm-test", num_classes=4)


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
        kd = kd_loss(student.logits, task.teacher.net.logits, temperature=2.0)
        hard = Classify().train_step(student, pictures).loss
        assert output.loss.item() == pytest.approx((0.5 * hard + 3.0 * kd).item(), abs=1e-5)
        assert output.parts["kd"].item() == pytest.approx(kd.item(), abs=1e-5)
        assert output.parts["label"].item() == pytest.approx(hard.item(), abs=1e-5)

    def test_teacher_is_frozen_and_in_evaluation(self):
        task, student = self.build(), Fixed(torch.randn(2, 4))
        task.teacher.net.train()  # someone switched everything to training
        task.train_step(student, batch(0, 1)).loss.backward()
        assert not task.teacher.net.training
        assert task.teacher.net.logits.grad is None
        assert student.logits.grad.abs().sum() > 0

    @pytest.mark.parametrize("has", ["avx512_bf16", "amx_bf16", "bf16", "avx2"])
    def test_teacher_in_half_precision_says_nearly_the_same(self, monkeypatch, has):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, has: True})
        torch.manual_seed(0)
        teacher, seen = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), []

        class Listen:
            weight, reads_hints = 1.0, False

            def __call__(self, student, taught, label):
                seen.append(taught.logits)
                return (student.logits - taught.logits).square().mean()

        for half in (False, True):
            task = Distill(task=Classify(), teacher=teacher, losses={"listen": Listen()}, teacher_bf16=half)
            torch.manual_seed(1)
            task.train_step(Fixed(torch.zeros(2, 4)), batch(0, 1))
        full, rounded = seen
        assert full.dtype == rounded.dtype == torch.float32
        if has == "avx2":  # ten times slower than float there
            assert torch.equal(full, rounded)
        else:
            assert 0 < (full - rounded).abs().max() < 0.02

    def test_without_a_loss_it_says_so(self):
        with pytest.raises(ValueError, match="at least one loss"):
            Distill(task=Classify(), teacher=nn.Identity(), losses={})


class TestHints:
    def build(self, losses, student=None):
        teacher = create_model("openautoglm-test", num_classes=4, dims=(8, 8, 24, 16, 24), head_dim=48)
        return Distill(task=Classify(), teacher=teacher, losses=losses, student=student or net())

    def test_each_method_gives_the_student_a_gradient(self):
        torch.manual_seed(0)
        pictures = Batch(torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, -1]), torch.arange(4))
        for loss in (FitNet(stride=8), AttentionTransfer(), RKD(), CRD(dim=8)):
            student = net()
            task = Distill(task=Classify(), teacher=net(seed=1), losses={"hint": loss}, student=student, label_weight=0)
            output = task.train_step(student, pictures)
            output.loss.backward()
            assert output.parts["hint"] > 0
            assert next(student.parameters()).grad.abs().sum() > 0, type(loss).__name__
            assert all(parameter.grad is None for parameter in task.teacher.net.parameters())

    def test_logits_are_those_of_the_net_itself(self):
        student = net().eval()
        task = self.build({"at": AttentionTransfer()}, student)
        output = task.train_step(student, Batch(torch.rand(2, 3, 32, 32), torch.tensor([0, 1]), torch.arange(2)))
        assert torch.equal(output.preds, student(output.image))

    def test_projections_are_built_for_both_nets(self):
        task = self.build({"fitnet": FitNet(stride=8), "crd": CRD(dim=8), "kd": KD()})
        assert set(task.learnt) == {"fitnet", "crd"}
        assert task.learnt["fitnet"].regress.weight.shape[:2] == (24, 16)
        assert task.learnt["crd"].teacher.weight.shape == (8, 48)

    def test_building_changes_nothing_in_the_nets(self):
        student = net().train()
        before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
        self.build({"fitnet": FitNet(stride=8)}, student)
        assert student.training
        assert all(torch.equal(before[name], tensor) for name, tensor in student.state_dict().items())

    def test_no_map_is_gathered_unless_a_loss_reads_it(self):
        student = net()
        student.observe = None  # would raise
        task = Distill(task=Classify(), teacher=net(), losses={"kd": KD()}, student=student)
        task.train_step(student, Batch(torch.rand(2, 3, 32, 32), torch.tensor([0, 1]), torch.arange(2)))
        assert not task.learnt

    @pytest.mark.parametrize("role", ["student", "teacher"])
    def test_a_net_without_maps_is_refused(self, role):
        nets = {"student": net(), "teacher": net(), role: Fixed(torch.zeros(2, 4))}
        with pytest.raises(ValueError, match=f"the {role} of at has to show its maps"):
            Distill(task=Classify(), losses={"at": AttentionTransfer()}, **nets)

    def test_the_second_look_of_a_net_for_frames_takes_hints_too(self):
        student = create_model("openautoglm-test", num_classes=4, glance_size=64)
        task = Distill(task=Look(), teacher=net(), losses={"rkd": RKD()}, student=student)
        task.train_step(student, Batch(torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 2]), torch.arange(3)))


class Look(Classify):
    """Also asks for the first look."""

    def train_step(self, model, batch):
        assert model.glance(batch.image).attention.shape == (3, 1, 4, 4)
        return super().train_step(model, batch)


def test_answers_that_come_with_the_batch_replace_the_teacher():
    taught = torch.randn(2, 4)
    student, pictures = Fixed(torch.randn(2, 4)).eval(), replace(batch(0, 1), taught=taught)
    task = Distill(task=Classify(), teacher=None, losses={"kd": KD()})
    assert task.train_step(student, pictures).parts["kd"] == kd_loss(student.logits, taught)
    with pytest.raises(ValueError, match="the batches hold no answers of a teacher"):
        task.train_step(student, batch(0, 1))
