"""Local attention: what it is, that nothing crosses a window, and what it costs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from openautoglm.nn import LowRankAttention, Windows


def ones(attention: LowRankAttention) -> LowRankAttention:
    """All projections the identity of one channel."""
    for projection in (attention.query, attention.key, attention.value, attention.out):
        nn.init.ones_(projection[0].weight)
        projection[1].eps = 0.0
    return attention.eval()


def test_shape_and_gradient_to_every_parameter():
    part = LowRankAttention(dim=8, num_heads=2, rank=4, reach=Windows(window=2))
    x = torch.randn(2, 8, 6, 4, requires_grad=True)
    y = part(x)
    assert y.shape == x.shape
    y.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters() if parameter.dim() == 4)
    assert all(parameter.grad is not None for parameter in part.parameters())
    assert x.grad.abs().sum() > 0


def test_two_windows_of_four_by_hand():
    part = ones(LowRankAttention(dim=1, num_heads=1, rank=1, reach=Windows(window=2)))
    x = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 1.0, 2.0, 2.0]]).reshape(1, 1, 2, 4)
    # left: scores of a zero are 0, so the mean 1/4; of the one they are 0, 0, 0, 1. Right: all alike.
    one = math.e / (3 + math.e)
    expected = torch.tensor([[0.25, 0.25, 2.0, 2.0], [0.25, one, 2.0, 2.0]]).reshape(1, 1, 2, 4)
    assert torch.allclose(part(x), expected, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 4), (4, 12)])
def test_each_window_computes_what_attention_computes_on_it_alone(height, width):
    part = LowRankAttention(dim=6, num_heads=3, rank=2, reach=Windows(window=4)).eval()
    alone = LowRankAttention(dim=6, num_heads=3, rank=2).eval()
    alone.load_state_dict(part.state_dict())
    x = torch.randn(2, 6, height, width)
    y = part(x)
    for top in range(0, height, 4):
        for left in range(0, width, 4):
            window = (..., slice(top, top + 4), slice(left, left + 4))
            assert torch.allclose(y[window], alone(x[window]), atol=1e-5)


def test_nothing_crosses_a_window():
    part = LowRankAttention(dim=4, num_heads=2, rank=2, reach=Windows(window=3)).eval()
    x = torch.randn(1, 4, 6, 6, requires_grad=True)
    part(x)[0, :, 1, 4].sum().backward()
    touched = x.grad.abs().sum(dim=1)[0] > 0
    assert touched[:3, 3:].all()
    assert touched.sum() == 9


def test_seen_tokens():
    assert Windows(window=3).num_seen(6, 9) == 9


def test_sizes_that_cannot_be_cut_are_refused():
    with pytest.raises(ValueError, match=r"a map of 6 x 7 cannot be cut into squares of 3 x 3.*multiples of 3"):
        LowRankAttention(dim=4, num_heads=1, rank=2, reach=Windows(window=3))(torch.rand(1, 4, 6, 7))
    with pytest.raises(ValueError, match="cannot be cut"):
        Windows(window=4).num_seen(6, 8)
    with pytest.raises(ValueError, match="at least 1 position wide, got 0"):
        Windows(window=0)


def test_contract_refuses_another_shape():
    with pytest.raises(Exception, match="Float\\[Tensor"):
        Windows(window=2).queries(torch.rand(4, 4, 4), 2)
