"""Shared blocks: one set of weights, a BatchNorm for each application."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from openautoglm.nn import ConvNorm, DepthwiseFeedForward, LowRankAttention, Residual, SharedBlock, TransformerBlock


def block() -> TransformerBlock:
    return TransformerBlock(
        attention=LowRankAttention(dim=8, num_heads=2, rank=4),
        feedforward=DepthwiseFeedForward(dim_in=8, dim_out=8, hidden=16),
    )


def weights(module: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Conv2d))


def test_state_holds_the_weights_once():
    part = SharedBlock(block=block(), num_applications=3)
    assert weights(part) == weights(block())
    names = [name for name in part.state_dict() if part.state_dict()[name].dim() == 4]
    assert names
    assert all(name.startswith("block.") for name in names)
    assert sum(name.endswith("running_mean") for name in part.state_dict()) == 3 * 7


def test_shape_and_gradient_to_every_parameter():
    part = SharedBlock(block=block(), num_applications=2)
    x = torch.randn(2, 8, 4, 4, requires_grad=True)
    y = part(x)
    assert y.shape == x.shape
    y.square().sum().backward()
    assert all(parameter.grad is not None for parameter in part.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters() if parameter.dim() == 4)


def test_twice_by_hand():
    part = SharedBlock(block=Residual(branch=ConvNorm(dim_in=1, dim_out=1, act=False)), num_applications=2).eval()
    nn.init.constant_(part.block.branch[0].weight, 2.0)
    for norm in (part.block.branch[1], part.norms[0][0]):
        norm.eps = 0.0
    part.norms[0][0].running_mean.fill_(4.0)
    part.norms[0][0].weight.data.fill_(10.0)
    # x + 2 x = 3 x; then 3 x + 10 (2 · 3 x − 4): the second application has statistics of its own
    assert part(torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)).flatten().tolist() == [23.0, 86.0]


def test_each_application_gathers_its_own_statistics():
    torch.manual_seed(0)
    part = SharedBlock(block=ConvNorm(dim_in=4, dim_out=4), num_applications=2)
    first, second = part.block[1], part.norms[0][0]
    images = [torch.randn(16, 4, 6, 6) + 3 for _ in range(60)]
    for image in images:
        part(image)
    assert first.num_batches_tracked == second.num_batches_tracked == 60
    assert not torch.allclose(first.running_mean, second.running_mean, atol=0.1)
    with torch.no_grad():
        trained = part(images[0])
        assert (part.eval()(images[0]) - trained).abs().mean() < 0.2
        shared = copy.deepcopy(part)
        shared.norms[0][0] = shared.block[1]
        assert (shared(images[0]) - trained).abs().mean() > 0.4


def test_equals_the_same_blocks_one_after_the_other():
    part = SharedBlock(block=block(), num_applications=3)
    for _ in range(3):
        part(torch.randn(4, 8, 4, 4))
    apart = [copy.deepcopy(part.block) for _ in range(3)]
    for copied, norms in zip(apart[1:], part.norms, strict=True):
        places = [name for name, module in copied.named_modules() if isinstance(module, nn.BatchNorm2d)]
        for place, norm in zip(places, norms, strict=True):
            copied.get_submodule(place).load_state_dict(norm.state_dict())
    x = torch.randn(2, 8, 4, 4)
    assert torch.allclose(part.eval()(x), nn.Sequential(*apart).eval()(x), atol=1e-5)


def test_saved_and_loaded_it_computes_the_same():
    part, other = (SharedBlock(block=block(), num_applications=2) for _ in range(2))
    part(torch.randn(4, 8, 4, 4))
    other.load_state_dict(part.state_dict())
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(part.eval()(x), other.eval()(x))


def test_each_application_is_quantised_by_itself_and_converts_to_what_it_learnt():
    pytest.importorskip("executorch")
    from openautoglm.compress.pt2e import convert, prepare_qat
    from openautoglm.export.backend import xnnpack_quantizer

    net = nn.Sequential(SharedBlock(block=ConvNorm(dim_in=3, dim_out=3, act=False), num_applications=2), nn.Flatten())
    with torch.no_grad():
        for _ in range(20):
            net(torch.randn(8, 3, 4, 4) + 1)
    qat = prepare_qat(net, torch.randn(2, 3, 4, 4), xnnpack_quantizer()).train()
    assert sum(parameter.dim() == 4 for parameter in qat.parameters()) == 2
    qat(torch.randn(8, 3, 4, 4) + 1).square().sum().backward()
    qat.freeze()
    x = torch.randn(8, 3, 4, 4) + 1
    expected = qat.eval()(x)
    converted = convert(qat)
    assert (converted(x) - expected).abs().max() < 0.02 * expected.abs().max()
    integers = [tensor for tensor in converted.state_dict().values() if tensor.dtype == torch.int8]
    assert len(integers) == 2  # folded with two BatchNorms


def test_once_is_refused():
    with pytest.raises(ValueError, match="num_applications must be at least 2, got 1: use the block as it is"):
        SharedBlock(block=block(), num_applications=1)


def test_contract_refuses_a_block_that_changes_the_shape():
    part = SharedBlock(block=nn.Conv2d(4, 4, 3), num_applications=2)
    with pytest.raises(Exception, match="Float\\[Tensor"):
        part(torch.rand(1, 4, 8, 8))
