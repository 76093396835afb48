"""Glance and look of one quantised graph: one program, weights held once, the same numbers as the graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from openautoglm.export.backend import get_backend
from openautoglm.runtime.engines import open_engine
from openautoglm.stages.export import inputs_of

pytest.importorskip("executorch")
METHODS = {"look": ("logits",), "glance": ("attention", "box", "logits")}


@dataclass(frozen=True)
class TwoLooks:
    net: nn.Module
    qat: nn.Module
    files: dict[str, dict[str, Path]]


@pytest.fixture(scope="module")
def looks(tmp_path_factory) -> TwoLooks:
    """A tiny net for frames, quantised and exported to the three formats."""
    from openautoglm.compress.pt2e import convert_programs, prepare_qat
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
    folder, files = tmp_path_factory.mktemp("looks"), {}
    for name in ("executorch", "litert", "onnx"):
        backend = get_backend(name)
        programs = net.eval().programs()
        modules = convert_programs(qat, programs, fold_quantize=backend.fold_quantize)
        files[name] = backend.export(inputs_of(modules, programs), folder / f"model.{backend.suffix}", quantized=True)
    return TwoLooks(net, qat, files)


@pytest.mark.parametrize("runtime", ["executorch", "litert", "onnx"])
@pytest.mark.parametrize("method", METHODS)
def test_each_method_computes_what_the_graph_does(looks, runtime, method):
    from openautoglm.compress.pt2e import convert

    size = {"look": 64, "glance": 96}[method]
    image = nn.functional.interpolate(torch.rand(1, 3, 7, 7), (size, size), mode="bilinear")
    engine = open_engine(runtime, looks.files[runtime][method], method=method, output_names=METHODS[method])
    found = engine.run_named(image.numpy())
    logits, attention, box, cells = (value.detach().numpy() for value in convert(looks.qat)(image))
    expected = {"logits": logits}
    if method == "glance":
        expected = {"attention": 1 / (1 + np.exp(-attention)), "box": box, "logits": cells}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        spread = max(1e-6, float(np.ptp(value)))
        assert np.abs(found[name].reshape(value.shape) - value).max() < 0.05 * spread + 0.02, name


@pytest.mark.parametrize("runtime", ["executorch", "litert", "onnx"])
def test_every_heavy_operation_is_int8(looks, runtime):
    backend = get_backend(runtime)
    for path in set(looks.files[runtime].values()):
        census = backend.census(path)
        assert census.is_int8, census.float_heavy
        assert census.num_partitions <= 3 * len(METHODS)


def test_the_description_names_every_output(looks):
    for runtime in ("executorch", "litert", "onnx"):
        described = {}
        for path in set(looks.files[runtime].values()):
            described |= get_backend(runtime).describe(path, METHODS)
        for method, names in METHODS.items():
            assert tuple(output["name"] for output in described[method]["outputs"]) == names
        shapes = [output["shape"] for output in described["glance"]["outputs"]]
        assert shapes == [[1, 1, 12, 12], [1, 4, 12, 12], [1, 5, 12, 12]]


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
