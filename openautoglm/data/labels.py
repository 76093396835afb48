"""A table that says which class each picture is: a file name and a class a line, whatever the columns are called."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

_FILE_WORDS = ("file", "filename", "file_name", "image", "image_name", "picture", "path", "name", "id")
_LABEL_WORDS = ("label", "class", "gesture", "category", "target", "class_name")
_ENCODINGS = ("utf-8-sig", "utf-16", "latin-1")


def read_labels(path: Path) -> list[tuple[str, str]]:
    """File name and class of each line of a table, in order.

    Columns are found by name (``filename``, ``label`` and such), else the first two are taken.

    Raises:
        ValueError: it is no table, or has a line without a class.
    """
    rows = _rows(path)
    if not rows or len(rows[0]) < 2:
        raise ValueError(f"{path} is no table of at least two columns; expected a file name and a class a line")
    head = [cell.strip().lower() for cell in rows[0]]
    file_column, label_column = _column(head, _FILE_WORDS), _column(head, _LABEL_WORDS)
    if file_column is None or label_column is None:
        file_column, label_column = 0, 1
        first = 1 if not Path(rows[0][0]).suffix else 0  # a head of other words
    else:
        first = 1
    found = []
    for number, row in enumerate(rows[first:], start=first + 1):
        if len(row) <= max(file_column, label_column) or not row[label_column].strip():
            raise ValueError(f"{path}, line {number}: expected a file name and a class, found {row}")
        found.append((row[file_column].strip(), row[label_column].strip()))
    return found


def _rows(path: Path) -> list[list[str]]:
    content = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
            break
        except UnicodeError:
            continue
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    delimiter = max("\t;,", key=lines[0].count)
    return list(csv.reader(lines, delimiter=delimiter))


def _column(head: Sequence[str], words: Sequence[str]) -> int | None:
    return next((head.index(word) for word in words if word in head), None)
