"""Recipes that quantise without training: every stage after it works as after training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("executorch")

from openautoglm.bench.result import read_results
from openautoglm.cli.train import main as train
from openautoglm.compress import calibrate

SIZES = (
    "model=openautoglm-test", "data.image_size=64", "data.num_train=120", "data.num_dev=39", "data.num_test=39",
    "data.num_workers=1", "optim.batch_size=20", "stages.verify.rounds=3", "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "home"))
    return tmp_path


def run_of(recipe, *words, trains=True):
    short = ["stages.alone.epochs=1", "stages.alone.small_epochs=0"] if trains else []
    assert train([f"recipe={recipe}", *SIZES, *short, *words]) == 0
    return sorted(Path("runs", recipe).iterdir())[-1]


def test_static_with_the_worst_layers_in_float(here, monkeypatch, capsys):
    asked, once = [], calibrate.calibrate
    monkeypatch.setattr(calibrate, "calibrate", lambda *args, **how: asked.append(how) or once(*args, **how))
    run = run_of("ptq_int8", "backend=executorch", "stages.ptq.float_layers=2", "stages.ptq.num_pictures=40")
    assert asked == [{"ranges": "moving_average"}]
    results = read_results(run)
    assert [stage.name for stage in results.stages] == ["alone", "ptq", "export", "verify", "report"]
    row = results.model("model.pte")
    assert row.kind == "mixed"
    assert len(row.census["float_heavy"]) == 2
    assert row.agreement >= 0.9
    ranking = json.loads((run / "ptq" / "sensitivity.json").read_text())
    layers = json.loads((run / "artifact" / "quantization.json").read_text())["float_layers"]
    assert sorted(layers) == sorted(row["layer"] for row in ranking[:2])
    assert (run / "ptq" / "sensitivity.png").stat().st_size > 10_000
    assert "error of" in capsys.readouterr().out


@pytest.mark.slow
def test_a_net_that_is_there_is_not_trained_again(here, capsys):
    run = run_of("ptq_int8", "backend=executorch")
    again = run_of("ptq_int8", "backend=executorch", "stage=[ptq,export,verify,report]", f"init={run / 'alone'}",
                   trains=False)  # fmt: skip
    results = read_results(again)
    assert results.model("model.pte").kind == "int8"
    assert results.model("model.pte").census["is_int8"]
    assert (
        train(["recipe=ptq_int8", *SIZES, "model=openautoglm-nano", "stage=[ptq,verify]", f"init={run / 'alone'}"]) == 2
    )
    assert "architecture openautoglm-test" in capsys.readouterr().err


@pytest.mark.slow
def test_dynamic_is_exported_where_there_are_kernels(here, caplog):
    run = run_of("dynamic_int8")
    row = read_results(run).model("model.pte")
    assert row.kind == "dynamic"
    assert row.census["num_int8_heavy"] > 10
    assert all("Depthwise" in name or "Conv2d" in name for name in row.census["float_heavy"])
    assert row.agreement >= 0.9
    assert "no program for litert or onnx" in caplog.text
    assert [path.name for path in (run / "artifact" / "programs").iterdir()] == ["model.pte"]


@pytest.mark.slow
def test_weights_alone_shrink_the_artifact_and_not_the_program(here):
    run = run_of("int4_weights", "backend=onnx")
    row = read_results(run).model("model.onnx")
    assert row.kind == "weights"
    assert row.size_ratio == pytest.approx(1.0, abs=0.02)
    assert row.agreement == 1.0
    small, large = ((run / stage / "model.safetensors").stat().st_size for stage in ("artifact", "alone"))
    assert small < 0.65 * large  # scales and the file's header weigh much in a net this small
