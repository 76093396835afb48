"""A person's folder of whole pictures: cropped, learnt, and recognised whole by an artifact that needs nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm import Recognizer
from openautoglm.__main__ import main as openautoglm
from openautoglm.bench.result import read_results
from openautoglm.cli.evaluate import main as evaluate
from openautoglm.cli.train import main as train
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.stages.programs import export_artifact
from openautoglm.zoo import store

GESTURES = ("fist", "palm")
NAMES = {"fist": "拳 头", "palm": "it's [palm]"}
SPOTTER = "openautoglm-small"


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    source = SyntheticScenes(
        classes=GESTURES, num_train=40, num_dev=2, num_test=24, num_workers=1, root=tmp_path_factory.mktemp("scenes")
    )
    return {split: source.load_frames(split) for split in ("train", "test")}


def save(frames, root: Path) -> Path:
    for row in np.flatnonzero(frames.frame_labels >= 0):
        place = root / NAMES[frames.classes[frames.frame_labels[row]]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(frames.frame(int(row)).image)).save(place / f"{row}.png")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory, scenes) -> Path:
    """A finished run on whole pictures, one of which shows no hand."""
    pytest.importorskip("executorch")
    place = tmp_path_factory.mktemp("whole pictures")
    photos = save(scenes["train"], place / "my photos")
    Image.fromarray(np.full((200, 300, 3), 80, np.uint8)).save(photos / NAMES["fist"] / "no hand.png")
    before = contents(photos)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
        words = [
            "recipe=finetune_int8", "data.root=my photos", "model=openautoglm-nano", "stages.finetune.teacher=null",
            "stages.finetune.epochs=2", "stages.finetune.at_least=64", "stages.finetune.num_folds=0",
            "stages.quantize.epochs=1", "stages.quantize.at_least=64", "stages.verify.rounds=2",
            "backend.names=[executorch]", "trainer.accelerator=cpu",
        ]  # fmt: skip
        assert train(words) == 0
    assert contents(photos) == before
    (found,) = (place / "runs" / "finetune_int8").iterdir()
    return found


@pytest.fixture
def beside(run, monkeypatch) -> Path:
    place = run.parents[2]
    monkeypatch.chdir(place)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
    return place


def test_the_run_says_what_it_assumed(run):
    data = read_results(run).data
    assert f"{SPOTTER} cut the hand out of" in data.crops
    missing = (run / "no_hand_found.txt").read_text(encoding="utf-8").splitlines()
    assert f"{NAMES['fist']}/no hand.png" in missing
    assert data.num_train + len(missing) == len(contents(run.parents[2] / "my photos"))
    assert Image.open(run / "pictures" / "crops.png").height > 150
    assert data.crops in (run / "report.html").read_text(encoding="utf-8")


def test_the_artifact_holds_the_glance(run):
    artifact = store.find(run)
    programs = artifact.manifest["programs"]
    assert list(programs["programs/model.pte"]["methods"]) == ["look"]
    assert list(programs["programs/model.glance.pte"]["methods"]) == ["glance", "near"]
    released = store.find(SPOTTER).manifest["files"]["programs/model.pte"]["sha256"]
    assert artifact.manifest["files"]["programs/model.glance.pte"]["sha256"] == released
    assert artifact.config["spotter"] == artifact.manifest["spotter"]["name"] == SPOTTER
    limits = artifact.config["thresholds"]
    assert (limits["sure"], limits["glance_weight"], limits["search"], limits["show"]) == (None, 0.0, None, None)
    card = (artifact.folder / "README.md").read_text(encoding="utf-8")
    assert f"found by the glance of `{SPOTTER}` (licence of its weights: HaGRID's own" in card


def test_whole_pictures_are_recognised(run, scenes):
    """The best hand of a new picture lies on a true one, and is named right by most."""
    tool, frames = Recognizer.from_pretrained(run), scenes["test"]
    lies, right = [], []
    for row in np.flatnonzero(frames.frame_labels >= 0):
        frame = frames.frame(int(row))
        hands = tool.recognize(np.array(frame.image))
        if hands:
            x0, y0, x1, y1 = hands[0].box_px
            middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
            lies.append(any((box[:2] < middle).all() and (middle < box[2:]).all() for box in frame.boxes_px))
            right.append(hands[0].label == NAMES[frames.classes[frames.frame_labels[row]]])
    assert len(lies) >= 10
    assert np.mean(lies) > 0.8
    assert np.mean(right) > 0.6


def test_it_is_whole_without_the_zoo(run, monkeypatch, tmp_path):
    shutil.copytree(run / "artifact", tmp_path / "phone")
    monkeypatch.setattr(store, "RELEASED", tmp_path / "none")
    assert Recognizer.from_pretrained(tmp_path / "phone").recognize(np.full((90, 120, 3), 80, np.uint8)) == []


def test_from_the_command_line(beside, run, capsys):
    assert openautoglm(["recognize", "my photos", "--model", str(run), "--json", "hands.json"]) == 0
    found = json.loads((beside / "hands.json").read_text())
    boxes = [(hand["box_px"], frame) for frame in found["frames"] for hand in frame["hands"]]
    assert all(box[2] - box[0] < frame["width_px"] for box, frame in boxes)
    assert openautoglm(["info", str(run)]) == 0
    out = capsys.readouterr().out
    assert "model.glance.pte" in out
    assert f"spotter     {SPOTTER}" in out


def test_evaluate_counts_a_hand_that_is_not_found_as_wrong(beside, run, scenes):
    save(scenes["test"], beside / "new" / "test")
    words = [f"artifact={run}", "runtime=executorch", "data=folder", "data.root=new", "json=figures.json"]
    assert evaluate(words) == 0
    figures = json.loads((beside / "figures.json").read_text())
    assert figures["num_samples"] == len(contents(beside / "new"))
    named = figures["num_samples"] - figures["num_without_hand"]
    assert figures["top1"] <= named / figures["num_samples"]
    assert figures["top1"] > 0.5


@pytest.mark.slow
def test_another_runtime_gets_the_glance_too(run, tmp_path):
    shutil.copytree(run / "artifact", tmp_path / "artifact")
    export_artifact(tmp_path / "artifact", backends=["onnx"])
    assert "programs/model.glance.onnx" in store.find(tmp_path / "artifact").manifest["programs"]
    assert Recognizer.from_pretrained(tmp_path / "artifact", runtime="onnx").finds_hands


def test_a_runtime_without_the_glance_is_refused(run, tmp_path):
    """Else it would name whole pictures as if they were hands."""
    shutil.copytree(run / "artifact", tmp_path / "artifact")
    (tmp_path / "artifact" / "programs" / "model.glance.pte").unlink()
    manifest = json.loads((tmp_path / "artifact" / "manifest.json").read_text())
    del manifest["programs"]["programs/model.glance.pte"]
    manifest["programs"]["programs/model.glance.onnx"] = {"runtime": "onnx", "methods": {"glance": {}}}
    store.seal(tmp_path / "artifact", manifest)
    with pytest.raises(ValueError, match="has no program for executorch, only for onnx"):
        Recognizer.from_pretrained(tmp_path / "artifact")
