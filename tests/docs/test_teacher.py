"""The commands and the code of docs/teacher.md, in a tiny size."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from openautoglm.cli.compose import compose_config
from openautoglm.cli.launch import check
from openautoglm.cli.train import main as train

GUIDE = (Path(__file__).parents[2] / "docs" / "teacher.md").read_text(encoding="utf-8")
LINES = [line for line in GUIDE.splitlines() if line.startswith("python scripts/train.py ")]
RUN = [line for line in LINES if "# not run" not in line]
NOT_RUN = [line.partition("#")[0] for line in LINES if "# not run" in line]
TINY = [
    "model=openautoglm-test", "data.image_size=32", "data.num_train=48", "data.num_dev=24", "data.num_test=24",
    "data.num_workers=1", "optim.batch_size=12", "trainer.accelerator=cpu",
]  # fmt: skip
PLACES = {
    "runs/distill_int8/2026-11-25_12-00-00/teach": "first",
    "runs/distill_int8/A/teach": "first",
    "runs/distill_int8/B/teach": "second",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Two teachers in folders, and a cache."""
    folder = tmp_path_factory.mktemp("teachers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OPENAUTOGLM_HOME", str(folder / "cache"))
        for seed, name in enumerate(("first", "second")):
            words = [*TINY, "teacher.architecture=openautoglm-test", "stages.teach.epochs=1", f"seed={seed}"]
            assert train(["recipe=distill_int8", "stage=[teach]", *words]) == 0
            (run,) = (folder / "runs" / "distill_int8").iterdir()
            (run / "teach").rename(folder / name)
            run.rename(folder / f"run {name}")
    return folder


@pytest.fixture
def here(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
    return place


@pytest.mark.parametrize("line", RUN)
def test_a_command_runs(here, line, capsys):
    """Teacher and student for one epoch each; large teachers become small ones of their kind."""
    for told, there in PLACES.items():
        line = line.replace(told, there)
    words = shlex.split(line.replace("openautoglm-large", "openautoglm-test").replace("resnet18", "test_resnet"))[2:]
    if "teacher=mobilenetv4_conv_small" in words and not any(word.startswith("teacher.arch") for word in words):
        words.append("teacher.architecture=test_efficientnet")
    stages = [] if "stage=[teach]" in words else ["stage=[teach,distill]", "stages.distill.epochs=1"]
    assert train([*words, *TINY, *stages, "stages.teach.epochs=1"]) == 0
    said = capsys.readouterr().out
    assert "✓" in said
    assert ("mean of" in said or "distill" in said) if stages else "distill" not in said.replace("distill_int8", "")


@pytest.mark.parametrize("line", NOT_RUN)
def test_a_command_that_is_not_run_binds(line, tmp_path):
    words = [word.replace("PATH", str(tmp_path)) for word in shlex.split(line)[2:]]
    check(compose_config("train", words))


def test_every_command_is_told_apart():
    assert len(RUN) == 7
    assert len(NOT_RUN) == 2


def test_the_code_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
    small = code.replace(
        "SyntheticGestures()", "SyntheticGestures(num_train=40, num_dev=20, num_test=20, image_size=32, num_workers=1)"
    ).replace("openautoglm-base", "openautoglm-test")
    assert small.count("num_train") == 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    exec(compile(small, "teacher.md", "exec"), {})
    assert list((tmp_path / "cache" / "taught").iterdir())
