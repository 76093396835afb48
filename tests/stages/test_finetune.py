"""The released openautoglm-nano learns a folder of rendered hands: estimate, thresholds, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm import Recognizer
from openautoglm.bench.result import read_results
from openautoglm.cli.train import main as train
from openautoglm.data import SyntheticGestures
from openautoglm.zoo import store

GESTURES = ("fist", "palm", "peace")
NAMES = ("Faust", "手 掌", "it's [peace]")
NUM_PERSONS, PER_PERSON = 5, 2


@pytest.fixture(scope="module")
def hands(tmp_path_factory) -> list[list[Image.Image]]:
    """Rendered pictures of each gesture."""
    source = SyntheticGestures(
        classes=GESTURES, num_train=48, num_dev=3, num_test=3, num_workers=1, root=tmp_path_factory.mktemp("hands")
    )
    pictures = source.load("train")
    return [[Image.fromarray(np.array(it)) for it in pictures.images[pictures.labels == row]] for row in range(3)]


def make_pictures(root: Path, hands: list[list[Image.Image]], split: str = "", first: int = 0) -> Path:
    for name, pictures in zip(NAMES, hands, strict=True):
        place = root / split / name
        place.mkdir(parents=True)
        rows = pictures[first : first + NUM_PERSONS * PER_PERSON]
        for number, picture in enumerate(rows):
            picture.save(place / f"person{number // PER_PERSON}_{number % PER_PERSON}.png")
    return root


def words(root: Path, *more: str) -> list[str]:
    return [
        "recipe=finetune_int8",
        f"data.root='{root}'",
        "model=openautoglm-nano",
        "stages.finetune.epochs=2",
        "stages.finetune.at_least=64",
        "stages.finetune.learning_rate=5e-4",  # of four steps
        "stages.finetune.num_folds=3",
        "trainer.accelerator=cpu",
        *more,
    ]


WHOLE = (
    "stages.quantize.epochs=1",
    "stages.quantize.at_least=64",
    "stages.verify.rounds=2",
    "backend.names=[executorch]",
)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A place of its own, with its own cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    return tmp_path


def only_run(place: Path) -> Path:
    (run,) = (place / "runs" / "finetune_int8").iterdir()
    return run


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory, hands) -> Path:
    pytest.importorskip("executorch")
    place = tmp_path_factory.mktemp("own gestures")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
        assert train(words(make_pictures(place / "my photos", hands), *WHOLE)) == 0
    return only_run(place)


def test_says_what_to_expect(whole_run):
    results = read_results(whole_run)
    estimate = results.estimate
    assert estimate.top1 >= 0.9
    assert estimate.ci95[0] <= estimate.top1 <= estimate.ci95[1]
    assert (estimate.num_samples, estimate.num_folds, estimate.num_groups) == (30, 3, 5)
    assert "person" in estimate.grouped_by
    assert results.model("student, cross-validated").top1 == estimate.top1
    matrix = np.array(results.confusion.matrix)
    assert matrix.sum() == 30
    assert np.trace(matrix) / 30 == pytest.approx(estimate.top1)


def test_claims_nothing_about_pictures_it_was_trained_on(whole_run):
    row = read_results(whole_run).model("model.pte")
    assert row.top1 is None
    assert row.agreement >= 0.9


def test_artifact_names_and_rejects(whole_run, hands):
    recognizer = Recognizer.from_pretrained(whole_run)
    found = [recognizer.recognize(np.array(picture))[0].label for picture in hands[1][-5:]]
    assert set(found) <= {"手 掌", "unknown"}
    assert found.count("手 掌") >= 3
    config = store.find(whole_run).config
    assert recognizer.temperature == config["temperature"]
    assert 0 < config["thresholds"]["reject"] < 1
    assert recognizer.thresholds.reject == config["thresholds"]["reject"]


def test_a_pruned_net_and_one_for_whole_frames_teach_as_well(here, hands):
    root = make_pictures(here / "photos", hands)
    for teacher in ("openautoglm-small-pruned", "openautoglm-small"):
        quick = ("stage=finetune", f"stages.finetune.teacher={teacher}", "trainer.fast_dev_run=true")
        said = [word.replace("num_folds=3", "num_folds=0") for word in words(root, *quick)]
        assert train(said) == 0
        run = max((here / "runs" / "finetune_int8").iterdir())
        arguments = store.find(run / "teach").config["arguments"]
        assert ("hidden" in arguments) == teacher.endswith("pruned")
        assert arguments["glance_size"] is None


def test_a_small_net_is_taught_by_the_best(whole_run):
    teacher = store.find(whole_run / "teach").config
    assert teacher["architecture"] == "openautoglm-small"
    assert tuple(teacher["classes"]) == tuple(sorted(NAMES))


def test_report_and_card_say_it_in_words(whole_run):
    page = (whole_run / "report.html").read_text(encoding="utf-8")
    assert "can be expected to name" in page
    assert "answered as unknown" in page
    assert "No person or session was on both sides: 5 groups" in page
    card = (whole_run / "artifact" / "README.md").read_text(encoding="utf-8")
    assert "By cross-validation in 3 folds" in card
    data = read_results(whole_run).data
    assert (data.num_train, data.num_dev, data.num_test) == (30, 0, 0)


def test_folder_is_left_as_it_was(whole_run):
    assert len(list((whole_run.parents[2] / "my photos").rglob("*"))) == 30 + 3


def test_a_test_folder_is_measured(here, hands):
    root = make_pictures(here / "photos", hands, "train")
    make_pictures(here / "photos", [pictures[-4:] for pictures in hands], "test")
    assert train(words(root, "stage=[finetune]")) == 0
    results = read_results(only_run(here))
    assert results.model("student fine-tuned").top1 >= 0.8
    assert results.estimate.num_folds == 3  # no dev is held out: threshold and temperature come from folds


def test_wrong_labels_are_found(here, hands):
    root = make_pictures(here / "photos", hands)
    hands[1][-1].save(root / NAMES[0] / "person0_0.png")
    assert train(words(root, "stage=[finetune]")) == 0
    assert f"{NAMES[0]}/person0_0.png" in read_results(only_run(here)).estimate.suspects


def test_shuffled_labels_are_seen_through(here, hands):
    """Folders that say nothing about the gesture: the estimate is near chance."""
    mixed = [picture for pictures in hands for picture in pictures]
    order = np.random.default_rng(0).permutation(len(mixed))
    root = make_pictures(here / "photos", [[mixed[row] for row in order[part::3]] for part in range(3)])
    assert train(words(root, "stage=[finetune]")) == 0
    assert read_results(only_run(here)).estimate.top1 < 0.65


def test_init_is_needed(here, hands, capsys):
    assert train(words(make_pictures(here / "photos", hands), "init=null", "stage=[finetune]")) == 2
    assert "init=openautoglm-small" in capsys.readouterr().err


def test_commands_of_the_guide(whole_run, monkeypatch, capsys):
    """Each ``python …`` line of the guide, with its folder and run put in; training itself is ``whole_run``."""
    from openautoglm.__main__ import main as openautoglm

    guide = (Path(__file__).parents[2] / "docs" / "own_gestures.md").read_text(encoding="utf-8")
    lines = [line for line in guide.splitlines() if line.startswith("python ")]
    monkeypatch.chdir(whole_run.parents[2])
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(whole_run.parents[2] / "cache"))
    (whole_run.parents[2] / "photos").symlink_to("my photos")
    dry, command, recognise = lines
    assert train(dry.split()[2:]) == 0
    assert "30" in capsys.readouterr().out
    assert command == "python scripts/train.py recipe=finetune_int8 data.root=photos"
    words = recognise.replace("runs/finetune_int8/2026-11-25_12-00-00", str(whole_run)).split()
    assert openautoglm([*words[3:6], " ".join(words[6:])]) == 0
    assert "手 掌" in capsys.readouterr().out
