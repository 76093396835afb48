"""What a stage says stands in results.json as it is, and on the console with its warnings in red."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console
from rich.text import Text

from openautoglm.stages import loop
from openautoglm.stages.run import STRAYS, Outcome


def carry_out(note: str, folder: Path, monkeypatch) -> str:
    monkeypatch.setattr(loop, "_record", lambda *_: None)
    told = io.StringIO()
    run = SimpleNamespace(folder=folder, console=Console(file=told, force_terminal=True, width=120))
    loop._carry_out(run, "verify", lambda _: Outcome(note=note), folder / "verify" / loop.DONE)
    assert json.loads((folder / "verify" / loop.DONE).read_text())["note"] == note
    return told.getvalue()


def test_a_file_that_strays_is_red(tmp_path, monkeypatch):
    told = carry_out(f"model.pte {STRAYS}", tmp_path, monkeypatch)
    assert "\x1b[31mdiffers from eager" in told
    assert Text.from_ansi(told).plain.rstrip().endswith(f"model.pte {STRAYS}")


def test_brackets_are_not_taken_for_markup(tmp_path, monkeypatch):
    told = carry_out("runs/a [red] folder", tmp_path, monkeypatch)
    assert Text.from_ansi(told).plain.rstrip().endswith("runs/a [red] folder")
    assert "\x1b[31m" not in told


def test_no_committed_figure_holds_markup():
    results = Path(__file__).parents[2] / "recipes" / "results"
    assert not [path.name for path in results.rglob("*.json") if "[red]" in path.read_text(encoding="utf-8")]
