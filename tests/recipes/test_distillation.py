"""Each recipe of a distillation method trains a student, from one batch of everything to an artifact."""

import itertools

import pytest
import torch

from openautoglm import AutoModel
from openautoglm.bench.result import read_results
from openautoglm.cli.compose import compose_config
from openautoglm.cli.launch import check
from openautoglm.cli.recipes import find_groups
from openautoglm.cli.train import main

METHODS = {
    "kd": {"kd"},
    "dkd": {"dkd"},
    "fitnet": {"fitnet", "kd"},
    "attention_transfer": {"attention"},
    "rkd": {"rkd"},
    "crd": {"crd"},
}
DATA = ("synthetic", "hagrid_crops", "folder", "hf")
TINY = (
    "model=openautoglm-test",
    "teacher.architecture=test_efficientnet",
    "data.image_size=64",
    "data.num_train=60",
    "data.num_dev=24",
    "data.num_test=24",
    "data.num_workers=1",
    "trainer.accelerator=cpu",
)


@pytest.fixture(autouse=True)
def place(tmp_path_factory, tmp_path, monkeypatch):
    """One cache for all: the pictures are rendered once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path_factory.getbasetemp() / "distillation cache"))
    return tmp_path


@pytest.mark.parametrize("recipe", METHODS)
def test_composes_with_every_data_set_of_crops_and_every_model(recipe, place):
    """Each two of method, data set and model meet, not each three."""
    for data, model in meetings(recipe):
        root = [] if data == "synthetic" else [f"data.root='{place}'"]
        config = compose_config("train", [f"recipe={recipe}", f"data={data}", f"model={model}", *root])
        check(config)
        assert set(config.values["stages"]["distill"]["losses"]) == METHODS[recipe]


def meetings(recipe):
    """Every model with one data set each, another one for the next method."""
    turn = list(METHODS).index(recipe)
    return [(DATA[(turn + row) % len(DATA)], model) for row, model in enumerate(find_groups()["model"])]


def test_every_pair_meets():
    models, rows = set(find_groups()["model"]), {recipe: meetings(recipe) for recipe in METHODS}
    assert {pair for pairs in rows.values() for pair in pairs} == set(itertools.product(DATA, models))
    assert all({data for data, _ in pairs} == set(DATA) for pairs in rows.values())
    assert all({model for _, model in pairs} == models for pairs in rows.values())


@pytest.mark.parametrize("recipe", METHODS)
def test_smoke(recipe, place):
    words = [f"recipe={recipe}", *TINY, "stage=[teach,distill]", "trainer.fast_dev_run=true"]
    assert main(words) == 0
    (run,) = (place / "runs" / recipe).iterdir()
    assert [row.name for row in read_results(run).models] == ["teacher", "student distilled"]
    student = AutoModel.from_pretrained(run / "distill")
    assert not [name for name in student.state_dict() if "regress" in name or "learnt" in name]


def test_losses_are_in_the_curves(place):
    """A whole epoch with two losses, one of them learnt."""
    words = ["recipe=fitnet", *TINY, "stage=[teach,distill]", "stages.teach.epochs=1", "stages.distill.epochs=1"]
    assert main(words) == 0
    (run,) = (place / "runs" / "fitnet").iterdir()
    curves = (run / "distill" / "curves.json").read_text()
    assert all(f'"train_{name}"' in curves for name in ("label", "fitnet", "kd"))


def test_a_cached_teacher_leaves_its_answers_for_the_next_run(place, monkeypatch):
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
    words = ["recipe=dkd", *TINY, "stage=[teach,distill]", "stages.teach.epochs=1", "stages.distill.epochs=1"]
    for switch in ("false", "true", "true"):
        assert main([*words, f"stages.distill.cache_teacher={switch}"]) == 0
    found = [path.read_text() for path in (place / "runs" / "dkd").glob("*/distill/curves.json")]
    assert len(found) == 3
    assert len(set(found)) == 1
    assert len(list((place / "cache" / "taught").iterdir())) == 1


def test_several_teachers_teach_as_one(place, capsys):
    """Two nets of other seeds; their mean is a teacher that loads again."""
    for seed in (1, 2):
        words = ["recipe=kd", *TINY, "stage=[teach]", "stages.teach.epochs=1", f"seed={seed}"]
        assert main(words) == 0
    first, second = sorted((place / "runs" / "kd").iterdir())
    both = f"teacher.artifact=[{first}/teach,{second}/teach]"
    assert main(["recipe=dkd", *TINY, "stage=[teach,distill]", both, "stages.distill.epochs=1"]) == 0
    (run,) = (place / "runs" / "dkd").iterdir()
    mean, image = AutoModel.from_pretrained(run / "teach"), torch.rand(2, 3, 64, 64)
    members = [AutoModel.from_pretrained(folder / "teach") for folder in (first, second)]
    expected = torch.stack([member(image).softmax(1) for member in members]).mean(0)
    assert torch.allclose(mean(image).softmax(1), expected, atol=1e-6)
    assert main(["recipe=rkd", *TINY, "stage=[teach,distill]", both, "stages.distill.epochs=1"]) == 2
    assert "the teacher of rkd has to show its maps" in capsys.readouterr().err


def test_hints_cannot_be_cached(capsys):
    assert main(["recipe=crd", *TINY, "stage=[teach,distill]", "stages.teach.epochs=1",
                 "stages.distill.cache_teacher=true"]) == 2  # fmt: skip
    assert "cache_teacher=true keeps logits, and crd reads" in capsys.readouterr().err


def test_quantization_goes_on_with_the_logits_and_says_so(place, capsys):
    pytest.importorskip("executorch")
    words = ["recipe=rkd", *TINY, "stage=[teach,distill,quantize]"]
    assert main([*words, *(f"stages.{stage}.epochs=1" for stage in ("teach", "distill", "quantize"))]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "quantize learns from the teacher's logits, by kd: a quantised graph shows no maps for rkd" in said
    (run,) = (place / "runs" / "rkd").iterdir()
    assert '"train_kd"' in (run / "quantize" / "curves.json").read_text()
