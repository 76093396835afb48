"""What commands that measure something share: one config, no sweep, figures to a JSON file that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openautoglm.cli.binding import check_config, check_trainer, check_value
from openautoglm.cli.compose import compose_config
from openautoglm.cli.errors import OK
from openautoglm.cli.launch import describe
from openautoglm.cli.overrides import parse_arguments, refuse_sweep
from openautoglm.zoo.store import write_json

Figures = dict[str, Any]


def run_measurement(
    argv: Sequence[str],
    *,
    name: str,
    help_text: Callable[[], str],
    kinds: Mapping[str, Any],
    measure: Callable[[Mapping[str, Any]], Figures],
    show: Callable[[Figures, Path | None], None],
) -> int:
    """Compose, check, measure, write, show.

    Args:
        argv: words of the command.
        name: of the config, ``configs/NAME.yaml``.
        help_text: printed for ``--help``.
        kinds: top-level setting to what its value must be.
        measure: bound config to figures.
        show: prints the figures; is told the file they went to.
    """
    options = parse_arguments(argv)
    if options.show_help:
        print(help_text())
        return OK
    if options.sweep:
        raise ValueError(f"-m belongs to train.py: {name} does one thing at a time")
    refuse_sweep(options.overrides)
    config = compose_config(name, options.overrides)
    if options.show_config:
        print(describe(config.values))
        return OK
    for key, kind in kinds.items():
        check_value(config.values[key], kind, key)
    check_trainer(config.values.get("trainer", {}))
    check_config(config.values, config.typed)
    target = Path(config.values["json"]) if config.values["json"] else None
    if target is not None and not target.parent.is_dir():
        raise ValueError(f"json={target}: there is no folder {target.parent}; make it first")
    figures = measure(config.values)
    if target is not None:
        write_json(target, figures)
    show(figures, target)
    return OK
