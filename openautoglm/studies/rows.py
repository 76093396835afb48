"""Rows of a study on the disk: each is measured once, for the settings and data that its key stands for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openautoglm.zoo import store

_FILE = "row.json"


def begin_row(place: Path, fresh: dict[str, Any]) -> dict[str, Any]:
    """The row that lies in a folder already, measured or only begun; or the fresh one, which from now on lies there.

    Args:
        place: folder of the row and of its trainings.
        fresh: a row with nothing measured; its ``key`` is the hash of all that shapes it.

    Raises:
        ValueError: the row that lies there has another key.
    """
    if (place / _FILE).exists():
        kept: dict[str, Any] = json.loads((place / _FILE).read_text(encoding="utf-8"))
        if kept["key"] != fresh["key"]:
            raise ValueError(
                f"{place} holds a training with other settings or data: give another out=, or remove that folder"
            )
        return kept
    place.mkdir(parents=True, exist_ok=True)
    keep_row(place, fresh)
    return fresh


def keep_row(place: Path, row: dict[str, Any]) -> None:
    """Write what was measured, whole or not at all."""
    store.write_json(place / _FILE, row)
