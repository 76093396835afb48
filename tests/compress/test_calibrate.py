"""Ranges of activations, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytest.importorskip("executorch")

from openautoglm.compress.calibrate import MinMax, MovingAverage, Percentile, calibrate
from openautoglm.compress.graph import quantizer_nodes
from openautoglm.compress.pt2e import prepare_qat
from openautoglm.export.backend import xnnpack_quantizer


def watch(observer, batches):
    waiting = True
    while waiting:
        for batch in batches:
            observer.see(batch)
        waiting = observer.wants_more()
    return observer.limits()


def test_minmax_takes_the_ends_of_all_batches():
    assert watch(MinMax(), [torch.tensor([-1.0, 2.0]), torch.tensor([-3.0, 1.0])]) == (-3.0, 2.0)


def test_moving_average_follows_slowly():
    low, high = watch(MovingAverage(), [torch.tensor([0.0, 1.0]), torch.tensor([-1.0, 2.0])])
    assert low == pytest.approx(-0.1)  # 0.9 * 0 + 0.1 * -1
    assert high == pytest.approx(1.1)  # 0.9 * 1 + 0.1 * 2


def test_percentile_cuts_one_value_in_a_hundred_thousand():
    values = torch.linspace(0, 1, 99_999)
    low, high = watch(Percentile(), [torch.cat([values, torch.tensor([1000.0])])])
    assert low == 0.0
    assert high == pytest.approx(3 * 1000 / 2048)  # the first three of 2,048 bins hold all but the one far out
    low, high = watch(Percentile(), [values])
    assert high == pytest.approx(1.0, abs=1e-3)


def one_to_one(weight: float, bias: float):
    """Prepared: ``weight * x + bias`` of each pixel."""
    net = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        net.weight.fill_(weight)
        net.bias.fill_(bias)
    return prepare_qat(net, torch.zeros(2, 1, 2, 2), xnnpack_quantizer(), batch_norm="fold")


def activations(qat):
    """Quantisers of what is no weight: of what the convolution reads, and of what it writes."""
    return [module for node, module in quantizer_nodes(qat.graph) if node.args[0].op != "get_attr"]


def test_scale_and_zero_point_of_a_range():
    """-0.5 to 2 on 256 steps: scale 2.5 / 255, zero at -128 + 51."""
    image = torch.tensor([0.0, 0.2, 0.6, 1.0]).reshape(1, 1, 2, 2).repeat(2, 1, 1, 1)
    frozen = calibrate(one_to_one(2.5, -0.5), [image], ranges="minmax")
    _, written = activations(frozen)
    assert float(written.scale) == pytest.approx(2.5 / 255)
    assert int(written.zero_point) == -77
    torch.testing.assert_close(frozen(image), 2.5 * image - 0.5, atol=2.5 / 255, rtol=0)


@pytest.mark.parametrize("trained", [False, True])
def test_a_picture_keeps_its_bytes_whatever_was_seen(trained):
    qat = one_to_one(1.0, 0.0)
    image = torch.tensor([0.0, 0.2, 0.6, 1.0009]).reshape(1, 1, 2, 2).repeat(2, 1, 1, 1)
    if trained:
        qat.train()(image)
        qat.freeze()
    else:
        qat = calibrate(qat, [image], ranges="minmax")
    read, _ = activations(qat)
    every_byte = torch.arange(256.0) / 255
    assert (float(read.scale), int(read.zero_point)) == (pytest.approx(1 / 255, rel=1e-7), -128)
    assert torch.equal(read.integers(every_byte), torch.arange(-128, 128, dtype=torch.int8))
