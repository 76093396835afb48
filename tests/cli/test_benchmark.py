"""``scripts/benchmark.py``, in the process."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import pytest

from openautoglm.bench.result import DeviceResult, LatencyResult
from openautoglm.bench.takeover import measure_takeover
from openautoglm.cli.benchmark import main


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Replaces the measurement of programs; the command stands in an empty folder."""
    from openautoglm.bench.benchmark import LatencyReport
    from openautoglm.bench.programs import ProgramLatency

    questions = []

    def report(artifact, **question):
        questions.append({"artifact": artifact, **question})
        row = ProgramLatency("model.pte", "look", "executorch", (1, 3, 96, 96), 1206.4, LatencyResult(0.26, 0.25, 0.27))
        return LatencyReport(
            artifact="small", programs=(row,), rounds=5, measured=True, versions={"torch": "2"}, device=DeviceResult()
        )

    monkeypatch.setattr("openautoglm.bench.benchmark.report_latency", report)
    monkeypatch.chdir(tmp_path)
    return questions


def test_programs_of_an_artifact(asked, capsys):
    assert main(["artifact=openautoglm-small", "runtimes=[onnx,litert]", "rounds=5", "json=手 (1).json"]) == 0
    assert asked == [
        {"artifact": "openautoglm-small", "runtimes": ["onnx", "litert"], "rounds": 5, "num_threads": 1},
    ]
    figures = json.loads(Path("手 (1).json").read_text(encoding="utf-8"))
    assert figures["programs"][0]["latency_ms"]["median"] == 0.26
    assert figures["measured"] is True
    printed = capsys.readouterr().out
    for cell in ("model.pte", "look", "96×96", "1,206", "0.26", "0.25–0.27"):
        assert cell in printed
    assert os.listdir(".") == ["手 (1).json"]


def test_cost_of_a_model(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("openautoglm.bench.benchmark.measure_takeover", partial(measure_takeover, sides=(6, 12)))
    words = ["cost=true", "model=openautoglm-test", "image_size=64", "num_classes=7", "rounds=1"]
    assert main([*words, "json=cost.json", "out=pictures"]) == 0
    figures = json.loads(Path("cost.json").read_text(encoding="utf-8"))
    assert (figures["model"], figures["arguments"]) == ("openautoglm-test", {"num_classes": 7, "image_size": 64})
    assert {"versions", "device", "commit", "rounds", "measured"} <= figures.keys()
    (program,) = figures["programs"]
    assert program["whole"]["shape_in"] == [3, 64, 64]
    assert program["whole"]["shape_out"] == [7]
    assert program["whole"]["latency_ms"]["rounds"] == 1
    assert figures["takeover"]["seen_to_take_over"] == 2 * figures["takeover"]["dim"]
    assert Path("pictures/cost.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "stages.2.1.attention" in printed
    assert "2d = 32 tokens" in " ".join(printed.split())


def test_cost_of_an_artifact_is_that_of_its_architecture(monkeypatch, tmp_path):
    from openautoglm.zoo import store

    config = {"architecture": "openautoglm-test", "arguments": {"num_classes": 3, "image_size": 32}, "classes": []}
    store.build(tmp_path / "its", lambda folder: store.write_json(folder / "config.json", config), {})
    asked = []
    monkeypatch.setattr(
        "openautoglm.bench.benchmark.report_cost", lambda *words, **settings: asked.append((words, settings)) or {}
    )
    monkeypatch.setattr("openautoglm.cli.benchmark._print", lambda figures, target: None)
    assert main(["cost=true", f"artifact={tmp_path / 'its'}", "image_size=64"]) == 0
    assert asked == [(("openautoglm-test", {"num_classes": 3, "image_size": 64}), {"rounds": 50, "num_threads": 1})]


def test_fusion_of_an_artifact(monkeypatch, tmp_path, capsys):
    from openautoglm.bench.benchmark import FusionReport
    from openautoglm.bench.fusion import FusionRow
    from openautoglm.bench.operations import OperationCount

    asked = []
    counts = OperationCount(
        num_operations=61,
        num_heavy=26,
        num_batch_norms=25,
        num_activations=9,
        num_fused_activations=0,
        others={"add": 1},
    )
    row = FusionRow(
        runtime="eager", kind="float", is_fused=False, operations=counts, size_kb=None, latency_ms=LatencyResult(2.5),
        latency_ratio=1.0,
    )  # fmt: skip
    given = {"measured": True, "versions": {"torch": "2"}, "device": DeviceResult()}
    monkeypatch.setattr(
        "openautoglm.bench.benchmark.report_fusion",
        lambda name, **how: (
            asked.append((name, how)) or FusionReport(artifact="small", forms=(row,), rounds=5, **given)
        ),
    )
    monkeypatch.chdir(tmp_path)
    assert main(["fusion=true", "artifact=openautoglm-small", "runtimes=[onnx]", "rounds=5", "json=fusion.json"]) == 0
    assert asked == [("openautoglm-small", {"runtimes": ["onnx"], "rounds": 5, "num_threads": 1})]
    figures = json.loads(Path("fusion.json").read_text(encoding="utf-8"))
    assert figures["forms"][0]["operations"]["num_batch_norms"] == 25
    printed = capsys.readouterr().out
    for cell in ("PyTorch, as trained", "61", "26", "25", "2.50", "1.00×"):
        assert cell in printed


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "artifact is not set: add artifact=… to time its programs, or cost=true"),
        (["cost=true", "fusion=true"], "cost=true and fusion=true are two questions"),
        (["fusion=true"], "artifact is not set"),
        (["artifact=x", "out=y"], "out= is for the picture of cost=true"),
        (["cost=true", "model=openautoglm-smal"], "did you mean openautoglm-small"),
        (["cost=true", "image_size=100"], "image_size must be a multiple of 32, got 100"),
        (["artifact=x", "runtimes=onnx"], "runtimes=onnx: expected a list in brackets"),
        (["artifact=x", "threads=2"], "did you mean num_threads"),
        (["artifact=x", "json=no/where.json"], "there is no folder"),
        (["-m", "artifact=x"], "train.py"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(asked, capsys, argv, sentence):
    assert main(argv) == 2
    text = capsys.readouterr().err
    assert sentence in text
    assert text.count("\n") == 1
    assert not asked


def test_help_names_the_models(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "openautoglm-small" in text
    assert "cost=true" in text
