"""What a teacher's glance teaches."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from openautoglm.losses import GlanceKD, glance_kd_losses, kd_loss
from openautoglm.losses.glance import soft_focal_loss
from openautoglm.maps import GlanceMaps

GESTURES = 5


def maps(hands=((2, 3),), side=2.0, cells=8) -> GlanceMaps:
    """One picture with a hand at each of the given cells, y and x."""
    attention = torch.full((1, 1, cells, cells), -12.0)
    box = torch.full((1, 4, cells, cells), side)
    logits = torch.zeros(1, GESTURES, cells, cells)
    for number, (y, x) in enumerate(hands):
        attention[0, 0, y, x] = 3.0
        logits[0, number % GESTURES, y, x] = 4.0
    return GlanceMaps(attention, box, logits)


def values(student, teacher, **options):
    return {name: value.item() for name, value in glance_kd_losses(student, teacher, **options).items()}


def test_a_copy_of_the_teacher_costs_nothing():
    found = values(maps(), maps())
    assert found == pytest.approx({"attention": 0.0, "box": 0.0, "cell": 0.0}, abs=1e-6)


def test_attention_is_the_quality_focal_loss_by_its_formula():
    student, teacher = torch.randn(2, 1, 4, 4), torch.full((2, 1, 4, 4), -20.0)
    teacher[0, 0, 1, 1], teacher[1, 0, 2, 3] = 1.0, 2.0
    p, y = student.sigmoid(), teacher.sigmoid()
    wanted = ((y - p).abs() ** 2 * -(y * p.log() + (1 - y) * (1 - p).log())).sum() / 2  # two peaks
    assert soft_focal_loss(student, teacher).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_hand_missed_and_a_hand_made_up_both_cost():
    both, one, none = maps(((2, 3), (6, 6))), maps(), maps(())
    missed, made_up = values(one, both)["attention"], values(both, one)["attention"]
    assert missed > 0.3
    assert made_up > 0.3
    assert values(maps(((6, 6),)), none)["attention"] > 0.3  # also where the teacher sees nothing at all


def test_boxes_and_gestures_count_where_the_teacher_sees_a_hand_and_nowhere_else():
    teacher, student = maps(), maps()
    student.box[:, :, 5, :], student.logits[:, :, 5, :] = 7.0, 3.0 * torch.randn(1, GESTURES, 8)
    assert values(student, teacher)["box"] == pytest.approx(0.0, abs=1e-6)
    assert values(student, teacher)["cell"] == pytest.approx(0.0, abs=1e-6)
    student.box[0, :, 2, 3] = torch.tensor([1.0, 1.0, 1.0, 1.0])  # a quarter of the area
    assert values(student, teacher)["box"] == pytest.approx(0.75, abs=1e-5)
    student.logits[0, :, 2, 3] = torch.randn(GESTURES)
    wanted = kd_loss(student.logits[:, :, 2, 3], teacher.logits[:, :, 2, 3], temperature=3.0)
    assert values(student, teacher, temperature=3.0)["cell"] == pytest.approx(wanted.item(), rel=1e-5)


def test_a_teacher_that_sees_nothing_says_nothing_of_boxes_and_gestures():
    student = GlanceMaps(*(part.requires_grad_() for part in maps()))
    parts = glance_kd_losses(student, maps(()))
    assert parts["box"].item() == parts["cell"].item() == 0.0
    sum(parts.values()).backward()
    assert student.box.grad.abs().max() == 0


def test_nothing_is_learnt_by_the_teacher():
    student, teacher = (
        GlanceMaps(*(part.requires_grad_() for part in maps(hands))) for hands in (((1, 1),), ((2, 3),))
    )
    sum(glance_kd_losses(student, teacher).values()).backward()
    assert all(part.grad is None for part in teacher)
    assert all(part.grad is not None for part in student)


def test_descending_the_losses_leads_to_the_teacher():
    torch.manual_seed(0)
    teacher = maps(((2, 3), (6, 6)))
    student = GlanceMaps(*(torch.nn.Parameter(part) for part in maps(((4, 4),), side=1.0)))
    optimizer = torch.optim.Adam(student, lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        sum(glance_kd_losses(student, teacher).values()).backward()
        optimizer.step()
    for y, x in ((2, 3), (6, 6)):
        assert student.attention[0, 0, y, x].sigmoid() > 0.8
        assert F.l1_loss(student.box[0, :, y, x], teacher.box[0, :, y, x]) < 0.1
        assert student.logits[0, :, y, x].argmax() == teacher.logits[0, :, y, x].argmax()
    assert student.attention[0, 0, 4, 4].sigmoid() < 0.2


def test_maps_of_another_size_and_a_temperature_of_nothing_are_refused():
    with pytest.raises(ValueError, match="1x5x8x8 and, of the teacher, 1x5x4x4"):
        glance_kd_losses(maps(), maps(((1, 1),), cells=4))
    with pytest.raises(ValueError, match="temperature must be above 0"):
        GlanceKD(temperature=0.0)
