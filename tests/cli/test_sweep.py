"""``-m``: all runs, one table."""

import json
from pathlib import Path

import pytest

from openautoglm.cli.train import main


def sweep() -> dict:
    return json.loads(next(Path("runs").rglob("sweep.json")).read_text())


def test_seeds_make_numbered_folders_and_one_table(runs, capsys):
    assert main(["-m", "seed=0,1,2"]) == 0
    folder = next(Path("runs/distill_int8").iterdir())
    assert sorted(path.name for path in folder.iterdir()) == ["0", "1", "2", "sweep.json"]
    assert [run.seed for run in runs.started] == [0, 1, 2]
    assert [run.folder for run in runs.started] == [folder / "0", folder / "1", folder / "2"]
    content = sweep()
    assert content["status"] == "complete"
    assert content["command"] == "python scripts/train.py -m seed=0,1,2"
    rows = {row["variant"]: row for row in content["table"]}
    assert list(rows) == ["student alone", "teacher", "student distilled", "model.pte"]
    assert rows["student alone"]["mean"] == pytest.approx(0.91)
    assert rows["student alone"]["spread"] == pytest.approx(0.01)
    # paired: the seeds' spread cancels
    assert rows["student distilled"]["difference"]["mean"] == pytest.approx(0.02)
    assert rows["student distilled"]["difference"]["num_seeds"] == 3
    printed = capsys.readouterr().out
    assert "student distilled" in printed
    assert "sweep.json" in printed


def test_settings_are_compared_with_the_first_one_seed_by_seed(runs):
    assert main(["-m", "recipe=distill_int8", "stages.distill.epochs=1,2", "seed=0,1"]) == 0
    rows = sweep()["table"]
    assert [row["variant"] for row in rows] == ["stages.distill.epochs=1", "stages.distill.epochs=2"]
    assert rows[1]["difference"]["mean"] == pytest.approx(0.0)
    assert [job["seed"] for job in sweep()["jobs"]] == [0, 1, 0, 1]
    assert json.loads((runs.started[2].folder / "run.json").read_text())["command"] == (
        "python scripts/train.py recipe=distill_int8 stages.distill.epochs=2 seed=0"
    )


def test_recipes_share_a_folder_and_keep_their_names(runs, tmp_path):
    words = ["-m", "recipe=distill_int8,hagrid_int8", "seed=0,1", "data=folder", f"data.root={tmp_path}"]
    assert main(words) == 0
    assert [run.recipe for run in runs.started] == ["distill_int8"] * 2 + ["hagrid_int8"] * 2
    assert [path.name for path in Path("runs").iterdir()] == ["distill_int8+hagrid_int8"]
    assert [row["variant"] for row in sweep()["table"]] == ["recipe=distill_int8", "recipe=hagrid_int8"]


def test_a_mistake_in_the_last_run_is_found_before_the_first(runs, capsys):
    assert main(["-m", "recipe=distill_int8,hagrid_int8"]) == 2
    assert "data.root is not set" in capsys.readouterr().err
    assert not runs.started


def test_interrupted_sweep_goes_on(runs, capsys):
    runs.errors = [None, KeyboardInterrupt()]
    assert main(["-m", "seed=0,1,2"]) == 130
    word = capsys.readouterr().err.splitlines()[-1].split()[-1]
    assert sweep()["status"] == "running"
    assert main([word]) == 0
    assert [run.seed for run in runs.started] == [0, 1, 0, 1, 2]
    assert len({run.folder for run in runs.started}) == 3
    assert sweep()["status"] == "complete"
    assert main(["-m", "seed=0,1", word]) == 2
    assert "-m seed=0,1,2" in capsys.readouterr().err


def test_resume_of_one_run_is_no_sweep(runs, capsys):
    assert main(["seed=0"]) == 0
    run = runs.started[0].folder
    assert main(["-m", "seed=0,1", f"resume={run}"]) == 2
    assert "leave out -m" in capsys.readouterr().err
