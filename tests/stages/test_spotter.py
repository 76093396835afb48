"""The glance of a released net on its way into another artifact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openautoglm.runtime.engines import open_engine
from openautoglm.stages.spotter import glance_files, with_glance
from openautoglm.zoo import store

SPOTTER = "openautoglm-nano"


@pytest.fixture
def artifact(tmp_path):
    (tmp_path / "artifact" / "programs").mkdir(parents=True)
    return tmp_path / "artifact"


def test_onnx_programs_bring_their_weights(artifact):
    pytest.importorskip("onnxruntime")
    spotter = store.find(SPOTTER)
    files = glance_files(spotter, {"onnx"})
    assert [file.name for file in files] == ["programs/model.glance.onnx", "programs/model.near.onnx"]
    for file in files:
        file.copy_into(artifact)
        ((method, tensors),) = file.described["methods"].items()
        names = [output["name"] for output in tensors["outputs"]]
        ours, theirs = (
            open_engine("onnx", folder / file.name, method=method, output_names=names)
            for folder in (artifact, spotter.folder)
        )
        image = np.random.default_rng(0).random(ours.input_shape, np.float32)
        for name, value in theirs.run_named(image).items():
            np.testing.assert_array_equal(ours.run_named(image)[name], value)
    (weights,) = (artifact / "programs").glob("*.weights")
    graph = spotter.folder / "programs" / "model.glance.onnx"
    assert spotter.num_bytes("programs/model.glance.onnx") == graph.stat().st_size + weights.stat().st_size
    pte = spotter.program("pte")
    assert spotter.num_bytes("programs/model.pte") == pte.stat().st_size


@pytest.mark.parametrize("place", ["../../stolen.weights", "/tmp/stolen.weights", "programs/../../stolen.weights"])
def test_a_manifest_writes_nothing_outside_the_artifact(artifact, tmp_path, place):
    """It may come from the Hub."""
    (file,) = glance_files(store.find(SPOTTER), {"litert"})
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "model.tflite").write_bytes(b"program")
    (tmp_path / "from" / "stolen.weights").write_bytes(b"weights")
    described = {**file.described, "weights": [place]}
    replace(file, source=tmp_path / "from" / "model.tflite", described=described).copy_into(artifact)
    assert (artifact / "programs" / "stolen.weights").read_bytes() == b"weights"
    assert sorted(path.name for path in tmp_path.rglob("stolen*")) == ["stolen.weights"] * 2


def test_scores_of_another_look_have_no_threshold():
    spotter = store.find(SPOTTER)
    assert spotter.config["thresholds"]["show"] is not None
    limits = with_glance({"classes": ["wave"]}, spotter)["thresholds"]
    assert (limits["show"], limits["search"], limits["sure"], limits["glance_weight"]) == (None, None, None, 0.0)
    assert limits["hand"] == spotter.config["thresholds"]["hand"]
