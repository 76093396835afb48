"""scripts/export.py: programs into an artifact that has none."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

pytest.importorskip("executorch")

from openautoglm import AutoModel, Quantizer, Recognizer
from openautoglm.artifacts import build_model, model_config
from openautoglm.cli.export import main
from openautoglm.zoo import store

CLASSES = ("fist", "ok", "palm")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A float and a static artifact."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("saved nets")
    arguments = {"num_classes": 3, "image_size": 64}
    net = build_model(model_config("openautoglm-test", arguments, classes=CLASSES, image_size=64)).eval()
    AutoModel.save_pretrained(net, place / "float")
    Quantizer().static_quantize(net, calibration=[torch.rand(8, 3, 64, 64)]).save(place / "static")
    return place


def test_what_quantizer_saved_becomes_a_recogniser(saved, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    assert main([f"artifact={saved / 'static'}", "backends=[onnx]", f"json={figures}"]) == 0
    (row,) = json.loads(figures.read_text())["programs"]
    assert (row["kind"], row["files"], row["num_float"]) == ("int8", ["model.onnx"], 0)
    assert row["num_int8"] > 10
    artifact = store.find(saved / "static")
    assert artifact.manifest["programs"]["programs/model.onnx"]["methods"]["look"]["inputs"]
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (hand,) = Recognizer.from_pretrained(saved / "static", runtime="onnx").recognize(picture)
    logits = AutoModel.from_pretrained(saved / "static")(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)[0]
    assert hand.label == CLASSES[int(logits.argmax())]
    assert hand.score == pytest.approx(float(logits.softmax(0).max()), abs=0.02)
    assert "INT8" in capsys.readouterr().out


def test_a_second_target_joins_the_first(saved, tmp_path):
    out = tmp_path / "both nets"
    assert main([f"artifact={saved / 'float'}", "backends=[onnx]", f"out={out}"]) == 0
    assert not (saved / "float" / "programs").exists()
    assert main([f"artifact={out}", "backends=[executorch]"]) == 0
    assert sorted(store.find(out).manifest["programs"]) == ["programs/model.onnx", "programs/model.pte"]


def test_programs_of_several_methods_come_with_their_weights_alone(tmp_path):
    """Float programs take the place of the released ones, whose weights are gone then."""
    figures, out = tmp_path / "figures.json", tmp_path / "float"
    assert main(["artifact=openautoglm-nano", "backends=[onnx]", f"out={out}", f"json={figures}"]) == 0
    (row,) = json.loads(figures.read_text())["programs"]
    (weights,) = (out / "programs").glob("*.weights")
    assert weights.name in row["files"]
    assert not (store.find("openautoglm-nano").folder / "programs" / weights.name).exists()
    assert row["size_kb"] == sum((out / "programs" / name).stat().st_size for name in row["files"]) / 1e3
    artifact = store.find(out)
    for method in ("glance", "near", "look"):
        assert artifact.manifest["programs"][f"programs/model.{method}.onnx"]["weights"] == [f"programs/{weights.name}"]
    assert Recognizer.from_pretrained(out, runtime="onnx").recognize(np.zeros((40, 60, 3), np.uint8)) == []


def test_mistakes_are_told_in_one_sentence(saved, tmp_path, capsys):
    assert main(["artifact=openautoglm-small"]) == 2
    assert "out=FOLDER" in capsys.readouterr().err
    assert main([f"artifact={saved / 'float'}", "backends=[tensorrt]"]) == 2
    assert "executorch" in capsys.readouterr().err
    assert not (saved / "float" / "programs").exists()
    assert main([f"artifact={tmp_path}"]) == 2
    assert "no artifact" in capsys.readouterr().err
