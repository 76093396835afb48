"""Run folders: made once, found again, and gone on with by the command that began them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from openautoglm.cli.compose import Config, compose_config, flatten
from openautoglm.cli.overrides import key_of
from openautoglm.zoo.store import write_json

RUN_FILE, SWEEP_FILE = "run.json", "sweep.json"
_ABSENT = object()


@dataclass(frozen=True)
class RunFile:
    """``run.json``: what a run was started with.

    Attributes:
        command: as it was typed.
        overrides: as Hydra reads them, paths absolute.
        recipe: its name.
        config: plain data, resolved.
        created: local time, ISO 8601.
    """

    command: str
    overrides: tuple[str, ...]
    recipe: str
    config: dict[str, Any]
    created: str


def new_folder(recipe: str, runs: Path = Path("runs")) -> Path:
    """Make ``runs/<recipe>/<YYYY-MM-DD_HH-MM-SS>``, one for each caller even within a second."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    number = 1
    while True:
        folder = runs / recipe / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.parent.is_file() or runs.is_file():
                raise
            number += 1
        else:
            return folder


def write_run_file(folder: Path, run: RunFile) -> None:
    """Write ``run.json``."""
    write_json(folder / RUN_FILE, asdict(run))


def read_run_file(folder: Path) -> RunFile:
    """Read ``run.json`` of a run folder."""
    content = read_json(folder / RUN_FILE)
    try:
        return RunFile(
            command=str(content["command"]),
            overrides=tuple(str(word) for word in content["overrides"]),
            recipe=str(content["recipe"]),
            config=dict(content["config"]),
            created=str(content["created"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{folder / RUN_FILE} is not what a run leaves there; start the run again") from None


def find_run(text: str) -> Path:
    """The run or sweep that ``resume=`` names: a folder, or what stands behind ``runs/``."""
    for folder in (Path(text), Path("runs") / text):
        if any((folder / name).is_file() for name in (RUN_FILE, SWEEP_FILE)):
            return folder
    for folder in (Path(text), Path("runs") / text):
        if folder.is_dir():
            inside = sorted(str(path.parent) for path in folder.glob(f"*/{RUN_FILE}"))
            hint = f"; the latest run in it is {inside[-1]}" if inside else ""
            raise ValueError(f"resume={text}: this folder is no run, it holds no {RUN_FILE}{hint}")
    raise ValueError(f"resume={text}: there is no such folder; name a run such as runs/distill_int8/<time>")


def resumed_config(folder: Path, given: Sequence[str]) -> Config:
    """Compose the command of a run again and refuse any other.

    Args:
        folder: of the run.
        given: overrides beside ``resume=``; those left out come from the run.

    Raises:
        ValueError: naming the first key that differs.
    """
    run = read_run_file(folder)
    keys = {key_of(word) for word in given}
    config = compose_config("train", [*(word for word in run.overrides if key_of(word) not in keys), *given])
    here = dict(flatten({"recipe": config.recipe, **config.values}))
    # through JSON, as the stored one went
    here = json.loads(json.dumps(here))
    there = dict(flatten({"recipe": run.recipe, **run.config}))
    for key in dict.fromkeys([*config.typed, *here, *there]):
        if here.get(key, _ABSENT) != there.get(key, _ABSENT):
            raise ValueError(
                f"resume={folder}: {key} is {_show(here, key)} here and was {_show(there, key)} in that run; "
                f"go on with  resume={folder}  alone or start a new run without it"
            )
    return config


def read_json(path: Path) -> dict[str, Any]:
    """Parse a JSON object; ValueError if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable JSON ({error}); start the run again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} should hold a JSON object; start the run again")
    return content


def _show(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "not set"
