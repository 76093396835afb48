"""Paths that files of a data set give: inside its folder, or refused."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath


def path_below(folder: Path, name: str) -> Path:
    """A path that a file of the data set gives, which must not lead out of its folder."""
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or re.match("[A-Za-z]:", name):
        raise ValueError(f"the annotations name the picture {name!r}, which lies outside {folder}; correct that name")
    return folder / plain
