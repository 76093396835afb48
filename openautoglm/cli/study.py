"""``scripts/study.py``: one study and its figures."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openautoglm.cli.binding import build
from openautoglm.cli.errors import guard
from openautoglm.cli.help import study_help
from openautoglm.cli.measuring import Figures, run_measurement


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for a mistake in the command, 130 after Ctrl-C."""
    words = sys.argv[1:] if argv is None else list(argv)
    kinds = {"json": str | None, "out": str | None}
    return guard(
        lambda: run_measurement(
            words,
            name="study",
            help_text=study_help,
            kinds=kinds,
            measure=_measure,
            show=lambda figures, _: _print(figures),
        )
    )


def _measure(values: Mapping[str, Any]) -> Figures:
    from openautoglm.train import FitSettings

    study, settings = build(values["study"]), FitSettings(trainer=values["trainer"])
    if values["out"] is not None:
        place = Path(values["out"])
        place.mkdir(parents=True, exist_ok=True)
        figures = study(place, settings=settings)
    else:
        with tempfile.TemporaryDirectory(prefix="openautoglm-") as folder:
            figures = study(Path(folder), settings=settings)
    assert isinstance(figures, dict)
    return figures


def _print(figures: Figures) -> None:
    print(json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
