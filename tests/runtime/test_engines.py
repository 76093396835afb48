"""Engines: same answer as the exporter promised, clear refusals, and no torch where a phone has none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from openautoglm.runtime.engines import SUFFIXES, open_engine
from openautoglm.types import MissingExtraError

RUNTIMES = ("executorch", "litert", "onnx")


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    return request.param


@pytest.fixture
def path(tiny, runtime):
    return tiny.folder / f"model.{SUFFIXES[runtime]}"


def test_run(runtime, path, images):
    engine = open_engine(runtime, path, num_threads=1)
    first, second = images(2, seed=5).numpy()
    logits = engine.run(first[None])
    assert (engine.runtime, engine.num_threads, engine.input_shape) == (runtime, 1, (1, 3, 64, 64))
    assert (logits.shape, logits.dtype) == ((5,), np.float32)
    kept = logits.copy()
    engine.run(second[None])
    np.testing.assert_array_equal(logits, kept)  # memory is not handed out twice


def test_a_transposed_view_is_read_right(runtime, path, images):
    engine = open_engine(runtime, path)
    image = images(1, seed=5).numpy()
    view = image.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    assert not view.flags.c_contiguous
    np.testing.assert_array_equal(engine.run(view), engine.run(image))


FILES = {"executorch": "model.pte", "litert": "model.tflite", "onnx": "model.glance.onnx"}


@pytest.fixture
def glance(colour_artifact, runtime):
    return colour_artifact / "programs" / FILES[runtime]


def test_several_outputs_by_name(runtime, glance, colours):
    engine = open_engine(runtime, glance, method="glance", output_names=colours.OUTPUTS["glance"])
    assert engine.output_names == ("attention", "box", "logits")
    image = np.random.default_rng(0).random(engine.input_shape, dtype=np.float32)
    outputs = engine.run_named(image)
    assert {name: output.shape for name, output in outputs.items()} == colours.OUTPUTS["glance"]
    assert (outputs["box"] == 2.5).all()
    middle = 10 * image[0, :, 84 - 20 : 84 + 20, 84 - 20 : 84 + 20].mean((1, 2))
    np.testing.assert_allclose(outputs["logits"][0, :, 10, 10], middle[[1, 2, 0]], rtol=1e-4)
    kept = outputs["logits"].copy()
    engine.run_named(np.zeros_like(image))
    np.testing.assert_array_equal(outputs["logits"], kept)  # memory is not handed out twice
    with pytest.raises(ValueError, match="attention, box, logits: take them by name"):
        engine.run(image)


def test_other_outputs_than_the_manifest_says(runtime, path, glance):
    with pytest.raises(ValueError, match="do not belong together"):
        open_engine(runtime, path, output_names=("attention", "logits"))
    with pytest.raises(ValueError, match="do not belong together"):
        open_engine(runtime, glance, method="glance")


def test_damaged_file(runtime, path, tmp_path):
    damaged = tmp_path / path.name
    damaged.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="export or download it again"):
        open_engine(runtime, damaged)
    damaged.write_bytes(b"no program at all, but long enough to be one")
    with pytest.raises(ValueError, match="export or download it again"):
        open_engine(runtime, damaged)


def test_wrong_method(runtime, path):
    with pytest.raises(ValueError, match="look"):
        open_engine(runtime, path, method="glance")


def test_missing_file(runtime, tmp_path):
    with pytest.raises(ValueError, match="no program at"):
        open_engine(runtime, tmp_path / "model.bin")


@pytest.mark.parametrize("image", [np.zeros((1, 3, 32, 32), np.float32), np.zeros((1, 3, 64, 64), np.uint8)])
def test_wrong_picture(runtime, path, image):
    with pytest.raises(ValueError, match=r"float32 picture of shape \(1, 3, 64, 64\), got"):
        open_engine(runtime, path).run(image)


def test_unknown_runtime_and_threads(tmp_path):
    with pytest.raises(ValueError, match="executorch, litert, onnx"):
        open_engine("coreml", tmp_path)
    with pytest.raises(ValueError, match="at least 1"):
        open_engine("onnx", tmp_path, num_threads=0)


def test_missing_package(runtime, path, monkeypatch):
    for package in ("executorch.runtime", "ai_edge_litert.interpreter", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"openautoglm\[export\]"):
        open_engine(runtime, path)


def test_executorch_threads_are_one_number_a_process(tiny):
    path = tiny.folder / "model.pte"
    engine = open_engine("executorch", path)
    with pytest.raises(ValueError, match=f"already runs with {engine.num_threads} thread"):
        open_engine("executorch", path, num_threads=engine.num_threads + 1)


SCRIPT = """
import sys
import numpy as np
from openautoglm.runtime.engines import open_engine
engine = open_engine(sys.argv[1], sys.argv[2])
engine.run(np.zeros(engine.input_shape, np.float32))
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("torch", "lightning", "timm")))
"""


@pytest.mark.parametrize("runtime", ["litert", "onnx"], indirect=True)
def test_no_torch(runtime, path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, runtime, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
