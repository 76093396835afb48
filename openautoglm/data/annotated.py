"""Pictures with boxes as the files of detection data sets describe them, whatever the format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from openautoglm.data.base import Split
from openautoglm.data.images import SUFFIXES
from openautoglm.data.scan import SPLIT_FOLDERS


@dataclass(frozen=True, kw_only=True)
class Category:
    """A box, x0, y0, x1, y1 as parts of width and height, and the name of what is in it."""

    name: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """One picture.

    Attributes:
        path: its file; None where it is missing.
        name: path below the root, with ``/``.
        part: its split, where folders or files say so.
        boxes: what is in it.
        size_px: width and height that the boxes were drawn on, where the file says so.
        complete: whether nothing is in it that has no box.
        problem: why it cannot be used.
        notes: what of its annotation cannot be used.
    """

    path: Path | None
    name: str
    part: Split | None
    boxes: tuple[Category, ...] = ()
    size_px: tuple[float, float] | None = None
    complete: bool = True
    problem: str = ""
    notes: tuple[str, ...] = ()


def split_of(*names: str) -> Split | None:
    """The split that folders or files are named after: ``("images", "train2017")`` is train."""
    words = [word for name in names for word in re.split("[^a-z]+", name.lower())]
    return next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), None)


def pictures_in(folder: Path) -> dict[str, Path]:
    """Picture files of a folder by their names without suffix."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
