"""Four and eight bits in groups, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from openautoglm.compress.weight_only import load_rounded, round_weights


def layer(rows):
    net = nn.Linear(len(rows[0]), len(rows), bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor(rows))
    return net


def test_each_group_has_its_own_scale():
    net = layer([[7.0, -3.4, 0.6, 14.0, -6.0]])  # groups of two: scales 1, 2 and 6/7
    tensors, spec = round_weights(net, bits=4, group_size=2)
    torch.testing.assert_close(tensors["weight.scale"].float(), torch.tensor([[1.0, 2.0, 6 / 7]]), atol=1e-3, rtol=0)
    # 7, -3 | 0, 7 | -7, 0: two a byte, the first in the low half
    assert tensors["weight"].tolist() == [[7 + 16 * 13, 0 + 16 * 7, 9]]
    loaded = load_rounded(net, tensors, spec)
    expected = torch.tensor([[7.0, -3.0, 0.0, 14.0, -6.0]])
    torch.testing.assert_close(loaded.weight.detach(), expected, atol=5e-3, rtol=0)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("num_inputs", [1, 5, 32, 33])
def test_no_weight_moves_by_more_than_half_a_step(bits, num_inputs):
    torch.manual_seed(0)
    net = layer(torch.randn(6, num_inputs).tolist())
    tensors, spec = round_weights(net, bits=bits, group_size=8)
    loaded = load_rounded(nn.Linear(num_inputs, 6, bias=False), tensors, spec)
    step = tensors["weight.scale"].float().repeat_interleave(8, dim=1)[:, :num_inputs]
    # a scale is stored in half precision, so the largest weight may lie a little outside its grid
    assert ((loaded.weight - net.weight).abs() <= 0.51 * step).all()
    assert tensors["weight"].dtype == (torch.uint8 if bits == 4 else torch.int8)


def test_zeros_stay_zeros():
    net = layer([[0.0, 0.0, 0.0]])
    loaded = load_rounded(net, *round_weights(net, bits=4, group_size=2))
    assert torch.equal(loaded.weight, net.weight)


def test_tensors_of_another_model_are_refused():
    tensors, spec = round_weights(layer([[1.0, 2.0]]), bits=8, group_size=2)
    with pytest.raises(ValueError, match="do not belong"):
        load_rounded(nn.Linear(3, 1, bias=False), tensors, spec)
    del tensors["weight.scale"]
    with pytest.raises(ValueError, match=r"no tensor weight or weight\.scale"):
        load_rounded(layer([[1.0, 2.0]]), tensors, spec)
