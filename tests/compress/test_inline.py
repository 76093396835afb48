"""Regions outside autocast become part of the graph, with the same values."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from openautoglm.compress.dynamic import OneByOne, dynamic_graph, dynamic_state
from openautoglm.compress.inline import inline_autocast
from openautoglm.compress.pt2e import convert, prepare_qat, trace
from openautoglm.compress.state import load_quantized, quantized_state
from openautoglm.export.backend import get_backend, xnnpack_quantizer
from openautoglm.models import Program
from openautoglm.stages.export import inputs_of


class KeptOut(nn.Module):
    """A convolution, then something that computes in its own precision, as EfficientViT's attention does."""

    def __init__(self, *, enabled: bool = False) -> None:
        super().__init__()
        self.conv, self.enabled = nn.Conv2d(3, 4, 3, stride=2, padding=1), enabled

    def forward(self, image):
        x = self.conv(image).flatten(2)
        with torch.autocast("cpu", enabled=self.enabled, dtype=torch.bfloat16):
            x = x.to(torch.float32)
            weights = x.transpose(1, 2) @ x
            x = x @ weights
        return x.mean(dim=2)


IMAGE = torch.linspace(0, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)


def test_the_values_stay_and_the_region_is_gone():
    torch.manual_seed(0)
    net = KeptOut().eval()
    graph = trace(net, IMAGE)
    assert any("autocast" in str(node.target) for node in graph.graph.nodes)
    inline_autocast(graph)
    assert not any("autocast" in str(node.target) or "submod" in str(node.target) for node in graph.graph.nodes)
    torch.testing.assert_close(graph(IMAGE), net(IMAGE))


def test_it_is_quantised_saved_loaded_and_exported(tmp_path):
    torch.manual_seed(0)
    qat = prepare_qat(KeptOut().eval(), IMAGE, xnnpack_quantizer(), batch_norm="fold").train()
    qat(IMAGE)
    qat.freeze()
    expected = qat.eval()(IMAGE)
    tensors, spec = quantized_state(qat)
    loaded = convert(load_quantized(KeptOut(), tensors, spec, xnnpack_quantizer()))
    torch.testing.assert_close(loaded(IMAGE), expected)
    assert not torch.allclose(loaded(IMAGE), KeptOut()(IMAGE))
    backend, path = get_backend("executorch"), tmp_path / "net.pte"
    program = Program(loaded, (IMAGE[:1],))
    backend.export(inputs_of({"look": loaded}, {"look": program}), path, quantized=True)
    census = backend.census(path)
    assert not census.float_heavy  # the convolution
    assert census.matmul.get("float", 0) == 2


def test_it_is_quantised_dynamically():
    torch.manual_seed(0)
    net = KeptOut().eval()
    tensors, spec = dynamic_state(net, IMAGE)
    graph = dynamic_graph(KeptOut(), tensors, spec)
    assert "conv.weight" in spec["weights"]
    torch.testing.assert_close(OneByOne(graph)(IMAGE), net(IMAGE), rtol=0.05, atol=0.05)


def test_another_precision_is_refused():
    graph = trace(KeptOut(enabled=True).eval(), IMAGE)
    with pytest.raises(ValueError, match=r"a part of the net computes in torch\.bfloat16"):
        inline_autocast(graph)
