"""``scripts/train.py``: one run, a sweep of them, or one that goes on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from openautoglm.cli.compose import compose_config
from openautoglm.cli.dry_run import dry_run
from openautoglm.cli.errors import OK, guard
from openautoglm.cli.help import train_help
from openautoglm.cli.launch import Progress, describe, new_launch, old_launch, start
from openautoglm.cli.overrides import parse_arguments, refuse_sweep, take
from openautoglm.cli.resume import SWEEP_FILE, find_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    progress = Progress()
    words = sys.argv[1:] if argv is None else list(argv)
    return guard(lambda: _train(words, progress), progress.advice)


def _train(argv: Sequence[str], progress: Progress) -> int:
    options = parse_arguments(argv)
    if options.show_help:
        print(train_help(options.overrides))
        return OK
    dry, overrides = take(options.overrides, "data.dry_run")
    if dry == "True":
        return dry_run(compose_config("train", overrides).values)
    resume, overrides = take(overrides, "resume")
    folder: Path | None = find_run(resume) if resume else None
    if options.sweep or (folder is not None and (folder / SWEEP_FILE).exists()):
        from openautoglm.cli.sweep import run_sweep

        return run_sweep(options, overrides, folder, progress)
    refuse_sweep(overrides)
    typed = dict(zip(options.overrides, options.typed, strict=True))
    launch = old_launch(folder, overrides) if folder else new_launch(overrides, typed)
    if options.show_config:
        print(describe(launch.run.config))
        return OK
    start(launch, progress)
    return OK


if __name__ == "__main__":
    sys.exit(main())
