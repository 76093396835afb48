"""Pruning inside a run: a smaller student is taught by the whole one, and both are compared."""

from __future__ import annotations

import json

import pytest

from openautoglm.bench.result import read_results
from openautoglm.cli.train import main as train
from openautoglm.stages.training import fresh_student, student_config
from openautoglm.zoo import store


@pytest.fixture(scope="module")
def pruned_run(tiny_run, tiny_words, tmp_path_factory):
    """The tiny run's student, pruned: the whole recipe, a batch of everything."""
    place = tmp_path_factory.mktemp("pruned")
    given = [word for word in tiny_words if word.startswith(("data.", "model=", "trainer.", "optim."))]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAUTOGLM_HOME", str(tiny_run.parents[2] / "cache"))
        words = ["recipe=prune_distill_int8", "data=synthetic", *given, f"init={tiny_run / 'distill'}"]
        words += [f"stages.compare.reference={tiny_run}", "backend.names=[executorch]", "trainer.fast_dev_run=true"]
        assert train([*words, "stages.prune.macs_ratio=0.8", "stages.prune.multiple_of=4"]) == 0
    (run,) = (place / "runs" / "prune_distill_int8").iterdir()
    return run


def test_every_stage_after_it_has_the_smaller_net(pruned_run, tiny_run):
    whole = store.find(tiny_run / "distill").config["arguments"]
    found = [store.find(pruned_run / stage).config["arguments"] for stage in ("prune", "distill", "quantize")]
    assert found[0] == found[1] == found[2]
    assert store.find(pruned_run).config["arguments"] == found[0]
    assert found[0] != whole
    assert found[0]["hidden"] != [16, 32, 32, 32, 32]
    assert store.find(pruned_run / "teach").config["arguments"] == whole


def test_rows_and_facts(pruned_run):
    results = read_results(pruned_run)
    assert results.status == "complete"
    row = results.model("student pruned")
    teacher = results.model("teacher")
    assert row.num_params < teacher.num_params
    assert row.num_params == results.model("student distilled").num_params
    facts = store.find(pruned_run / "prune").manifest
    assert row.macs == facts["macs"] <= 0.8 * facts["macs_before"]


def test_compared_with_the_whole_net(pruned_run, tiny_run):
    (row,) = read_results(pruned_run).comparisons
    sizes = [(run / "artifact/programs/model.pte").stat().st_size for run in (pruned_run, tiny_run)]
    assert (row.program, row.method) == ("model.pte", "look")
    assert row.size_ratio == pytest.approx(sizes[0] / sizes[1])
    assert row.size_ratio < 1
    assert row.latency_ratio == pytest.approx(row.latency_ms.median / row.reference_latency_ms.median)
    assert row.num_samples == 2 * 39
    assert row.difference == pytest.approx(row.reference_top1 - row.top1)
    assert row.ci95[0] <= row.difference <= row.ci95[1]
    assert json.loads((pruned_run / "results.json").read_text())["comparisons"][0]["num_samples"] == 78


def test_without_programs_nothing_is_compared(pruned_run, tiny_run):
    from types import SimpleNamespace

    from openautoglm.stages.compare import Compare

    run = SimpleNamespace(artifact=pruned_run / "artifact")
    for reference in (None, str(tiny_run / "distill")):
        outcome = Compare(reference=reference)(run)
        assert "give stages.compare.reference=" in outcome.note
        assert not outcome.facts


def test_another_net_of_the_run_is_not_the_pruned_one(pruned_run):
    """Fine-tuning also trains a teacher, which has another architecture."""
    from types import SimpleNamespace

    def run(model):
        return SimpleNamespace(
            model=model,
            model_arguments={},
            init=None,
            seed=0,
            image_size=64,
            source=SimpleNamespace(class_names=lambda: ("a", "b")),
            stage_folder=lambda stage: pruned_run / stage,
            find_stage=lambda stage: store.find(pruned_run / stage),
        )

    assert student_config(run("openautoglm-test"))["arguments"]["hidden"]
    assert "hidden" not in student_config(run("openautoglm-nano"))["arguments"]
    assert fresh_student(run("openautoglm-test")).training
    assert fresh_student(run("openautoglm-nano")).arguments["dims"][0] == 16


def test_init_is_needed(beside, tiny_words, capsys):
    given = [word for word in tiny_words if word.startswith("data.")]
    words = ["recipe=prune_distill_int8", "data=synthetic", *given, "init=null", "stage=[prune]"]
    assert train(words) == 2
    assert "init=openautoglm-small" in capsys.readouterr().err
