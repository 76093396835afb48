"""From a command line to a run: composed, bound, built, and only then a folder."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from openautoglm.cli.binding import build, check_config, check_trainer, check_value
from openautoglm.cli.compose import Config, compose_config
from openautoglm.cli.overrides import is_path_key, key_of
from openautoglm.cli.resume import RUN_FILE, RunFile, new_folder, read_run_file, resumed_config, write_run_file

PROGRAM = "python scripts/train.py"
_FOLDER = re.compile(r"(?<![\w:/.~$-])~?/(?:[^/,\s\[\]]+/)*([^/,\s\[\]]+)")
"""A whole path, also inside a list; its last name is what it is known by."""


@dataclass(frozen=True)
class Launch:
    """A run that is ready to start.

    Attributes:
        run: what ``run.json`` holds or will hold.
        folder: of the run; None until a new run starts.
    """

    run: RunFile
    folder: Path | None = None


@dataclass
class Progress:
    """How far a command got, for whoever has to say how to go on."""

    folder: Path | None = None

    def advice(self) -> str | None:
        """The command that goes on, None while there is nothing to go on with."""
        if self.folder is None or not self.folder.exists():
            return None
        return f"go on with:  {PROGRAM} {shlex.quote(f'resume={self.folder}')}"


def new_launch(overrides: Sequence[str], typed: Mapping[str, str]) -> Launch:
    """Compose and bind a new run.

    Args:
        overrides: as Hydra reads them.
        typed: how each of them was typed.
    """
    config = compose_config("train", overrides)
    check(config)
    command = shlex.join([*PROGRAM.split(), *(typed.get(word, word) for word in overrides)])
    created = datetime.now().astimezone().isoformat(timespec="seconds")
    values = json.loads(json.dumps(config.values))
    return Launch(RunFile(command, tuple(overrides), config.recipe, values, created))


def old_launch(folder: Path, given: Sequence[str]) -> Launch:
    """A run that goes on in its folder; ``given`` may repeat its command but not change it."""
    config = resumed_config(folder, given)
    check(config)
    return Launch(read_run_file(folder), folder)


def check(config: Config) -> None:
    """Bind the whole config before anything is built or read."""
    values = config.values
    check_value(values["seed"], int, "seed")
    check_value(values["init"], str | None, "init")
    check_value(values.get("num_workers"), int | None, "num_workers")
    check_trainer(values["trainer"])
    if not values.get("stages"):
        raise ValueError("no stage is left to run; choose some of them, such as stage=[distill,export]")
    check_config(values, config.typed)


def start(launch: Launch, progress: Progress, folder: Path | None = None) -> Path:
    """Build everything, make the folder and run the stages; returns the folder.

    Args:
        launch: what to run.
        progress: told the folder as soon as there is one.
        folder: where a new run goes, ``runs/<recipe>/<time>`` unless given.
    """
    from openautoglm.stages.loop import run_stages
    from openautoglm.stages.run import Run
    from openautoglm.train import FitSettings

    run, values = launch.run, launch.run.config
    parts = {name: build(values[name]) for name in ("data", "frames", "augment", "sampler", "stages")}
    settings = FitSettings(trainer=values["trainer"], logger=values["logger"]["name"])
    resumed = launch.folder is not None
    if resumed:
        place = launch.folder
    else:
        place = folder or new_folder(run.recipe)
        place.mkdir(parents=True, exist_ok=True)
        write_run_file(place, run)
    assert place is not None
    own = None if progress.folder else place  # a sweep goes on as a whole
    progress.folder = progress.folder or place
    try:
        run_stages(
            Run(
                folder=place,
                recipe=run.recipe,
                command=public_command(run),
                seed=values["seed"],
                source=parts["data"] if parts["frames"] is None else parts["frames"].source,
                frames=parts["frames"],
                model=values["model"]["architecture"],
                model_arguments=values["model"]["arguments"],
                init=values["init"],
                augment=parts["augment"],
                sampler=parts["sampler"],
                num_workers=values.get("num_workers"),  # runs of before have none
                settings=replace(settings, progress=place / "progress.json"),
            ),
            parts["stages"],
        )
    except (Exception, SystemExit, KeyboardInterrupt):
        if not resumed and [path.name for path in place.iterdir()] == [RUN_FILE]:
            shutil.rmtree(place)  # it had not begun
            if own:
                progress.folder = None
                with suppress(OSError):  # other runs are in there
                    place.parent.rmdir()
                    place.parent.parent.rmdir()
        raise
    return place


def public_command(run: RunFile) -> str:
    """The command without the folders of this machine, which results and reports must not hold."""
    words = shlex.split(run.command)
    shown = []
    for word in words:
        key = key_of(word)
        hidden = "=" in word and is_path_key(key) and key.endswith(".root")
        shown.append(f"{key}=$DATA" if hidden else shlex.quote(_FOLDER.sub(r"RUN/\1", word)))
    return " ".join(shown)


def describe(values: Mapping[str, Any]) -> str:
    """A config as YAML."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(values))).rstrip()
