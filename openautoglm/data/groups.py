"""Who or what is on a picture, as far as names tell: pictures of one person, session or video belong together.

An estimate that has seen the person before is too good; folds are cut between groups.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.archive import VIDEO_SUFFIXES
from openautoglm.data.scan import SPLIT_FOLDERS

_WORD = re.compile(
    r"(?:^|[^a-z])(person|people|user|subject|subj|signer|student|actor|participant|session|video|clip|scene)"
    r"[ _-]*([0-9]+|[a-z])(?![a-z])",
    re.IGNORECASE,
)
_COUNTER = re.compile(r"[ _.()-]*[0-9]+[ _.()-]*$")


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Which pictures belong together.

    Attributes:
        numbers: group of each picture, ``(n,)``.
        found_by: how they were told apart, None where nothing tells them apart: every picture is its own group.
    """

    numbers: NDArray[np.int64]
    found_by: str | None

    @property
    def num_groups(self) -> int:
        """How many there are."""
        return len(np.unique(self.numbers))


def find_groups(ids: Sequence[str], labels: Sequence[int] | NDArray[np.int64]) -> Groups:
    """Group pictures by what their names say.

    In this order: the video that a frame is of, where every class has two or more; a word such as ``person3`` or
    ``session_2`` in the path; a folder below the class folder that more than one class has; what stands before the
    number of a file (``anna_07.jpg``) where more than one class has it.

    Args:
        ids: paths below the root, ``class/…/file``, as ``ImageSet.ids`` are.
        labels: class of each.
    """
    if (videos := _by_video(ids, labels)) is not None:
        return Groups(numbers=videos, found_by="video")
    rules = (("person, session or video in the names", _by_word), ("folders", _by_folder), ("file names", _by_prefix))
    for found_by, rule in rules:
        keys = [rule(name) for name in ids]
        if _tells_apart(keys, labels):
            names = [key if key is not None else f"\0{row}" for row, key in enumerate(keys)]
            return Groups(numbers=np.unique(names, return_inverse=True)[1].astype(np.int64), found_by=found_by)
    return Groups(numbers=np.arange(len(ids)), found_by=None)


def fold_of_each(groups: Groups, labels: NDArray[np.int64], *, num_folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of each picture: groups stay whole, and every class is spread over the folds as evenly as they allow.

    Args:
        groups: which pictures belong together.
        labels: class of each picture.
        num_folds: at least 2.
        seed: of ties.
    """
    if num_folds < 2:
        raise ValueError(f"num_folds={num_folds} should be at least 2")
    random = np.random.default_rng(seed)
    names, counts = np.unique(groups.numbers, return_counts=True)
    # large groups first: the small ones even out what they leave
    order = np.lexsort((random.random(len(names)), -counts))
    num_classes = int(labels.max()) + 1
    held = np.zeros((num_folds, num_classes))
    folds = np.empty(len(labels), np.int64)
    for row in order:
        members = groups.numbers == names[row]
        own = np.bincount(labels[members], minlength=num_classes)
        # the fold that has fewest of these classes, then fewest of all
        fold = min(range(num_folds), key=lambda it: (float(held[it] @ own), float(held[it].sum()), it))
        held[fold] += own
        folds[members] = fold
    return folds


def _by_video(ids: Sequence[str], labels: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Video of each frame, and every picture beside them for itself."""
    films = [_film(name) for name in ids]
    if not any(films):
        return None
    names = [film or f"\0{row}" for row, film in enumerate(films)]
    groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    counts = [len(np.unique(groups[np.asarray(labels) == label])) for label in np.unique(labels)]
    return groups if min(counts) > 1 else None


def _film(name: str) -> str | None:
    """``fist/take 1.mp4`` of ``fist/take 1.mp4/000120.jpg``."""
    path = PurePosixPath(name)
    return path.parent.as_posix() if path.parent.suffix.lower() in VIDEO_SUFFIXES else None


def _by_word(name: str) -> str | None:
    found = _WORD.findall(name)
    return " ".join(f"{word.lower()}{number.lower()}" for word, number in found) or None


def _by_folder(name: str) -> str | None:
    parts = PurePosixPath(name).parts
    below = 2 if parts[0].lower() in SPLIT_FOLDERS else 1
    return "/".join(parts[below:-1]) or None


def _by_prefix(name: str) -> str | None:
    path = PurePosixPath(name)
    return _COUNTER.sub("", path.stem).lower() or None


def _tells_apart(keys: Sequence[str | None], labels: Sequence[int] | NDArray[np.int64]) -> bool:
    """At least two groups, of which most show more than one class: otherwise the key is the class or the picture."""
    classes: dict[str, set[int]] = defaultdict(set)
    for key, label in zip(keys, labels, strict=True):
        if key is not None:
            classes[key].add(int(label))
    known = sum(key is not None for key in keys)
    several = sum(len(found) > 1 for found in classes.values())
    return len(classes) > 1 and 2 * known > len(keys) and 2 * several > len(classes)
