"""The whole study in a tiny size: it is interrupted, goes on, and repeats nothing."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from openautoglm.cli.study import main
from openautoglm.data import SyntheticGestures
from openautoglm.losses import KD, RKD
from openautoglm.stages.teach import Teach
from openautoglm.studies import distillation
from openautoglm.studies.distillation import DistillationStudy, Method
from openautoglm.train import FitSettings

SETTINGS = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True))


@pytest.fixture
def home(tmp_path_factory, monkeypatch):
    """One cache for all: the pictures are rendered once."""
    place = tmp_path_factory.getbasetemp() / "distillation study"
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(place))
    return place


@pytest.fixture
def counted(monkeypatch):
    """Names of the trainings and of the splits that were predicted; ``stop_at`` ends one with Ctrl-C."""
    calls = {"trained": [], "predicted": [], "stop_at": None}
    fit, predict = distillation.fit, distillation.predict

    def counted_fit(*arguments, title, **settings):
        if title == calls["stop_at"]:
            raise KeyboardInterrupt
        calls["trained"].append(title)
        fit(*arguments, title=title, **settings)

    def counted_predict(model, images):
        calls["predicted"].append(images.name)
        return predict(model, images)

    monkeypatch.setattr(distillation, "fit", counted_fit)
    monkeypatch.setattr(distillation, "predict", counted_predict)
    return calls


def study(**changes) -> DistillationStudy:
    given = {
        "data": SyntheticGestures(image_size=64, num_train=60, num_dev=24, num_test=24, num_workers=1),
        "methods": {"kd": Method(losses={"kd": KD()}), "rkd": Method(losses={"rkd": RKD()})},
        "teach": Teach(architecture="openautoglm-test", epochs=1, batch_size=20),
        "seeds": [0, 1],
        "final_seeds": [0, 1, 2],
        "model": "openautoglm-test",
        "epochs": 1,
        "batch_size": 20,
    }
    return DistillationStudy(**{**given, **changes})


def test_interrupted_it_goes_on_and_judges_once(home, counted, tmp_path):
    counted["stop_at"] = "rkd 0"
    with pytest.raises(KeyboardInterrupt):
        study()(tmp_path, settings=SETTINGS)
    so_far = json.loads((tmp_path / "figures.json").read_text())
    assert [method["method"] for method in so_far["methods"]] == ["no teacher", "kd"]
    assert (so_far["complete"], so_far["test"]) == (False, None)

    counted["stop_at"] = None
    figures = study()(tmp_path, settings=SETTINGS)
    chosen = figures["test"]["chosen"]
    expected = ["no teacher 0", "kd 0", "rkd 0", "no teacher 1", "kd 1", "rkd 1", "no teacher 2", f"{chosen} 2"]
    assert counted["trained"] == expected
    assert counted["predicted"].count("synthetic/test") == 6  # two students, three seeds
    assert figures["complete"]
    assert [method["method"] for method in figures["methods"]] == ["no teacher", "kd", "rkd"]
    assert [len(method["top1_dev"]) for method in figures["methods"]] == [2, 2, 2]
    assert {method["num_steps"] for method in figures["methods"]} == {3}
    differences = [a - b for a, b in zip(figures["test"]["distilled"], figures["test"]["alone"], strict=True)]
    assert figures["test"]["mean"] == pytest.approx(sum(differences) / 3)
    assert json.loads((tmp_path / "figures.json").read_text()) == json.loads(json.dumps(figures))
    table = (tmp_path / "methods.md").read_text(encoding="utf-8")
    assert all(f"| {name} | 2 | 3 |" in table for name in ("no teacher", "kd", "rkd"))
    assert f"On test, 3 seeds: {chosen}" in table
    assert (tmp_path / "methods.png").read_bytes().startswith(b"\x89PNG")

    again = study()(tmp_path, settings=SETTINGS)
    assert counted["trained"] == expected
    assert counted["predicted"].count("synthetic/test") == 6
    assert again["test"] == figures["test"]


def test_the_given_method_is_judged(home, counted, tmp_path):
    figures = study(seeds=[0], final_seeds=[0], chosen="kd")(tmp_path, settings=SETTINGS)
    assert figures["test"]["chosen"] == "kd"
    assert figures["test"]["ci95"] is None
    judged = {row["method"] for row in figures["rows"] if row["top1_test"] is not None}
    assert judged == {"no teacher", "kd"}


def test_a_method_chosen_elsewhere_is_all_that_is_trained(home, counted, tmp_path):
    figures = study(seeds=[], final_seeds=[0, 1], chosen="rkd")(tmp_path, settings=SETTINGS)
    assert counted["trained"] == ["no teacher 0", "rkd 0", "no teacher 1", "rkd 1"]
    assert [method["method"] for method in figures["methods"]] == ["no teacher", "rkd"]
    assert figures["test"]["seeds"] == (0, 1)
    with pytest.raises(ValueError, match=r"study\.seeds is empty"):
        study(seeds=[])


def test_rows_of_other_settings_are_refused(home, tmp_path):
    study(seeds=[0], final_seeds=[0])(tmp_path, settings=SETTINGS)
    with pytest.raises(ValueError, match="holds a training with other settings or data: give another out="):
        study(seeds=[0], final_seeds=[0], epochs=2)(tmp_path, settings=SETTINGS)
    teach = Teach(architecture="openautoglm-test", epochs=2, batch_size=20)
    with pytest.raises(ValueError, match="holds a teacher of other settings or data: give another out="):
        study(seeds=[0], final_seeds=[0], teach=teach)(tmp_path, settings=SETTINGS)


def test_unknown_method_and_reserved_name():
    with pytest.raises(ValueError, match=r"study\.chosen=dkd is none of the methods: kd, rkd"):
        study(chosen="dkd")
    with pytest.raises(ValueError, match="none 'no teacher'"):
        study(methods={"no teacher": Method(losses={"kd": KD()})})


def test_from_the_command_line(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [
        "study=distillation", "data.image_size=64", "data.num_train=60", "data.num_dev=24", "data.num_test=24",
        "data.num_workers=1", "study.seeds=[0]", "study.final_seeds=[0]", "study.epochs=1", "study.batch_size=20",
        "study.model=openautoglm-test", "study.teach.architecture=openautoglm-test", "study.teach.epochs=1",
        "trainer.accelerator=cpu", "out=study", "json=figures.json",
    ]  # fmt: skip
    assert main(words) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    names = ["no teacher", "kd", "dkd", "fitnet", "attention_transfer", "rkd", "crd"]
    assert [method["method"] for method in figures["methods"]] == names
    assert (tmp_path / "study" / "methods.png").exists()
    assert str(tmp_path) not in (tmp_path / "figures.json").read_text()
