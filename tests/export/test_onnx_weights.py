"""Methods of an ONNX program share one file of weights, which may not lie elsewhere."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from openautoglm.export.backend import ExportedInput, get_backend
from openautoglm.runtime.engines import open_engine

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class Net(nn.Module):
    def __init__(self, conv: nn.Module, scale: float) -> None:
        super().__init__()
        self.conv, self.scale = conv, scale

    def forward(self, image):
        return self.conv(image).mean((2, 3)) * self.scale


@pytest.fixture
def exported(tmp_path):
    """Two methods of one net, and a third whose weights are others."""
    torch.manual_seed(0)
    shared, own = nn.Conv2d(3, 64, 3), nn.Conv2d(3, 64, 3)
    modules = {"look": Net(shared, 1.0), "glance": Net(shared, 2.0), "near": Net(own, 1.0)}
    example = (torch.rand(1, 3, 16, 16),)
    programs = {name: ExportedInput(module.eval(), example) for name, module in modules.items()}
    files = get_backend("onnx").export(programs, tmp_path / "int8.onnx", quantized=False)
    return modules, files


def test_equal_weights_are_there_once(exported):
    modules, files = exported
    (weights,) = {file for path in files.values() for file in get_backend("onnx").beside(path)}
    kernel = modules["look"].conv.weight.numel() * 4
    assert 2 * kernel <= weights.stat().st_size < 2.5 * kernel
    assert all(path.stat().st_size < kernel for path in files.values())
    image = torch.rand(1, 3, 16, 16)
    for name, module in modules.items():
        logits = open_engine("onnx", files[name], method=name).run(image.numpy())
        np.testing.assert_allclose(logits, module(image)[0].detach().numpy(), atol=1e-5)


def test_programs_may_be_renamed(exported, tmp_path):
    _, files = exported
    (weights,) = get_backend("onnx").beside(files["look"])
    folder = tmp_path / "artifact"
    folder.mkdir()
    shutil.copyfile(files["look"], folder / "model.look.onnx")
    with pytest.raises(ValueError, match=r"model\.look\.onnx.*export or download it again"):
        open_engine("onnx", folder / "model.look.onnx")
    with pytest.raises(ValueError, match=weights.name):
        get_backend("onnx").describe(folder / "model.look.onnx")
    shutil.copyfile(weights, folder / weights.name)
    assert open_engine("onnx", folder / "model.look.onnx").run(np.zeros((1, 3, 16, 16), np.float32)).shape == (64,)


def test_a_program_alone_holds_its_weights(tmp_path):
    program = ExportedInput(Net(nn.Conv2d(3, 64, 3), 1.0).eval(), (torch.rand(1, 3, 16, 16),))
    files = get_backend("onnx").export({"look": program}, tmp_path / "model.onnx", quantized=False)
    assert list(tmp_path.iterdir()) == [files["look"]]
    assert get_backend("onnx").beside(files["look"]) == ()


@pytest.mark.parametrize("place", ["../{}", "{root}/{}"])
def test_weights_elsewhere_are_refused(exported, tmp_path, place):
    """A file from somebody else reads nothing outside its folder."""
    _, files = exported
    (weights,) = get_backend("onnx").beside(files["look"])
    model = onnx.load(files["look"], load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place.format(weights.name, root=weights.parent)
    path = tmp_path / "inner" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"model\.onnx.*export or download it again"):
        open_engine("onnx", path)
    with pytest.raises(ValueError, match=r"model\.onnx"):
        get_backend("onnx").census(path)
