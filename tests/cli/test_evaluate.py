"""``scripts/evaluate.py``, in the process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openautoglm.cli.evaluate import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Figures:
    runtime: str
    num_samples: int = 10
    top1: float = 0.9
    latency_ms: float = 0.5
    recall: dict = field(default_factory=lambda: {"fist": 0.75, "palm": None})


@pytest.fixture
def asked(monkeypatch, tmp_path):
    questions = []

    def evaluate(**question):
        questions.append(question)
        return Figures(question["runtime"])

    monkeypatch.setattr("openautoglm.stages.evaluate.evaluate", evaluate, raising=False)
    monkeypatch.chdir(tmp_path)
    return questions


def test_question_arrives_and_nothing_is_dropped(asked, capsys, tmp_path):
    (tmp_path / "it's").mkdir()
    assert main(["artifact=it's", "runtime=onnx", "data=folder", "data.root=it's", "split=val"]) == 0
    assert asked[0]["artifact"] == str(tmp_path / "it's")
    assert (asked[0]["runtime"], asked[0]["split"], asked[0]["num_threads"]) == ("onnx", "dev", 1)
    assert asked[0]["source"].root == str(tmp_path / "it's")
    assert os.listdir(".") == ["it's"]
    printed = capsys.readouterr().out
    assert "0.9000" in printed
    assert "0.7500" in printed


def test_json_is_written_where_it_was_asked_for(asked):
    assert main(["artifact=openautoglm-small", "json=手 (1).json"]) == 0
    figures = json.loads(Path("手 (1).json").read_text(encoding="utf-8"))
    assert figures["recall"] == {"fist": 0.75, "palm": None}
    assert {"runtime": "executorch", "num_samples": 10, "top1": 0.9, "latency_ms": 0.5}.items() <= figures.items()
    assert os.listdir(".") == ["手 (1).json"]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "artifact is not set"),
        (["artifact=x", "runtime=tflite"], "runtime=tflite: expected executorch or litert or onnx or eager"),
        (["artifact=x", "split=valid"], "split=valid: expected train or dev or test"),
        (["artifact=x", "artefact=y"], "did you mean artifact"),
        (["artifact=x", "recipe=distill_int8"], "there is no setting recipe"),
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


@pytest.mark.parametrize("script", ["train", "evaluate", "benchmark"])
def test_script_helps_from_anywhere_and_loads_nothing_heavy(script, tmp_path):
    code = f"import runpy, sys; sys.argv = ['{script}.py', '--help']\n"
    code += f"try: runpy.run_path({str(ROOT / 'scripts' / script)!r} + '.py', run_name='__main__')\n"
    code += "except SystemExit as end: print('exit', end.code, {'torch', 'lightning'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "exit 0 set()"
    assert not list(tmp_path.iterdir())


def test_scripts_are_short():
    for path in (ROOT / "scripts").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 20
