"""Cost of a model: every block once, counted right, timed in turn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from openautoglm.bench import cost
from openautoglm.bench.cost import count_macs, macs_of, measure_cost, widest_attention
from openautoglm.models import Program, create_model
from openautoglm.nn import (
    ConvNorm,
    DepthwiseFeedForward,
    LowRankAttention,
    Residual,
    SharedBlock,
    SparseBlocks,
    TransformerBlock,
    Windows,
)


class Net(nn.Module):
    """Convolution, transformer, a shared block, and a layer that no program uses."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(dim_in=3, dim_out=8, kernel=3, stride=2)
        feedforward = DepthwiseFeedForward(dim_in=8, dim_out=8, hidden=16)
        attention = LowRankAttention(dim=8, num_heads=2, rank=2)
        self.stages = nn.Sequential(TransformerBlock(attention=attention, feedforward=feedforward))
        self.shared = SharedBlock(block=Residual(branch=ConvNorm(dim_in=8, dim_out=8)), num_applications=3)
        self.unused = nn.Linear(8, 1000)
        self.classifier = nn.Linear(8, 5)

    def forward(self, image):
        x = self.shared(self.stages(self.stem(image)))
        return self.classifier(x.mean((2, 3)))

    def programs(self):
        return {"look": Program(self, (torch.rand(1, 3, 16, 16),))}

    def traced(self):
        return self

    def on_graph(self, graph):
        return graph


@pytest.fixture(scope="module")
def measured():
    return measure_cost(Net(), rounds=2)


def test_blocks_are_the_parts_that_ran(measured):
    (program,) = measured
    assert program.method == "look"
    assert [(block.name, block.kind) for block in program.blocks] == [
        ("stem", "ConvNorm"),
        ("stages.0.attention", "LowRankAttention"),
        ("stages.0.feedforward", "DepthwiseFeedForward"),
        ("shared", "SharedBlock"),
        ("classifier", "Linear"),
    ]
    assert [block.shape_in for block in program.blocks][:2] == [(3, 16, 16), (8, 8, 8)]
    assert program.blocks[0].shape_out == (8, 8, 8)
    assert program.whole.shape_out == (5,)


def test_multiply_adds_by_hand(measured):
    stem, attention, feedforward, shared, classifier = measured[0].blocks
    n = 8 * 8
    assert stem.macs == n * 27 * 8
    assert (attention.macs, attention.mixing_macs) == (2 * n * 8 * (4 + 8) + n * n * (4 + 8), n * n * (4 + 8))
    assert feedforward.macs == n * (8 * 16 + 9 * 16 + 16 * 8)
    assert shared.macs == 3 * n * 8 * 8
    assert classifier.macs == 40
    assert measured[0].whole.macs == sum(block.macs for block in measured[0].blocks)
    assert measured[0].whole.mixing_macs == attention.mixing_macs
    assert stem.mixing_macs == shared.mixing_macs == 0


def test_bytes_by_hand(measured):
    stem, _, _, shared, classifier = measured[0].blocks
    assert stem.num_params == 27 * 8 + 16
    assert (stem.float_kb, stem.int8_kb) == (4 * 232 / 1e3, (216 + 8 * 8) / 1e3)
    assert (classifier.float_kb, classifier.int8_kb) == (4 * 45 / 1e3, (40 + 8 * 5) / 1e3)
    # trained once with three BatchNorms; a program holds each application folded
    assert shared.num_params == 64 + 3 * 16
    assert shared.int8_kb == 3 * (64 + 8 * 8) / 1e3
    assert measured[0].whole.num_params == sum(block.num_params for block in measured[0].blocks)


def test_times_come_from_one_interleaved_measurement(monkeypatch):
    asked = []

    def measure(runners, *, rounds, num_threads):
        asked.append((list(runners), rounds, num_threads, torch.get_num_threads()))
        for run in runners.values():
            run()
        return {
            name: cost.Latency(float(at), at - 0.5, at + 0.5, rounds, num_threads) for at, name in enumerate(runners)
        }

    monkeypatch.setattr(cost, "measure", measure)
    before = torch.get_num_threads()
    (program,) = measure_cost(Net(), rounds=7, num_threads=before + 1)
    (found,) = asked
    assert found[1:] == (7, before + 1, before + 1)
    assert torch.get_num_threads() == before
    assert found[0][:2] == ["look ", "look stem"]
    assert [block.latency_ms.median for block in (program.whole, *program.blocks)] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    latency = program.blocks[1].latency_ms
    assert (latency.q1, latency.q3, latency.rounds, latency.num_threads) == (1.5, 2.5, 7, before + 1)


@pytest.mark.parametrize("reach", [None, Windows(window=4), SparseBlocks(block=2)], ids=str)
def test_mixing_is_what_the_reach_says(reach):
    attention = LowRankAttention(dim=8, num_heads=2, rank=2, reach=reach).eval()
    macs, mixing = count_macs(lambda: attention(torch.rand(1, 8, 12, 12)))
    assert mixing == 144 * attention.reach.num_seen(12, 12) * (4 + 8)
    assert macs - mixing == 2 * 144 * 8 * (4 + 8)


def test_widest_attention():
    narrow, wide = LowRankAttention(dim=4, num_heads=1), LowRankAttention(dim=8, num_heads=1)
    assert widest_attention(nn.Sequential(narrow, wide, narrow)) is wide
    assert widest_attention(nn.Linear(2, 2)) is None


def test_registered_model_leaves_no_multiply_add_out():
    model = create_model("openautoglm-test", num_classes=5, image_size=64)
    for program in measure_cost(model, rounds=1):
        assert program.whole.macs == sum(block.macs for block in program.blocks)
        assert all(block.latency_ms.median > 0 for block in program.blocks)


def test_a_model_without_programs_is_refused():
    with pytest.raises(ValueError, match="Linear names no programs"):
        measure_cost(nn.Linear(2, 2))


def test_multiply_adds_of_all_programs_by_hand():
    class Crops(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def programs(self):
            return {"look": Program(self.conv, (torch.zeros(1, 3, 8, 8),))}

        def traced(self):
            return self

        def on_graph(self, graph):
            return graph

    assert macs_of(Crops()) == 3 * 4 * 64
    with pytest.raises(ValueError, match="names no programs"):
        macs_of(nn.Linear(2, 2))
