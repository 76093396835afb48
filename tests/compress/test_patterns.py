"""torchao's patterns are traced once, and what is prepared from remembered ones is the same."""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

pytest.importorskip("executorch")

from openautoglm.compress import patterns, pt2e
from openautoglm.export.backend import xnnpack_quantizer


def net(*, dim):
    torch.manual_seed(dim)
    layers = nn.Conv2d(3, dim, 3, bias=False), nn.BatchNorm2d(dim), nn.ReLU(), nn.Conv2d(dim, 4, 1), nn.BatchNorm2d(4)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 36, 4))


def prepare(model, batch_norm):
    torch.manual_seed(1)
    return pt2e.prepare_qat(model, torch.rand(2, 3, 8, 8), xnnpack_quantizer(), batch_norm=batch_norm)


def learnt(model):
    """Its weights and ranges after two steps."""
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for seed in range(2):
        image = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        F.cross_entropy(model(image), torch.arange(4)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.state_dict()


@pytest.fixture
def traces(monkeypatch):
    """Patterns that are traced from now on; nothing is remembered at first."""
    from torchao.quantization.pt2e import qat_utils

    monkeypatch.setattr(patterns, "_traced", {})
    trace, found = getattr(qat_utils, patterns._TRACE), []

    def counting(pattern, *given, **named):
        found.append(pattern)
        return trace(pattern, *given, **named)

    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer_utils

    for module in (qat_utils, xnnpack_quantizer_utils):
        monkeypatch.setattr(module, patterns._TRACE, counting)
    return found


@pytest.mark.parametrize("batch_norm", ["train", "fold"])
def test_a_second_net_is_prepared_as_without_memory_and_traces_none(traces, monkeypatch, batch_norm):
    prepare(net(dim=8), batch_norm)
    assert traces, "torchao traces its patterns by another function now: see compress/patterns.py"
    traces.clear()
    found = prepare(net(dim=16), batch_norm)
    assert traces == []
    monkeypatch.setattr(pt2e, "remembered_patterns", contextlib.nullcontext)
    expected = prepare(net(dim=16), batch_norm)
    assert traces
    assert found.graph.code == expected.graph.code
    one, two = learnt(found), learnt(expected)
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_patterns_that_differ_are_told_apart():
    def pattern(function):
        def convolve(x, weight):
            return function(x, weight)

        wrapped = nn.Module()
        wrapped.fn = convolve
        return wrapped

    flat, square = (torch.rand(1, 1, 3), torch.rand(1, 1, 1)), (torch.rand(1, 1, 3, 3), torch.rand(1, 1, 1, 1))
    keys = [patterns._key_of(pattern(F.conv1d), (flat,), {}), patterns._key_of(pattern(F.conv2d), (square,), {})]
    keys += [patterns._key_of(pattern(F.conv2d), (square,), {"bias": torch.rand(2)})]
    keys += [patterns._key_of(pattern(F.conv2d), (square, True), {})]
    assert len(set(keys)) == 4
    assert patterns._key_of(pattern(F.conv2d), (square,), {}) == keys[1]
    assert patterns._key_of(pattern([]), (square,), {}) is None
    assert patterns._key_of(nn.Linear(2, 2), (square,), {}) is None


def test_torchao_is_left_as_it_was(traces):
    from torchao.quantization.pt2e import qat_utils

    before, inside = getattr(qat_utils, patterns._TRACE), []

    def fail():
        with patterns.remembered_patterns():
            inside.append(getattr(qat_utils, patterns._TRACE))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert inside[0] is not before
    assert getattr(qat_utils, patterns._TRACE) is before
