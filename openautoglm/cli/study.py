"""``scripts/study.py``: one study and its figures."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from openautoglm.cli.binding import build, check_config, check_trainer, check_value
from openautoglm.cli.compose import compose_config
from openautoglm.cli.errors import OK, guard
from openautoglm.cli.help import study_help
from openautoglm.cli.launch import describe
from openautoglm.cli.overrides import parse_arguments, refuse_sweep
from openautoglm.zoo.store import write_json


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(lambda: _study(words))


def _study(argv: Sequence[str]) -> int:
    options = parse_arguments(argv)
    if options.show_help:
        print(study_help())
        return OK
    if options.sweep:
        raise ValueError("-m belongs to train.py: a study decides itself what it compares")
    refuse_sweep(options.overrides)
    config = compose_config("study", options.overrides)
    values = config.values
    if options.show_config:
        print(describe(values))
        return OK
    check_value(values["json"], str | None, "json")
    check_trainer(values["trainer"])
    check_config(values, config.typed)
    target = Path(values["json"]) if values["json"] else None
    if target is not None and not target.parent.is_dir():
        raise ValueError(f"json={target}: there is no folder {target.parent}; make it first")
    from openautoglm.train import FitSettings

    with tempfile.TemporaryDirectory(prefix="openautoglm-") as folder:
        figures = build(values["study"])(Path(folder), settings=FitSettings(trainer=values["trainer"]))
    if target is not None:
        write_json(target, figures)
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    return OK


if __name__ == "__main__":
    sys.exit(main())
