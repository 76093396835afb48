"""Fusion of scales: alignment, weights worked out by hand, gradients, export."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from openautoglm.nn.fusion import FUSIONS, LocalEntropy, MultiScaleFusion

MAPS = [torch.rand(2, 6, 8, 8), torch.rand(2, 10, 4, 4), torch.rand(2, 12, 2, 2)]


def fusion(mode: str, dim: int = 5) -> MultiScaleFusion:
    torch.manual_seed(0)
    return MultiScaleFusion(dims=(6, 10, 12), dim=dim, mode=mode)


class Joined(nn.Module):
    """A fusion of maps that are made of one input, for exporters."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.fusion = MultiScaleFusion(dims=(6, 6), dim=8, mode=mode)

    def forward(self, x):
        return self.fusion([x, nn.functional.max_pool2d(x, 2)])


@pytest.mark.parametrize("mode", FUSIONS)
def test_shape_and_gradient(mode):
    part = fusion(mode)
    maps = [x.clone().requires_grad_() for x in MAPS]
    y = part(maps)
    assert y.shape == (2, 5, 8, 8)
    y.square().sum().backward()
    assert all(x.grad.abs().sum() > 0 for x in maps)
    assert all(parameter.grad is not None for parameter in part.parameters())


def test_entropy_of_two_channels_by_hand():
    """p = (1/4, 3/4): H = -(1/4 log 1/4 + 3/4 log 3/4) / log 2 = 0.8113."""
    x = torch.tensor([0.0, math.log(3)]).reshape(1, 2, 1, 1)
    assert LocalEntropy()(x).item() == pytest.approx(0.8112781, abs=1e-6)


def test_entropy_runs_from_nothing_to_one():
    sure = torch.zeros(1, 8, 3, 3)
    sure[:, 2] = 60.0
    assert torch.allclose(LocalEntropy()(torch.zeros(1, 8, 3, 3)), torch.ones(()), atol=1e-6)
    assert torch.allclose(LocalEntropy()(sure), torch.zeros(()), atol=1e-6)


def test_entropy_is_local():
    """What one position says does not reach another."""
    x = torch.rand(1, 4, 5, 5, requires_grad=True)
    LocalEntropy()(x)[0, 0, 2, 3].backward()
    touched = x.grad.abs().sum(dim=1)[0] > 0
    assert touched.sum() == 1
    assert touched[2, 3]


def test_entropy_over_the_width_by_hand():
    x = torch.tensor([0.0, math.log(3)]).reshape(1, 1, 1, 2).repeat(1, 3, 4, 1)
    y = LocalEntropy(axis="width")(x)
    assert y.shape == (1, 1, 4, 2)
    assert torch.allclose(y, torch.tensor(0.8112781), atol=1e-6)


def test_entropy_weights_by_hand():
    """Scales of entropy 1 and 0.8113: the vaguer one weighs 1 / 1.8113."""
    flat, peaked = torch.zeros(1, 2, 1, 1), torch.tensor([0.0, math.log(3)]).reshape(1, 2, 1, 1)
    weights = fusion("entropy", dim=2).weights([flat, peaked])
    assert [weight.item() for weight in weights] == pytest.approx([0.5521, 0.4479], abs=1e-4)


def test_scales_that_are_all_sure_weigh_the_same():
    sure = torch.zeros(1, 4, 2, 2)
    sure[:, 0] = 1000.0
    weights = fusion("entropy").weights([sure, sure, sure])
    assert all(torch.allclose(weight, torch.tensor(1 / 3), atol=1e-5) for weight in weights)


@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_extreme_values_stay_finite(value):
    x = torch.full((1, 4, 3, 3), value, requires_grad=True)
    with torch.no_grad():
        x[:, 1] = -value
    y = sum(weight.sum() for weight in fusion("entropy").weights([x, 2 * x]))
    y.backward()
    assert torch.isfinite(y)
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("mean", 2.0), ("max", 3.0), ("softmax", 2.0), ("entropy", 2.0)],
    ids=lambda value: str(value),
)
def test_constant_maps_by_hand(mode, expected):
    """Maps that are 1, 2 and 3 everywhere, projections that pass them on."""
    part = MultiScaleFusion(dims=(1, 1, 1), dim=1, mode=mode).eval()
    for project in part.project:
        nn.init.ones_(project[0].weight)
        project[1].eps = 0.0
    maps = [torch.full((1, 1, size, size), value) for size, value in ((8, 1.0), (4, 2.0), (2, 3.0))]
    if mode == "entropy":  # one channel says nothing: every scale has the same entropy
        assert math.isclose(part.entropy(maps[0])[0, 0, 0, 0].item(), 0.0, abs_tol=1e-6)
    assert torch.allclose(part(maps), torch.tensor(expected), atol=1e-5)


def test_alignment_is_bilinear():
    part = MultiScaleFusion(dims=(1, 1), dim=1, mode="max").eval()
    for project in part.project:
        nn.init.ones_(project[0].weight)
        project[1].eps = 0.0
    small = torch.tensor([[0.0, 4.0]]).repeat(2, 1).reshape(1, 1, 2, 2)
    y = part([torch.zeros(1, 1, 4, 4), small])
    assert y[0, 0, 0].tolist() == pytest.approx([0.0, 1.0, 3.0, 4.0])  # centres of pixels, not corners, are aligned


def test_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"fusion must be one of entropy, .* got 'median'"):
        MultiScaleFusion(dims=(1, 2), dim=4, mode="median")
    with pytest.raises(ValueError, match="at least two maps, got 1"):
        MultiScaleFusion(dims=(1,), dim=4)
    with pytest.raises(ValueError, match="built for 3 maps, got 2"):
        fusion("mean")(MAPS[:2])
    with pytest.raises(ValueError, match="axis must be 'channels' or 'width', got 'height'"):
        LocalEntropy(axis="height")


@pytest.mark.parametrize("mode", ["entropy", "mean", "max", "concat", "softmax"])
def test_exports_to_executorch(mode, tmp_path):
    pytest.importorskip("executorch")
    from executorch.runtime import Runtime

    from openautoglm.export.backend import ExportedInput, get_backend

    torch.manual_seed(0)
    part, x = Joined(mode).eval(), torch.rand(1, 6, 8, 8)
    path, backend = tmp_path / "part.pte", get_backend("executorch")
    backend.export({"look": ExportedInput(part, (x,))}, path, quantized=False)
    method = Runtime.get().load_program(path).load_method("look")
    assert torch.allclose(method.execute([x])[0], part(x), atol=1e-4)
    assert backend.census(path).num_partitions == 1
