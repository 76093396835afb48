"""``scripts/studio.py``: a local page that records gestures, trains and tries; no code, nothing leaves the machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from openautoglm.cli.binding import check_value
from openautoglm.cli.compose import compose_config
from openautoglm.cli.errors import OK, guard
from openautoglm.cli.launch import describe, new_launch
from openautoglm.cli.overrides import parse_arguments, refuse_sweep
from openautoglm.cli.recipes import find_groups
from openautoglm.cli.resume import new_folder, write_run_file
from openautoglm.types import MissingExtraError
from openautoglm.zoo import store

RECIPE = "finetune_int8"
_KINDS: dict[str, Any] = {
    "host": str,
    "port": int,
    "open": bool,
    "home": str,
    "runtime": Literal["executorch", "litert", "onnx"],
    "num_folds": int,
    "settings": str,
}
_HELP = """\
python scripts/studio.py [key=value …]

  home=FOLDER                      where pictures go: a folder a project, in it a folder a gesture
  model=NAME                       what learns
  port=8610 open=true              where the page is, and whether a browser shows it
  host=127.0.0.1                   0.0.0.0 lets every machine of the network in
  runtime=executorch|litert|onnx   what the page tries first
  num_folds=3                      trainings that find out how well it will do
  "settings=seed=1 trainer.accelerator=cpu"      any further words for train.py
  --cfg job                        prints every setting with its value

Choices
  model    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(lambda: _studio(words))


def make_run(pictures: Path, num_folds: int, *, model: str, settings: str) -> Path:
    """The folder of a new run of the recipe, which has not begun.

    Args:
        pictures: folder of the project.
        num_folds: of the cross-validation; 0 for none.
        model: what learns.
        settings: further words of the command.
    """
    words = [
        f"recipe={RECIPE}",
        "data=folder",
        f"data.root={pictures}",
        f"model={model}",
        f"stages.finetune.num_folds={num_folds}",
        *shlex.split(settings),
    ]
    options = parse_arguments(words)
    launch = new_launch(options.overrides, dict(zip(options.overrides, options.typed, strict=True)))
    folder = new_folder(launch.run.recipe).absolute()
    write_run_file(folder, launch.run)
    return folder


def _studio(words: Sequence[str]) -> int:
    options = parse_arguments(words)
    if options.show_help:
        print(_HELP + " ".join(find_groups("studio")["model"]))
        return OK
    if options.sweep:
        raise ValueError("-m belongs to train.py: there is one studio at a time")
    refuse_sweep(options.overrides)
    values = compose_config("studio", options.overrides).values
    if options.show_config:
        print(describe(values))
        return OK
    for key, kind in _KINDS.items():
        check_value(values[key], kind, key)
    if "init=" not in values["settings"]:
        store.find(values["model"]["architecture"])  # whose weights it starts from
    _serve(values)
    return OK


def _serve(values: Mapping[str, Any]) -> None:
    try:
        import psutil as psutil
        import uvicorn as uvicorn
        from fastapi import FastAPI as FastAPI
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "studio") from None
    from openautoglm.studio.projects import Projects
    from openautoglm.studio.serve import serve
    from openautoglm.studio.server import create_app
    from openautoglm.studio.training import Trainings

    model, settings = values["model"]["architecture"], values["settings"]
    projects = Projects(home=Path(values["home"]).expanduser().absolute())
    trainings = Trainings(
        projects=projects,
        make_run=lambda pictures, num_folds: make_run(pictures, num_folds, model=model, settings=settings),
        command=lambda run: (sys.executable, "-m", "openautoglm.cli.train", f"resume={run}"),
        num_folds=values["num_folds"],
    )

    def leaving() -> str | None:
        busy = trainings.running()
        if busy is None:
            return None
        return (
            f"{busy.name} goes on being trained; the studio shows it again when it is opened, and can cancel it there"
        )

    app = create_app(
        projects=projects, trainings=trainings, host=values["host"], model=model, runtime=values["runtime"]
    )
    serve(app, host=values["host"], port=values["port"], open_browser=values["open"], leaving=leaving)


if __name__ == "__main__":
    sys.exit(main())
