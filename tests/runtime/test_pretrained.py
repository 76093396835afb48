"""Recognizers of artifacts: of crops and of frames, in the three runtimes, from the manifest alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from openautoglm import Recognizer
from openautoglm.export.backend import get_backend
from openautoglm.runtime.engines import SUFFIXES, open_engine
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.types import MissingExtraError
from openautoglm.zoo import store

RUNTIMES = ("executorch", "litert", "onnx")


@pytest.fixture(scope="session")
def crop_artifact(tiny, tmp_path_factory):
    """The tiny trained net as an artifact of crops."""

    def write(fresh):
        config = {"architecture": "openautoglm-test", "classes": list("abcde"), "image_size": 64}
        store.write_json(fresh / "config.json", config)
        (fresh / "programs").mkdir()
        for suffix in SUFFIXES.values():
            shutil.copy(tiny.folder / f"model.{suffix}", fresh / "programs")

    programs = {
        f"programs/model.{suffix}": {
            "runtime": name,
            "methods": get_backend(name).describe(tiny.folder / f"model.{suffix}"),
        }
        for name, suffix in SUFFIXES.items()
    }
    return store.build(tmp_path_factory.mktemp("crops") / "artifact", write, {"programs": programs}).folder


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_artifact_of_crops(crop_artifact, tiny, runtime):
    pixels = np.asarray(Image.effect_noise((64, 64), 90).convert("RGB"))
    engine = open_engine(runtime, tiny.folder / f"model.{SUFFIXES[runtime]}")
    logits = engine.run((pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32))
    (hand,) = Recognizer.from_pretrained(crop_artifact, runtime=runtime).recognize(pixels)
    assert hand.label == "abcde"[logits.argmax()]
    assert hand.score == pytest.approx(float(np.exp(logits.max()) / np.exp(logits).sum()), abs=1e-5)
    assert hand.box_px == (0, 0, 64, 64)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_artifact_of_frames(colours, colour_artifact, runtime):
    squares = {(5, 6): "red", (14, 12): "green", (6, 13): "no_gesture"}
    frame, truths = colours.paint(320, 240, squares)
    hands = Recognizer.from_pretrained(colour_artifact, runtime=runtime).recognize(frame)
    assert {hand.box_px: hand.label for hand in hands} == truths
    assert all(hand.score > 0.9 for hand in hands)


def test_thresholds_come_from_the_config(colours, colour_artifact, tmp_path):
    folder = tmp_path / "artifact"
    shutil.copytree(colour_artifact, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"thresholds": {"max_hands": 1, "sure": 0.5, "search": 1.1}, "temperature": 3.0}
    (folder / "config.json").write_text(json.dumps(config))
    facts = json.loads((folder / "manifest.json").read_text())
    store.seal(folder, facts)
    found = Recognizer.from_pretrained(folder, runtime="onnx")
    assert (found.thresholds, found.temperature) == (Thresholds(max_hands=1, sure=0.5, search=1.1), 3.0)
    frame, _ = colours.paint(320, 240, {(5, 6): "red", (14, 12): "green"})
    assert len(found.recognize(frame)) == 1
    assert found.stats.num_searched == 1
    quick = Recognizer.from_pretrained(folder, runtime="onnx", search=False)
    assert len(quick.recognize(frame)) == 1
    assert (quick.stats.num_searched, quick.stats.num_skipped) == (0, 1)


def test_a_program_without_checksum_is_refused(colour_artifact, tmp_path):
    folder = tmp_path / "artifact"
    shutil.copytree(colour_artifact, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["programs/model.look.onnx"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"no checksum of programs/model\.look\.onnx"):
        Recognizer.from_pretrained(folder, runtime="onnx")


def test_a_runtime_without_program_is_refused(colour_artifact, tmp_path):
    with pytest.raises(ValueError, match="no program for coreml, only for executorch, litert, onnx"):
        Recognizer.from_pretrained(colour_artifact, runtime="coreml")
    bare = store.build(tmp_path / "a", lambda fresh: store.write_json(fresh / "config.json", {"classes": []}), {})
    with pytest.raises(ValueError, match="only for no runtime at all"):
        Recognizer.from_pretrained(bare.folder)


def test_a_missing_runtime_names_the_extra(colour_artifact, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"openautoglm\[export\]"):
        Recognizer.from_pretrained(colour_artifact, runtime="onnx")


SCRIPT = """
import sys
import numpy as np
from openautoglm import Recognizer
Recognizer.from_pretrained(sys.argv[2], runtime=sys.argv[1]).recognize(np.zeros((30, 40, 3), np.uint8))
heavy = ("torch", "torchvision", "lightning", "timm", "datasets", "hydra", "cv2", "matplotlib")
print(sorted({name.partition(".")[0] for name in sys.modules} & set(heavy)))
"""


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_no_training_code(colour_artifact, runtime):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, runtime, str(colour_artifact)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
