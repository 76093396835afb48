"""Pictures that are already in memory as a source: the folds of a cross-validation, or a person's whole folder."""

from __future__ import annotations

from collections.abc import Mapping

from openautoglm.data.base import ImageSet, Split


class GivenPictures:
    """A source of splits that are there.

    Args:
        splits: split to its pictures, all of the same classes.
        mirror: whether a mirrored picture keeps its label.
        name: short name for people and results.
    """

    def __init__(self, *, splits: Mapping[Split, ImageSet], mirror: bool, name: str) -> None:
        first = next(iter(splits.values()))
        assert all(part.classes == first.classes for part in splits.values())
        self.name = name
        self.image_size = int(first.images.shape[1])
        self.mirror = mirror
        self._splits = dict(splits)
        self._classes = first.classes

    def holds_out(self, split: Split) -> bool:
        """Whether a split has pictures of its own."""
        return self.load(split) is not self._splits.get("train")

    def class_names(self) -> tuple[str, ...]:
        """Names in the order of their indices."""
        return self._classes

    def load(self, split: Split) -> ImageSet:
        """One of the splits."""
        if split not in self._splits:
            raise ValueError(f"{self.name} has no {split}, only {', '.join(self._splits)}")
        return self._splits[split]
