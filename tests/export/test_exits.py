"""Whole look and its parts of one quantised graph: one program, weights held once, the same numbers as the graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from openautoglm.export.backend import ExportedInput, get_backend
from openautoglm.runtime.engines import open_engine
from openautoglm.stages.export import inputs_of

pytest.importorskip("executorch")
RUNTIMES = ("executorch", "litert", "onnx")
SIZES = {"dims": (16, 16, 24, 32, 64), "head_dim": 256, "exit_dim": 16}


@dataclass(frozen=True)
class Exits:
    net: nn.Module
    qat: nn.Module
    files: dict[str, dict[str, Path]]
    """Runtime to method to file."""


def quantised(folder, *, runtimes=RUNTIMES, **arguments) -> Exits:
    """A tiny net with two early exits, quantised and exported."""
    from openautoglm.compress.pt2e import convert_programs, prepare_qat
    from openautoglm.models import create_model

    torch.manual_seed(0)
    net = create_model("openautoglm-test", num_classes=5, image_size=64, exit_stages=[2, 3], **{**SIZES, **arguments})
    with torch.no_grad():
        for _ in range(5):
            net.traced()(torch.rand(8, 3, 64, 64))
    quantizer, dynamic = get_backend("executorch").quantizer(), net.glance_size is not None
    qat = prepare_qat(net.traced(), torch.zeros(2, 3, 64, 64), quantizer, dynamic_size=dynamic, batch_norm="fold")
    qat.train()
    qat(torch.rand(8, 3, 64, 64))
    qat.freeze()
    qat.eval()
    files = {}
    for name in runtimes:
        backend, programs = get_backend(name), net.eval().programs()
        modules = convert_programs(qat, programs, fold_quantize=backend.fold_quantize)
        files[name] = backend.export(inputs_of(modules, programs), folder / f"model.{backend.suffix}", quantized=True)
    return Exits(net, qat, files)


@pytest.fixture(scope="module")
def exits(tmp_path_factory) -> Exits:
    return quantised(tmp_path_factory.mktemp("exits"))


def picture() -> torch.Tensor:
    return nn.functional.interpolate(torch.rand(1, 3, 7, 7), (64, 64), mode="bilinear")


def engines(exits, runtime):
    return {
        method: open_engine(
            runtime, exits.files[runtime][method], method=method, output_names=exits.net.programs()[method].outputs
        )
        for method in exits.net.programs()
    }


def test_parts_of_the_graph_are_the_graph_bit_for_bit(exits):
    """The map crosses in float32 and lies on the grid it is rounded to again."""
    from openautoglm.compress.pt2e import convert, convert_programs

    image = picture()
    parts = convert_programs(exits.qat, exits.net.programs())
    expected = exits.net.on_graph(convert(exits.qat)).all_exits(image)
    first, given = parts["look_1"](image)
    second, given = parts["look_2"](given)
    for one, other in zip((first, second, parts["look_3"](given)), expected, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(parts["look"](image), expected[-1])


def test_parts_of_a_net_for_frames_are_its_look(tmp_path):
    """Sizes are open there: what a part needs of them is taken from its own input."""
    from openautoglm.compress.pt2e import convert_programs

    found, image = quantised(tmp_path, runtimes=(), glance_size=64), picture()
    parts = convert_programs(found.qat, found.net.programs())
    assert list(parts) == ["look", "glance", "look_1", "look_2", "look_3"]
    given = image
    for name in ("look_1", "look_2"):
        _, given = parts[name](given)
    assert torch.equal(parts["look_3"](given), parts["look"](image))
    assert parts["glance"](image)[0].shape == (1, 1, 8, 8)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_runtime_computes_what_the_graph_does(exits, runtime):
    from openautoglm.compress.pt2e import convert

    image = picture()
    expected = [logits.numpy() for logits in exits.net.on_graph(convert(exits.qat)).all_exits(image)]
    loaded, given = engines(exits, runtime), image.numpy()
    for method, value in zip(("look_1", "look_2", "look_3"), expected, strict=True):
        found = loaded[method].run_named(given)
        given = found.get("map")
        assert np.abs(found["logits"].reshape(value.shape) - value).max() < 0.05 * np.ptp(value) + 0.02
    assert np.abs(loaded["look"].run(image.numpy()) - found["logits"].reshape(-1)).max() < 0.02


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_heavy_operation_is_int8(exits, runtime):
    for path in set(exits.files[runtime].values()):
        census = get_backend(runtime).census(path)
        assert census.is_int8, census.float_heavy


def test_a_program_holds_weights_once(exits, tmp_path):
    """What the parts add to the whole look are their exits and some bookkeeping."""
    from openautoglm.compress.pt2e import convert_programs

    backend, programs = get_backend("executorch"), exits.net.programs()
    look = programs["look"]
    module = convert_programs(exits.qat, programs)["look"]
    path = tmp_path / "look.pte"
    backend.export({"look": ExportedInput(module, look.example)}, path, quantized=True)
    weights = sum(value.nbytes for value in module.state_dict().values())
    extra = exits.files["executorch"]["look"].stat().st_size - path.stat().st_size
    assert extra < weights


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_description_tells_pictures_from_maps(exits, runtime):
    outputs = {method: program.outputs for method, program in exits.net.programs().items()}
    described = {}
    for path in set(exits.files[runtime].values()):
        described |= get_backend(runtime).describe(path, outputs)
    assert set(described) == set(outputs)
    (picture,), (given,) = described["look_1"]["inputs"], described["look_2"]["inputs"]
    assert (picture["name"], picture["colour_order"]) == ("image", "RGB")
    assert (given["name"], given["shape"]) == ("given", [1, 24, 8, 8])
    assert "colour_order" not in given
    returned = {output["name"]: output["shape"] for output in described["look_1"]["outputs"]}
    assert returned == {"logits": [1, 5], "map": [1, 24, 8, 8]}


def test_a_quantised_artifact_loads_bit_for_bit(exits, tmp_path):
    from openautoglm.artifacts import load_model, model_config, save_tensors
    from openautoglm.compress.pt2e import convert
    from openautoglm.compress.state import quantized_state

    tensors, spec = quantized_state(exits.qat)
    config = model_config("openautoglm-test", exits.net.arguments, classes=tuple("abcde"), image_size=64)
    loaded = load_model(save_tensors(tensors, tmp_path / "artifact", config=config, quantization=spec))
    image = torch.rand(2, 3, 64, 64)
    for one, other in zip(
        loaded.all_exits(image), exits.net.on_graph(convert(exits.qat)).all_exits(image), strict=True
    ):
        assert torch.equal(one, other)
    assert torch.equal(loaded(image), loaded.all_exits(image)[-1])


def test_dynamic_ranges_are_cut_too():
    """No grid there: the map is the plain sum, and each part takes the ranges of what it is given."""
    from openautoglm.compress.dynamic import dynamic_graph, dynamic_state
    from openautoglm.compress.pt2e import programs_of
    from openautoglm.models import create_model

    torch.manual_seed(0)
    net = create_model("openautoglm-test", num_classes=5, image_size=64, exit_stages=[3]).eval()
    image = picture()
    graph = dynamic_graph(net.traced(), *dynamic_state(net.traced(), torch.zeros(2, 3, 64, 64)))
    parts = programs_of(graph, net.programs())
    early, given = parts["look_1"](image)
    assert early.shape == (1, 5)
    assert torch.allclose(parts["look_2"](given), parts["look"](image), atol=1e-5)
