"""Each target: a true INT8 file that computes what the converted graph computes, and says what it takes."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from openautoglm.export.backend import ExportedInput, available, get_backend, quiet_export, write_whole
from openautoglm.export.parity import compare
from openautoglm.runtime.engines import open_engine
from openautoglm.types import MissingExtraError

BACKENDS = ("executorch", "litert", "onnx")


@pytest.fixture(params=BACKENDS)
def backend(request):
    pytest.importorskip("executorch")
    if request.param not in available():
        pytest.skip(f"{request.param} is not installed")
    return get_backend(request.param)


def numpy_runner(model: nn.Module):
    return lambda image: model(torch.from_numpy(image)).detach().numpy()


def test_int8_file_agrees_with_the_converted_graph(tiny, backend, images):
    engine = open_engine(backend.name, tiny.folder / f"model.{backend.suffix}")
    pictures = [image[None].numpy() for image in images(40, seed=99)]
    parity = compare(engine.run, numpy_runner(tiny.converted), pictures)
    logits = tiny.converted(images(40, seed=99))
    assert parity.num_samples == 40
    assert parity.agreement >= 0.95
    assert parity.max_abs_diff <= 0.05 * (logits.max() - logits.min()).item()


def test_float_file_agrees_with_the_float_model(tiny, backend, images):
    engine = open_engine(backend.name, tiny.folder / f"float.{backend.suffix}")
    pictures = [image[None].numpy() for image in images(5, seed=99)]
    assert compare(engine.run, numpy_runner(tiny.model), pictures).max_abs_diff < 1e-5


def test_census_of_the_int8_file(tiny, backend):
    census = backend.census(tiny.folder / f"model.{backend.suffix}")
    convolutions = sum(isinstance(module, nn.Conv2d) for module in tiny.model.modules())
    assert census.int8_heavy == {"convolution": convolutions, "linear": 1}
    assert census.is_int8
    assert census.float_heavy == ()
    assert sum(census.matmul.values()) == 2
    assert census.num_fused_activations == sum(isinstance(module, nn.ReLU) for module in tiny.model.modules())
    assert census.num_partitions == 1
    assert census.outside == ()


def test_census_of_the_float_file_names_every_heavy_layer(tiny, backend):
    census = backend.census(tiny.folder / f"float.{backend.suffix}")
    assert not census.is_int8
    assert census.num_int8_heavy == 0
    heavy = sum(isinstance(module, nn.Conv2d | nn.Linear) for module in tiny.model.modules())
    # A runtime may run two layers of one input as one.
    assert heavy - 1 <= len(census.float_heavy) <= heavy
    assert census.to_dict()["is_int8"] is False


def test_description_is_enough_to_feed_the_program(tiny, backend):
    for kind in ("float", "model"):
        methods = backend.describe(tiny.folder / f"{kind}.{backend.suffix}")
        assert list(methods) == ["look"]
        (given,), (returned,) = methods["look"]["inputs"], methods["look"]["outputs"]
        assert given["name"] == "image"
        assert (given["shape"], given["layout"], given["colour_order"]) == ([1, 3, 64, 64], "NCHW", "RGB")
        assert given["value_range"] == [0.0, 1.0]
        assert (returned["name"], returned["shape"]) == ("logits", [1, 5])
        assert (given["dtype"] == "float32") == (given["scale"] is None)


def test_litert_runs_from_its_description_alone(tiny, images):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    path = tiny.folder / "model.tflite"
    described = get_backend("litert").describe(path)["look"]
    (given,), (returned,) = described["inputs"], described["outputs"]
    image = images(1, seed=7).numpy()
    steps = np.rint(image / given["scale"]) + given["zero_point"]
    runner = interpreter.Interpreter(str(path)).get_signature_runner("look")
    output = runner(**{given["name"]: np.clip(steps, -128, 127).astype(given["dtype"])})[returned["name"]]
    logits = (output.astype(np.float32) - returned["zero_point"]) * returned["scale"]
    np.testing.assert_allclose(logits[0], open_engine("litert", path).run(image), atol=1e-5)


def test_training_mode_is_refused(backend, tiny_model, images, tmp_path):
    path = tmp_path / f"model.{backend.suffix}"
    with pytest.raises(ValueError, match="training mode"):
        backend.export({"look": ExportedInput(tiny_model().train(), (images(1),))}, path, quantized=False)
    assert not list(tmp_path.iterdir())


def test_wrong_file_is_refused(backend, tmp_path):
    path = tmp_path / f"model.{backend.suffix}"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="export it again"):
        backend.census(path)


def test_onnx_file_holds_no_traces_of_the_source(tiny):
    content = (tiny.folder / "model.onnx").read_bytes()
    assert b".py" not in content
    assert b"/openautoglm/" not in content


def test_cuda_is_asked_once_an_export(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: asked.append(1) or len(asked) == 1)
    before = torch.cuda.is_available
    with contextlib.suppress(RuntimeError), quiet_export():
        assert [torch.cuda.is_available() for _ in range(3)] == [True] * 3
        raise RuntimeError
    assert asked == [1]
    assert torch.cuda.is_available is before


class _Twice(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.scale = scale

    def forward(self, image):
        return self.conv(image).mean((2, 3)) * self.scale


def test_two_methods(backend, tmp_path):
    path = tmp_path / f"model.{backend.suffix}"
    modules = {"look": _Twice(1.0).eval(), "glance": _Twice(2.0).eval()}
    sizes = {"look": 16, "glance": 24}
    programs = {name: ExportedInput(modules[name], (torch.zeros(1, 3, sizes[name], sizes[name]),)) for name in modules}
    files = backend.export(programs, path, quantized=False)
    beside = {file for path in files.values() for file in backend.beside(path)}
    assert {*files.values(), *beside} == set(tmp_path.iterdir())
    assert len(beside) == (backend.name == "onnx")
    for name, module in modules.items():
        engine = open_engine(backend.name, files[name], method=name)
        image = torch.rand(1, 3, sizes[name], sizes[name])
        np.testing.assert_allclose(engine.run(image.numpy()), module(image)[0].detach().numpy(), atol=1e-5)


def test_unknown_and_missing_backends(monkeypatch):
    with pytest.raises(ValueError, match="executorch, litert, onnx"):
        get_backend("coreml")
    monkeypatch.setattr("openautoglm.export.backend.importlib.util.find_spec", lambda _: None)
    assert available() == ()
    with pytest.raises(MissingExtraError, match=r"openautoglm\[export\]"):
        get_backend("onnx")


def test_failed_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pte"
    write_whole(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("openautoglm.export.backend.os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["model.pte"]
    assert path.read_bytes() == b"old"


def test_methods_of_one_graph_share_their_weights(tmp_path):
    pytest.importorskip("executorch")
    from openautoglm.compress.pt2e import convert, prepare_qat

    backend = get_backend("executorch")
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 256, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    qat = prepare_qat(net, torch.rand(2, 3, 16, 16), backend.quantizer(), dynamic_size=True).train()
    qat(torch.rand(4, 3, 16, 16))
    graph = convert(qat.eval())
    small, large = (ExportedInput(graph, (torch.zeros(1, 3, size, size),)) for size in (16, 24))
    one, two = Path(tmp_path, "one.pte"), Path(tmp_path, "two.pte")
    backend.export({"look": small}, one, quantized=True)
    backend.export({"look": small, "glance": large}, two, quantized=True)
    assert two.stat().st_size < 1.2 * one.stat().st_size
    assert open_engine("executorch", two, method="glance").input_shape == (1, 3, 24, 24)
