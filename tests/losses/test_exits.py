"""Self-distillation of early exits against values worked out by hand."""

import math

import pytest
import torch

from openautoglm.losses import ExitsLoss, exits_loss

LAST = torch.tensor([[math.log(3), 0.0]])
# last exit (3/4, 1/4) against an early one (1/2, 1/2): 3/4 ln(3/2) + 1/4 ln(1/2)
KL = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)


def test_value():
    """The label costs ln 2, the last exit teaches a quarter."""
    found = exits_loss([torch.zeros(1, 2)], LAST, torch.tensor([1]), share=0.25, temperature=1.0)
    assert found.item() == pytest.approx(0.75 * math.log(2) + 0.25 * KL, abs=1e-6)


def test_temperature_softens_and_scales_by_its_square():
    found = exits_loss([torch.zeros(1, 2)], 2 * LAST, torch.tensor([0]), share=1.0, temperature=2.0)
    assert found.item() == pytest.approx(4 * KL, abs=1e-6)


def test_sum_over_exits():
    early, label = [torch.zeros(1, 2), LAST.clone()], torch.tensor([0])
    found = exits_loss(early, LAST, label, share=0.5, temperature=1.0)
    assert found.item() == pytest.approx(0.5 * (math.log(2) + KL) + 0.5 * -math.log(0.75), abs=1e-6)


def test_an_unlabelled_picture_is_taught_by_the_last_exit_alone():
    early, last = [torch.zeros(2, 2)], LAST.repeat(2, 1)
    found = exits_loss(early, last, torch.tensor([1, -1]), share=0.5, temperature=1.0)
    assert found.item() == pytest.approx(0.5 * math.log(2) + 0.5 * KL, abs=1e-6)
    alone = exits_loss(early, last, torch.tensor([-1, -1]), share=0.5, temperature=1.0)
    assert alone.item() == pytest.approx(0.5 * KL, abs=1e-6)


def test_no_gradient_reaches_the_last_exit():
    early, last = torch.zeros(1, 2, requires_grad=True), LAST.clone().requires_grad_()
    exits_loss([early], last, torch.tensor([0]), share=1.0, temperature=1.0).backward()
    assert last.grad is None
    assert torch.allclose(early.grad, torch.tensor([[-0.25, 0.25]]), atol=1e-6)


def test_class_is_the_function():
    early, last, label = [torch.randn(4, 5), torch.randn(4, 5)], torch.randn(4, 5), torch.tensor([0, 1, -1, 4])
    assert ExitsLoss(share=0.3, temperature=3.0)(early, last, label) == exits_loss(
        early, last, label, share=0.3, temperature=3.0
    )


def test_numbers_have_bounds():
    with pytest.raises(ValueError, match=r"share must lie between 0 and 1, got 1\.5"):
        ExitsLoss(share=1.5)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        ExitsLoss(temperature=0.0)
