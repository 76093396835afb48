"""Folders as people have them: no traceback, nothing of them changed, and one sentence where they cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.bench.result import read_results
from openautoglm.cli.train import main as train
from openautoglm.data import SyntheticGestures

GESTURES = ("fist", "ok", "palm", "peace")
NAMES = ["it's (1) [ok], a=b #2", "手 掌", "Ünïcode né", "ﷺ", " spaced  twice", "🤘 rock"]
NUM_CLASSES = 60


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    root = tmp_path_factory.mktemp("hands")
    return SyntheticGestures(
        classes=GESTURES, num_train=2 * NUM_CLASSES + 4, num_dev=4, num_test=4, num_workers=1, root=root
    ).load("train")


@pytest.fixture
def wild(hands, tmp_path, monkeypatch) -> Path:
    """60 classes of two pictures, one of one, a photo of 4,000 px, a grey one, and files that are no pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    root = tmp_path / "Photos (1) 手势, my=own #1"
    names = NAMES + [f"class {number:02d}" for number in range(NUM_CLASSES - len(NAMES))]
    for number, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for row in (number, NUM_CLASSES + number)[: 1 if name == "class 07" else 2]:
            Image.fromarray(np.array(hands.images[row])).save(root / name / f"bild é {row}.png")
    large = Image.fromarray(np.array(hands.images[-1])).resize((4000, 3000))
    large.save(root / NAMES[1] / "IMG_0001.JPG", quality=80)
    Image.fromarray(np.array(hands.images[-2])).convert("L").save(root / NAMES[2] / "grey.bmp")
    (root / NAMES[0] / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (root / NAMES[0] / "empty.png").write_bytes(b"")
    (root / NAMES[0] / "notes.txt").write_text("not a picture")
    (root / "no pictures").mkdir()
    return root


def contents(root: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def words(root: Path, *more: str) -> list[str]:
    return ["recipe=finetune_int8", f"data.root={root}", "model=openautoglm-nano", "trainer.accelerator=cpu", *more]


def test_looked_at(wild, capsys):
    before = contents(wild)
    assert train(words(wild, "data.dry_run=true")) == 0
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert all(name.strip() in said.out for name in NAMES)
    assert "broken.jpg" in said.out
    assert "empty.png" in said.out
    assert contents(wild) == before


def test_trained(wild, capsys):
    """One batch of everything, with folds, although some classes are missing in each of them."""
    before = contents(wild)
    small = ("stage=[finetune]", "trainer.fast_dev_run=true", "stages.finetune.num_folds=2",
             "stages.finetune.teacher=null", "stages.finetune.at_least=64", "stages.finetune.epochs=1")  # fmt: skip
    assert train(words(wild, *small)) == 0
    assert "Traceback" not in capsys.readouterr().err
    (run,) = Path("runs/finetune_int8").iterdir()
    results = read_results(run)
    assert len(results.data.classes) == NUM_CLASSES
    assert results.data.crops is None
    assert results.estimate.num_folds == 2
    assert {problem.split(":")[0] for problem in results.data.problems} >= {
        f"{NAMES[0]}/broken.jpg", f"{NAMES[0]}/empty.png", "no pictures/ holds no pictures",
    }  # fmt: skip
    assert contents(wild) == before


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: (root / "b" / "1.png").write_bytes(b"x"), "no readable training picture of 'b'"),
        (lambda root: (root / "b" / "1.png").unlink(), "one class only ('a')"),
        (lambda root: [path.unlink() for path in root.rglob("*.png")], "holds no pictures in class folders"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(hands, tmp_path, monkeypatch, capsys, spoil, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    for number, name in enumerate("ab"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.fromarray(np.array(hands.images[number])).save(tmp_path / "photos" / name / f"{number}.png")
    spoil(tmp_path / "photos")
    assert train(words(tmp_path / "photos", "stage=[finetune]")) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not Path("runs").exists()


@pytest.mark.parametrize("per_class", [1, 2])
def test_hardly_any_pictures_can_be_trained_on(hands, tmp_path, monkeypatch, capsys, per_class):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    for label in range(3):
        (tmp_path / "photos" / str(label)).mkdir(parents=True)
        for row in np.flatnonzero(hands.labels == label)[:per_class]:
            Image.fromarray(np.array(hands.images[row])).save(tmp_path / "photos" / str(label) / f"{row}.png")
    small = ("stage=[finetune]", "trainer.fast_dev_run=true", "stages.finetune.teacher=null")
    assert train(words(tmp_path / "photos", *small)) == 0
    assert "Traceback" not in capsys.readouterr().err
