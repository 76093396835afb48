"""Boxes in YOLO's text files: ``class x_centre y_centre width height``, as parts of the picture, a line a box.

Pictures lie below a folder ``images``, their text files in the same place below ``labels``; class names stand in a
YAML file of the root (``names:``) or in ``classes.txt``. A picture without a text file has nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from openautoglm.data.annotated import Annotated, Category, split_of
from openautoglm.data.images import SUFFIXES


def find_yolo(root: Path) -> list[Path]:
    """Pictures that have a ``labels`` folder where they have ``images``; none if it is no YOLO data set."""
    if not any(path.is_dir() for path in (*root.glob("labels"), *root.glob("*/labels"))):
        return []
    pictures = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file())
    return [path for path in pictures if "images" in path.relative_to(root).parts]


def read_yolo(root: Path, pictures: list[Path]) -> Iterator[Annotated]:
    """Each picture with its boxes; without a list of names, classes are called by their numbers."""
    names = _names(root)
    for path in pictures:
        below = path.relative_to(root)
        file = root / _labels(below)
        boxes, notes = _boxes(file, names) if file.is_file() else ([], [])
        yield Annotated(
            path=path,
            name=below.as_posix(),
            part=split_of(*below.parts[:-1]),
            boxes=tuple(boxes),
            complete=not notes,
            notes=tuple(notes),
        )


def _labels(picture: Path) -> Path:
    parts = list(picture.with_suffix(".txt").parts)
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts)


def _boxes(file: Path, names: dict[int, str]) -> tuple[list[Category], list[str]]:
    boxes, notes = [], []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            label, x, y, width, height = (float(word) for word in line.split())
            name = names.get(int(label), str(int(label)))
        except (ValueError, OverflowError):
            notes.append(f"line {number} of its text file is not 'class x y width height': {line.strip()[:60]}")
            continue
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        boxes.append(Category(name=name, box=box))
    return boxes, notes


def _names(root: Path) -> dict[int, str]:
    for file in sorted((*root.glob("*.yaml"), *root.glob("*.yml"))):
        names = _load(file)
        if isinstance(names, list):
            return {row: str(name) for row, name in enumerate(names)}
        if isinstance(names, dict):
            return {int(row): str(name) for row, name in names.items() if str(row).isdigit()}
    for file in (root / "classes.txt", root / "labels" / "classes.txt"):
        if file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            return {row: line.strip() for row, line in enumerate(lines) if line.strip()}
    return {}


def _load(file: Path) -> Any:
    """The field ``names`` of a YAML file."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{file} is not readable YAML: {error}") from None
    return content.get("names") if isinstance(content, dict) else None
