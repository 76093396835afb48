from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from openautoglm.data import FolderGestures, SyntheticGestures
from openautoglm.stages.finetune import Finetune
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.few_shot import FewShotStudy
from openautoglm.train import FitSettings

GESTURES = ("fist", "palm", "peace", "rock")
SETTINGS = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True))


def save_people(root: Path, images, labels) -> Path:
    """Picture n of each class is person n's; their numbers run from person to person."""
    for label, name in enumerate(GESTURES):
        (root / name).mkdir(parents=True)
        for person, row in enumerate(np.flatnonzero(labels == label)):
            Image.fromarray(np.array(images[row])).save(root / name / f"{len(GESTURES) * person + label}.png")
    return root


def study(root: Path, **changes) -> FewShotStudy:
    from openautoglm.losses import KD

    given = {
        "data": FolderGestures(root=str(root), dev_fraction=0.0, test_fraction=0.0),
        "shots": [3, "all"],
        "num_draws": 2,
        "num_baseline_draws": 1,
        "left_out": [["rock"]],
        # 16 steps: at the full rate they undo what the fitted classifier begins with
        "finetune": Finetune(epochs=2, at_least=256, learning_rate=5e-4),
        "quantize": Quantize(losses={"kd": KD()}, epochs=1, at_least=128, batch_size=32),
        "model": "openautoglm-nano",
    }
    return FewShotStudy(**{**given, **changes})


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Trainings that take no time; ``stop_at`` ends one with Ctrl-C."""
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    calls = {"trained": [], "stop_at": None, "root": save_people(tmp_path / "photos", images, np.arange(40) % 4)}

    def note(name: str) -> None:
        if name == calls["stop_at"]:
            raise KeyboardInterrupt
        calls["trained"].append(name)

    def finetuned(self, place, settings, given):
        note(place.name)
        test = given.load("test")
        return np.eye(len(test.classes), dtype=np.float32)[np.maximum(test.labels, 0)] * 9, 1.5

    def baseline(self, place, settings, given, seconds):
        note(f"{place.parent.name} baseline")
        return 0.25

    monkeypatch.setattr(FewShotStudy, "_finetuned", finetuned)
    monkeypatch.setattr(FewShotStudy, "_baseline", baseline)
    return calls


def test_interrupted_it_goes_on(played, tmp_path):
    out = tmp_path / "out"
    played["stop_at"] = "shots_3_1"
    with pytest.raises(KeyboardInterrupt):
        study(played["root"])(out, settings=SETTINGS)
    so_far = json.loads((out / "figures.json").read_text())
    assert not so_far["complete"]
    assert [len(shot["int8_top1"]) for shot in so_far["shots"]] == [1]
    assert so_far["unknown"] == []

    played["stop_at"] = "shots_all_0 baseline"  # its own net is measured before
    with pytest.raises(KeyboardInterrupt):
        study(played["root"])(out, settings=SETTINGS)
    played["stop_at"] = None
    figures = study(played["root"])(out, settings=SETTINGS)
    trained = ["shots_3_0", "shots_3_0 baseline", "shots_3_1", "shots_all_0", "shots_all_0 baseline", "without_rock"]
    assert played["trained"] == trained
    assert figures["complete"]
    assert figures["settings"]["init"] == "openautoglm-nano"
    few, many = figures["shots"]
    assert (few["int8_top1"], few["num_train"], few["seconds"]) == ([1.0, 1.0], [12, 12], [1.5, 1.5])
    assert (many["pictures_a_class"], many["num_train"], many["baseline_top1"]) == ("all", [32], [0.25])
    assert figures["unknown"][0]["left_out"] == ["rock"]
    assert json.loads((out / "figures.json").read_text()) == json.loads(json.dumps(figures))

    assert study(played["root"])(out, settings=SETTINGS)["shots"] == figures["shots"]
    assert played["trained"] == trained


def test_rows_of_other_settings_are_refused(played, tmp_path):
    study(played["root"])(tmp_path / "out", settings=SETTINGS)
    with pytest.raises(ValueError, match="holds a training with other settings or data: give another out="):
        study(played["root"], finetune=Finetune(epochs=3))(tmp_path / "out", settings=SETTINGS)
    with pytest.raises(ValueError, match="holds a training with other settings or data"):
        study(played["root"], init="openautoglm-nano-crops")(tmp_path / "out", settings=SETTINGS)
    further = study(played["root"], num_baseline_draws=2)(tmp_path / "out", settings=SETTINGS)
    assert further["shots"][0]["baseline_top1"] == [0.25, 0.25]
    assert played["trained"][-1] == "shots_3_1 baseline"


@pytest.fixture(scope="module")
def hands(tmp_path_factory) -> ImageSet:
    root = tmp_path_factory.mktemp("hands")
    return SyntheticGestures(classes=GESTURES, num_train=240, num_dev=4, num_test=4, num_workers=1, root=root).load(
        "train"
    )


@pytest.mark.slow
def test_more_people_help_and_unknown_gestures_score_lower(hands, tmp_path):
    """The whole study in a tiny size, on rendered hands in folders."""
    pytest.importorskip("executorch")
    root = save_people(tmp_path / "photos", hands.images, hands.labels)
    # not rock: of the three others, peace looks so much like it that its pictures are named peace with more certainty
    found = study(root, num_draws=1, left_out=[["fist"], ["peace"]])(tmp_path / "runs", settings=SETTINGS)
    json.dumps(found)  # hours of work must not end in a fault
    few, many = found["shots"]
    assert few["num_train"] == [12]
    assert few["int8_top1_mean"] > few["baseline_top1_mean"]
    assert many["int8_top1_mean"] > 0.85
    assert np.mean([unknown["auroc"] for unknown in found["unknown"]]) > 0.65  # 0.85; scores by chance: 0.5


@pytest.mark.slow
def test_shuffled_labels_teach_nothing(hands, tmp_path):
    """Else the accuracy above would say nothing."""
    pytest.importorskip("executorch")
    mixed = np.random.default_rng(0).permutation(hands.labels)
    root = save_people(tmp_path / "photos", hands.images, mixed)
    found = study(root, shots=["all"], left_out=[], num_baseline_draws=0)(tmp_path / "runs", settings=SETTINGS)
    assert found["shots"][0]["int8_top1_mean"] < 0.5
