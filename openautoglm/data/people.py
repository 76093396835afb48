"""Pictures whose names are numbers that run from person to person: people apart in train, dev and test."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import ImageSet, Split
from openautoglm.data.cache import content_key
from openautoglm.data.folder import FolderGestures

EVERY = 5
"""Each fifth person, the first one included, is measured on."""


class NumberedPeople:
    """A folder a class, split by person: each fifth is test, the one behind them dev, the others train.

    Args:
        root: the folder, without ``train/`` and ``test/``.
        image_size: side of the square pictures, in pixels.
        mirror: whether a mirrored picture keeps its label; None looks for words such as left and right in the
            classes' names.
        name: short name for people and results.
    """

    def __init__(self, *, root: str, image_size: int = 96, mirror: bool | None = None, name: str = "people") -> None:
        self._folder = FolderGestures(
            root=root, image_size=image_size, dev_fraction=0, test_fraction=0, mirror=mirror, name=name
        )
        self.name, self.image_size = name, image_size

    @property
    def mirror(self) -> bool:
        """Whether a mirrored picture keeps its label."""
        return self._folder.mirror

    def class_names(self) -> tuple[str, ...]:
        """Names of the class folders, sorted."""
        return self._folder.class_names()

    def load(self, split: Split) -> ImageSet:
        """Read a split, from the cache where possible."""
        if any(self._folder.holds_out(part) for part in ("dev", "test")):
            raise ValueError(f"{self._folder.root} holds train/ or test/: data=folder reads such a folder")
        pictures = self._folder.load("train")
        turn = person_of_each(pictures) % EVERY
        chosen = {"test": turn == 0, "dev": turn == 1, "train": turn > 1}[split]
        return replace(
            pictures.take(np.flatnonzero(chosen).tolist()),
            name=f"{self.name}/{split}",
            fingerprint=content_key(pictures.fingerprint, split),
        )


def person_of_each(pictures: ImageSet) -> NDArray[np.int64]:
    """Person of each picture, where everyone shows the classes in order and files are numbered as they were taken.

    Sorted by the number in the file's name, a new person begins where the class does not increase.
    """
    numbers = np.array([_number(name) for name in pictures.ids])
    people = np.empty(len(pictures), np.int64)
    person, last = -1, len(pictures.classes)
    for row in np.lexsort((pictures.labels, numbers)):
        if pictures.labels[row] <= last:
            person += 1
        last = int(pictures.labels[row])
        people[row] = person
    return people


def _number(name: str) -> int:
    found = re.findall(r"[0-9]+", Path(name).stem)
    if not found:
        raise ValueError(f"{name} has no number, so people cannot be told apart: number the files as they were taken")
    return int(found[-1])
