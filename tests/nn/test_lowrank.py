"""Low-rank projections: built thin, or cut from a trained layer with the least possible error."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from openautoglm.nn import LowRankProjection, factorize


def matrix(pair: nn.Sequential) -> torch.Tensor:
    first, second = (layer.weight.detach().flatten(1) for layer in pair)
    return second @ first


def test_shape_gradient_and_size():
    part = LowRankProjection(dim_in=12, dim_out=20, rank=3)
    x = torch.randn(2, 12, 4, 5, requires_grad=True)
    y = part(x)
    assert y.shape == (2, 20, 4, 5)
    y.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters())
    assert x.grad.abs().sum() > 0
    assert sum(layer.weight.numel() for layer in part.modules() if isinstance(layer, nn.Conv2d)) == 3 * (12 + 20)


@pytest.mark.parametrize(("act", "expected"), [(True, [4.0, 0.0, 2.0]), (False, [4.0, -4.0, 2.0])])
def test_projection_by_hand(act, expected):
    part = LowRankProjection(dim_in=2, dim_out=3, rank=1, act=act).eval()
    with torch.no_grad():
        part.reduce[0].weight.copy_(torch.tensor([2.0, 1.0]).reshape(1, 2, 1, 1))
        part.expand[0].weight.copy_(torch.tensor([1.0, -1.0, 0.5]).reshape(3, 1, 1, 1))
    part.reduce[1].eps = part.expand[1].eps = 0.0
    y = part(torch.tensor([3.0, -2.0]).reshape(1, 2, 1, 1))
    assert y.flatten().tolist() == expected  # 2 · 3 − 2 = 4, times each


@pytest.mark.parametrize("rank", [0, 4, 5])
def test_rank_must_be_less_than_the_widths(rank):
    with pytest.raises(ValueError, match=f"got rank={rank} between dim_in=4 and dim_out=8"):
        LowRankProjection(dim_in=4, dim_out=8, rank=rank)


@pytest.mark.parametrize("layer", [nn.Linear(10, 6), nn.Conv2d(10, 6, 1)], ids=["linear", "convolution"])
@pytest.mark.parametrize("rank", [1, 3, 5])
def test_error_is_what_the_dropped_singular_values_say(layer, rank):
    weight = layer.weight.detach().flatten(1)
    dropped = torch.linalg.svdvals(weight)[rank:]
    error = weight - matrix(factorize(layer, rank))
    assert torch.linalg.matrix_norm(error).item() == pytest.approx(dropped.square().sum().sqrt().item(), rel=1e-4)
    assert torch.linalg.matrix_norm(error, 2).item() == pytest.approx(dropped[0].item(), rel=1e-4)


def test_factors_by_hand():
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0, 4.0], [-1.0, 0.0]])
    first, second = factorize(layer, 1)
    assert torch.allclose(first.weight.abs(), torch.tensor([[0.0, 2.0]]), atol=1e-6)
    assert torch.allclose(second.weight.abs(), torch.tensor([[2.0], [0.0]]), atol=1e-6)
    assert torch.allclose(matrix(nn.Sequential(first, second)), torch.tensor([[0.0, 4.0], [0.0, 0.0]]), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (nn.Linear(5, 7), torch.rand(3, 5)),
        (nn.Conv2d(5, 7, 1, stride=2), torch.rand(2, 5, 6, 6)),
        (nn.Conv2d(5, 7, 1, bias=False), torch.rand(2, 5, 3, 4)),
    ],
    ids=["linear", "stride", "no bias"],
)
def test_full_rank_computes_the_same(layer, x):
    pair = factorize(layer.eval(), 5)
    assert torch.allclose(pair(x), layer(x), atol=1e-5)
    assert not pair.training
    assert pair[0].bias is None
    assert (pair[1].bias is None) == (layer.bias is None)


def test_both_factors_learn_and_the_layer_stays():
    layer = nn.Linear(6, 6)
    before = layer.weight.detach().clone()
    pair = factorize(layer, 2)
    pair(torch.rand(4, 6)).square().sum().backward()
    torch.optim.SGD(pair.parameters(), 0.1).step()
    assert all(parameter.grad.abs().sum() > 0 for parameter in pair.parameters())
    assert torch.equal(layer.weight, before)
    assert layer.weight.grad is None


@pytest.mark.parametrize(
    "conv", [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(4, 4, 1, padding=1)], ids=str
)
def test_other_convolutions_are_refused(conv):
    with pytest.raises(ValueError, match="only a 1x1 convolution without groups and padding is a matrix"):
        factorize(conv, 2)


@pytest.mark.parametrize("rank", [0, 5])
def test_rank_of_a_factorisation_must_fit(rank):
    with pytest.raises(ValueError, match=rf"rank must be 1 to 4 for a weight of \(8, 4\), got {rank}"):
        factorize(nn.Linear(4, 8), rank)


def test_contract_refuses_another_shape():
    with pytest.raises(Exception, match="Float\\[Tensor"):
        LowRankProjection(dim_in=4, dim_out=4, rank=2)(torch.rand(4, 3, 3))
