"""Which pictures choose and which are measured: slices by hash, and class lists that must agree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import ImageSet, Source, Split
from openautoglm.data.frames import FrameSet
from openautoglm.tensors import UNLABELLED


def hash_position(image_id: str) -> float:
    """A fixed place in [0, 1) for an id: the first 8 hex digits of its SHA-1."""
    return int(hashlib.sha1(image_id.encode(), usedforsecurity=False).hexdigest()[:8], 16) / 2**32


def dev_slice(image_id: str, fraction: float) -> bool:
    """Whether an id belongs to ``dev``; crops, frames and the unlabelled pool agree on it."""
    return hash_position(image_id) < fraction


def match_classes(data_classes: Sequence[str], artifact_classes: Sequence[str]) -> None:
    """Refuse data whose classes are not those of a model, naming what differs."""
    if tuple(data_classes) == tuple(artifact_classes):
        return
    missing = [name for name in artifact_classes if name not in data_classes]
    extra = [name for name in data_classes if name not in artifact_classes]
    if not missing and not extra:
        raise ValueError(
            f"the data and the model have the same {len(data_classes)} classes in another order: the data "
            f"{_list(data_classes)}, the model {_list(artifact_classes)}; order the data's classes like the model's"
        )
    found = "; ".join(
        text
        for names, text in (
            (missing, f"the data lacks {_list(missing)}"),
            (extra, f"the model does not know {_list(extra)}"),
        )
        if names
    )
    raise ValueError(f"the classes of the data and of the model differ: {found}; use the data the model was made for")


def align_classes(pictures: ImageSet, classes: Sequence[str]) -> ImageSet:
    """Number the labels as a model does, by name; classes without a picture may be missing.

    Raises:
        ValueError: naming the classes that have pictures and that the model does not know.
    """
    if pictures.classes == tuple(classes):
        return pictures
    present = [pictures.classes[row] for row in np.unique(pictures.labels[pictures.labels != UNLABELLED])]
    extra = [name for name in present if name not in classes]
    if extra:
        raise ValueError(
            f"{pictures.name} has classes that the model does not know: {_list(extra)}; the model knows "
            f"{_list(classes)}: use the data the model was made for, or fine-tune it on these"
        )
    return known_classes(pictures, classes)


def known_classes(pictures: ImageSet, classes: Sequence[str]) -> ImageSet:
    """Number the labels by another list of classes; pictures of a class that it lacks become unlabelled."""
    return replace(pictures, classes=tuple(classes), labels=_renumber(pictures.labels, pictures.classes, classes))


def check_fractions(dev_fraction: float, test_fraction: float) -> None:
    """Refuse parts of a data set of frames that are none, or that leave nothing to train on."""
    if min(dev_fraction, test_fraction) <= 0 or dev_fraction + test_fraction >= 1:
        raise ValueError(
            f"dev_fraction={dev_fraction} and test_fraction={test_fraction} leave nothing to train on; both are "
            "parts of the frames, larger than 0, and sum to less than 1"
        )


def align_frames(frames: FrameSet, classes: Sequence[str]) -> FrameSet:
    """Number the gestures as a model does, by name; hands of a gesture that it does not know stay, unlabelled."""
    if frames.classes == tuple(classes):
        return frames
    return replace(
        frames,
        classes=tuple(classes),
        labels=_renumber(frames.labels, frames.classes, classes),
        frame_labels=_renumber(frames.frame_labels, frames.classes, classes),
    )


def _renumber(labels: NDArray[np.int64], names: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    rows = {name: row for row, name in enumerate(classes)}
    # the last entry serves UNLABELLED, which is -1
    table = np.array([*(rows.get(name, UNLABELLED) for name in names), UNLABELLED], np.int64)
    return table[labels]


def _list(names: Sequence[str], limit: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def judged_splits(source: Source) -> dict[str, ImageSet]:
    """Pictures that two nets of the same training may be compared on, those of test first.

    People of dev and holdout may be known from training, which a difference allows and an accuracy does not.
    """
    judged: tuple[Split, ...] = ("test", "dev")
    splits: dict[str, ImageSet] = {split: source.load(split) for split in judged}
    load_holdout = getattr(source, "load_holdout", None)
    if load_holdout is not None and len(held := load_holdout()):
        splits["holdout"] = held
    return splits
