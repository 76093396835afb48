"""Run folders."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from openautoglm.cli.resume import RunFile, find_run, new_folder, read_run_file, write_run_file

RUN = RunFile(command="c", overrides=("seed=1",), recipe="r", config={"a": {"b": "手"}}, created="now")


def test_folders_of_one_second_differ(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_folder("r", tmp_path), range(24)))
    assert len(set(folders)) == 24
    assert all(folder.is_dir() and folder.parent == tmp_path / "r" for folder in folders)


def test_folder_is_named_by_time(tmp_path):
    assert len(new_folder("r", tmp_path).name) == len("2026-01-31_12-00-00")


def test_run_file_goes_and_comes(tmp_path):
    write_run_file(tmp_path, RUN)
    assert read_run_file(tmp_path) == RUN
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"command": 1}', "\ufffe"])
def test_damaged_run_file_is_a_users_error(tmp_path, text):
    (tmp_path / "run.json").write_text(text, encoding="utf-16" if "\ufffe" in text else "utf-8")
    with pytest.raises(ValueError, match=r"run\.json"):
        read_run_file(tmp_path)


def test_runs_are_found_by_folder_and_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = new_folder("r")
    (folder / "run.json").write_text(json.dumps({}))
    assert find_run(str(tmp_path / folder)) == tmp_path / folder
    assert find_run(f"r/{folder.name}") == folder
    with pytest.raises(ValueError, match=f"the latest run in it is runs/r/{folder.name}"):
        find_run("runs/r")
    with pytest.raises(ValueError, match="there is no such folder"):
        find_run("nowhere")
