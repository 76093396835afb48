"""``scripts/studio.py`` before its page is open."""

from __future__ import annotations

import builtins
import shlex
import socket
from pathlib import Path

import pytest

from openautoglm.cli.resume import read_run_file, resumed_config
from openautoglm.cli.studio import main, make_run
from openautoglm.cli.train import main as train

GUIDE = Path(__file__).parents[2] / "docs" / "studio.md"


def test_a_run_of_the_studio_is_a_run_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = tmp_path / "it's, mine = 手 [1]"
    pictures.mkdir()
    run = make_run(pictures, 2, model="openautoglm-nano", settings="seed=3 stages.verify.rounds=2")
    assert run.parent == tmp_path / "runs" / "finetune_int8"
    config = resumed_config(run, ()).values
    assert config["data"]["root"] == str(pictures)
    assert (config["seed"], config["init"]) == (3, "openautoglm-nano")
    assert config["stages"]["finetune"]["num_folds"] == 2
    typed = shlex.split(read_run_file(run).command)
    assert typed[:3] == ["python", "scripts/train.py", "recipe=finetune_int8"]
    assert f"data.root={pictures}" in typed


def test_wrong_settings_leave_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="there is no setting sed; did you mean seed"):
        make_run(tmp_path, 2, model="openautoglm-small", settings="sed=3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("port=x", "port=x: expected a whole number"),
        ("prot=1", "did you mean port?"),
        ("model=openautoglm-tiny", "there is no model=openautoglm-tiny"),
        ("model=openautoglm-large", "openautoglm-large is neither a folder nor a released name"),
        ("runtime=abacus", "expected"),
        ("port=1,2", "-m"),
    ],
)
def test_mistakes_are_one_sentence(word, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([word]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_port_that_is_taken_is_named(capsys, tmp_path, monkeypatch):
    pytest.importorskip("fastapi")
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main([f"port={port}", "open=false"]) == 2
    assert f"port {port} is taken; is a studio open already? Choose another: port={port + 1}" in capsys.readouterr().err


def test_missing_packages_are_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    real = builtins.__import__

    def lacking(name, *rest):
        if name == "fastapi":
            raise ModuleNotFoundError("No module named 'fastapi'", name="fastapi")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    assert main(["open=false"]) == 2
    assert "openautoglm[studio]" in capsys.readouterr().err


def test_commands_of_the_guide(tmp_path, monkeypatch, capsys):
    """Each ``python …`` line is composed and bound with ``--cfg job``; nothing is served or trained."""
    monkeypatch.chdir(tmp_path)
    lines = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith("python ")]
    for line in lines:
        script, *words = shlex.split(line, comments=True)[1:]
        command = {"scripts/studio.py": main, "scripts/train.py": train}[script]
        assert command([*words, "--cfg", "job"]) == 0, line
    assert len(lines) >= 3
