"""FitNets against values worked out by hand from its hint loss L_HT."""

import pytest
import torch

from openautoglm.losses import FitNet, hint_loss
from openautoglm.tensors import Seen

LABEL = torch.zeros(2, dtype=torch.long)


def seen(*sizes: tuple[int, int]) -> Seen:
    """Random maps of a 32 px picture, each of (channels, side)."""
    maps = tuple(torch.rand(2, channels, side, side) for channels, side in sizes)
    return Seen(logits=torch.zeros(2, 3), features=maps, side_px=32)


def test_value():
    # differences 1 and 3 in two channels: (1 + 9) / 2, halved
    hint = torch.tensor([2.0, 4.0]).reshape(1, 2, 1, 1)
    assert hint_loss(torch.ones(1, 2, 1, 1), hint).item() == pytest.approx(2.5)


def test_weight_holds_for_every_size():
    assert hint_loss(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)) == hint_loss(
        torch.zeros(5, 7, 2, 2), torch.ones(5, 7, 2, 2)
    )


def test_gradient_leads_to_the_hint():
    guided = torch.zeros(1, 1, 1, 2, requires_grad=True)
    hint_loss(guided, torch.tensor([4.0, -2.0]).reshape(1, 1, 1, 2)).backward()
    assert torch.allclose(guided.grad.flatten(), torch.tensor([-2.0, 1.0]))  # (guided − hint) / 2 elements


def test_regressor_takes_the_maps_of_its_stride():
    student, teacher = seen((4, 8), (6, 4)), seen((5, 16), (9, 8), (7, 4))
    loss = FitNet(stride=8).build(student, teacher)
    assert loss.regress.weight.shape == (7, 6, 1, 1)
    with torch.no_grad():
        loss.regress.weight.zero_()
        loss.regress.bias.zero_()
    assert loss(student, teacher, LABEL).item() == pytest.approx(teacher.features[2].square().mean().item() / 2)


def test_regressor_learns():
    student, teacher = seen((4, 8)), seen((5, 8))
    loss = FitNet(stride=4).build(student, teacher)
    loss(student, teacher, LABEL).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in loss.parameters())


def test_the_deepest_of_equal_maps_is_meant():
    maps = seen((4, 8), (6, 8))
    assert maps.at(4) is maps.features[1]


def test_a_stride_without_a_map_names_those_there_are():
    with pytest.raises(ValueError, match="stride=16: the net has maps at strides 4, 8"):
        FitNet(stride=16).build(seen((4, 8), (6, 4)), seen((4, 8)))


def test_maps_of_unlike_height_are_refused():
    student, teacher = seen((4, 8)), seen((4, 8))
    loss = FitNet(stride=4).build(student, teacher)
    odd = Seen(logits=torch.zeros(2, 3), features=(torch.rand(2, 4, 6, 8),), side_px=32)
    with pytest.raises(ValueError, match="got 6x8 and 8x8: choose another stride"):
        loss(odd, teacher, LABEL)
