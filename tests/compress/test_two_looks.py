"""Glance and look of one quantised graph: weights held once, the same numbers after loading.

What runtimes make of them is seen in ``stages/test_spot.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from openautoglm.export.backend import get_backend

pytest.importorskip("executorch")


@dataclass(frozen=True)
class TwoLooks:
    net: nn.Module
    qat: nn.Module


@pytest.fixture(scope="module")
def looks() -> TwoLooks:
    """A tiny net for frames, quantised."""
    from openautoglm.compress.pt2e import prepare_qat
    from openautoglm.models import create_model

    torch.manual_seed(0)
    net = create_model("openautoglm-test", num_classes=5, image_size=64, glance_size=96)
    with torch.no_grad():
        for _ in range(5):
            net(torch.rand(8, 3, 64, 64))
            net.glance(torch.rand(8, 3, 96, 96))
    quantizer = get_backend("executorch").quantizer()
    qat = prepare_qat(net.traced(), torch.zeros(2, 3, 64, 64), quantizer, dynamic_size=True, batch_norm="fold")
    qat.train()
    for size in (64, 96):
        qat(torch.rand(4, 3, size, size))
    qat.freeze()
    qat.eval()
    return TwoLooks(net.eval(), qat)


def test_a_method_holds_nothing_of_the_other(looks):
    """What only the glance needs is not in the look, and the other way round."""
    from openautoglm.compress.pt2e import convert_programs

    programs = looks.net.programs()
    parts = convert_programs(looks.qat, programs)
    tensors = {name: set(part.state_dict()) for name, part in parts.items()}
    assert not any("glance_head" in key for key in tensors["look"])
    assert not any(".classifier" in key and "glance_head" not in key for key in tensors["glance"])
    whole = sum(value.numel() for part in parts.values() for value in part.state_dict().values())
    alone = sum(value.numel() for value in parts["look"].state_dict().values())
    assert alone < whole


def test_a_quantised_artifact_of_both_looks_loads_bit_for_bit(looks, tmp_path):
    from openautoglm.artifacts import load_model, model_config, save_tensors
    from openautoglm.compress.pt2e import convert
    from openautoglm.compress.state import quantized_state

    tensors, spec = quantized_state(looks.qat)
    config = model_config("openautoglm-test", looks.net.arguments, classes=tuple("abcde"), image_size=64)
    loaded = load_model(save_tensors(tensors, tmp_path / "artifact", config=config, quantization=spec))
    image = torch.rand(2, 3, 96, 96)
    logits, *maps = convert(looks.qat)(image)
    assert torch.equal(loaded(image), logits)
    assert all(torch.equal(one, other) for one, other in zip(loaded.glance(image), maps, strict=True))
