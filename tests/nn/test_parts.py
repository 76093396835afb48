"""Each part: shape, a value worked out by hand, a gradient, an error, an export to ExecuTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from openautoglm.nn import (
    ConvNorm,
    DepthwiseFeedForward,
    ExitHead,
    LowRankAttention,
    Residual,
    Stem,
    TransformerBlock,
)


def transformer() -> TransformerBlock:
    return TransformerBlock(
        attention=LowRankAttention(dim=8, num_heads=2, rank=4),
        feedforward=DepthwiseFeedForward(dim_in=8, dim_out=8, hidden=16),
    )


PARTS = {
    "conv": (lambda: ConvNorm(dim_in=8, dim_out=12, kernel=3, stride=2), 8, (12, 4, 4)),
    "stem": (lambda: Stem(dim_out=6), 3, (6, 4, 4)),
    "attention": (lambda: LowRankAttention(dim=8, num_heads=2, rank=4), 8, (8, 8, 8)),
    "feedforward": (lambda: DepthwiseFeedForward(dim_in=8, dim_out=10, hidden=16, stride=2), 8, (10, 4, 4)),
    "residual": (lambda: Residual(branch=ConvNorm(dim_in=8, dim_out=8)), 8, (8, 8, 8)),
    "transformer": (transformer, 8, (8, 8, 8)),
    "exit": (lambda: ExitHead(dim_in=8, dim=12, num_classes=5), 8, (5,)),
}


@pytest.mark.parametrize("name", PARTS)
def test_shape_and_gradient(name):
    build, channels, shape = PARTS[name]
    part = build()
    x = torch.rand(2, channels, 8, 8, requires_grad=True)
    y = part(x)
    assert y.shape == (2, *shape)
    y.square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in part.parameters())


@pytest.mark.parametrize("name", PARTS)
def test_exports_to_executorch(name, tmp_path):
    pytest.importorskip("executorch")
    from openautoglm.export.backend import ExportedInput, get_backend

    build, channels, _ = PARTS[name]
    torch.manual_seed(0)
    part, x = build().eval(), torch.rand(1, channels, 8, 8)
    path = tmp_path / "part.pte"
    get_backend("executorch").export({"look": ExportedInput(part, (x,))}, path, quantized=False)
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("look")
    assert torch.allclose(method.execute([x])[0], part(x), atol=1e-4)


def test_attention_of_two_tokens_by_hand():
    attention = LowRankAttention(dim=1, num_heads=1, rank=1).eval()
    for projection in (attention.query, attention.key, attention.value, attention.out):
        nn.init.ones_(projection[0].weight)
        projection[1].eps = 0.0
    x = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    # token 0: scores 0, 0; token 1: scores 0, 1; values 0, 1
    expected = torch.tensor([0.5, math.e / (1 + math.e)]).reshape(1, 1, 1, 2)
    assert torch.allclose(attention(x), expected, atol=1e-6)


def test_attention_sees_every_position():
    attention = LowRankAttention(dim=4, num_heads=2, rank=2).eval()
    x = torch.rand(1, 4, 4, 4, requires_grad=True)
    attention(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum(dim=1) > 0).all()


def test_attention_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="dim must be a multiple of num_heads, got dim=10 and num_heads=4"):
        LowRankAttention(dim=10, num_heads=4)


def test_stem_starts_blind_to_a_constant_picture():
    stem = Stem(dim_out=4)
    assert torch.allclose(stem.conv[0](torch.ones(1, 3, 9, 9))[:, :, 1:-1, 1:-1], torch.zeros(()), atol=1e-5)


def test_feedforward_by_hand():
    part = DepthwiseFeedForward(dim_in=1, dim_out=1, hidden=1).eval()
    for layer, value in ((part.widen, 2.0), (part.local, 1.0), (part.narrow, -3.0)):
        nn.init.constant_(layer[0].weight, value)
        layer[1].eps = 0.0
    y = part(torch.ones(1, 1, 3, 3))
    # 2 everywhere, summed over 3x3 neighbours that exist, times -3
    assert y[0, 0].tolist() == [[-24.0, -36.0, -24.0], [-36.0, -54.0, -36.0], [-24.0, -36.0, -24.0]]


def test_residual_adds():
    x = torch.rand(1, 2, 3, 3)
    assert torch.equal(Residual(branch=nn.Identity())(x), 2 * x)
