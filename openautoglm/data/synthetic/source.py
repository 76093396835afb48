"""``data=synthetic``: the built-in data set of rendered hands, as a source of pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import ImageSet, Split
from openautoglm.data.cache import cached_arrays, content_key, open_array
from openautoglm.data.synthetic.gestures import DEFAULT_CLASSES, find_gestures
from openautoglm.data.synthetic.pictures import RENDERER_VERSION, PictureSettings
from openautoglm.data.synthetic.rendering import render_split

_SMALLEST, _LARGEST = 32, 512


@dataclass(frozen=True)
class HandFacts:
    """Labels of a split that ``ImageSet`` has no place for: whether each hand is a right one, and whose it is."""

    is_right: NDArray[np.bool_]
    persons: NDArray[np.int64]


class SyntheticGestures:
    """Rendered hands: rendered once, then read from the cache.

    Args:
        image_size: side of the square pictures, in pixels.
        num_train: pictures in ``train``.
        num_dev: pictures in ``dev``.
        num_test: pictures in ``test``.
        seed: another seed gives other persons and other pictures.
        root: cache folder; ``cache_dir()`` when None.
        classes: gestures to draw, see ``gestures.GESTURES``; None takes ``DEFAULT_CLASSES``.
        occlusion: whether things may lie in front of hands.
        num_workers: rendering processes, which do not change the pictures; None takes one for each core.
    """

    def __init__(
        self,
        *,
        image_size: int = 96,
        num_train: int = 8_000,
        num_dev: int = 1_000,
        num_test: int = 3_000,
        seed: int = 0,
        root: str | Path | None = None,
        classes: Sequence[str] | None = None,
        occlusion: bool = True,
        num_workers: int | None = None,
    ) -> None:
        if not _SMALLEST <= image_size <= _LARGEST:
            raise ValueError(f"image_size={image_size}: rendered hands are {_SMALLEST} to {_LARGEST} pixels wide")
        if seed < 0:
            raise ValueError(f"seed={seed}: give a whole number from 0")
        if num_workers is not None and num_workers < 1:
            raise ValueError(f"num_workers={num_workers}: give at least 1, or null for one each core")
        self.name = "synthetic"
        self.image_size = image_size
        self.mirror = True
        self.seed = seed
        self.root = root
        self.occlusion = occlusion
        self.num_workers = num_workers
        self._classes = tuple(classes) if classes is not None else DEFAULT_CLASSES
        find_gestures(self._classes)
        self._num_rows: dict[str, int] = {"train": num_train, "dev": num_dev, "test": num_test}
        for split, count in self._num_rows.items():
            if count < len(self._classes):
                raise ValueError(f"num_{split}={count}: give one or more for each of {len(self._classes)} classes")

    def class_names(self) -> tuple[str, ...]:
        """Names of the gestures, in the order of their labels."""
        return self._classes

    def load(self, split: Split) -> ImageSet:
        """The pictures of a split with boxes and landmarks, rendered first where the cache has none."""
        folder = self._folder(split)
        count = self._num_rows[split]
        return ImageSet(
            name=f"{self.name}/{split}",
            classes=self._classes,
            images=open_array(folder / "images.npy"),
            labels=np.array(open_array(folder / "labels.npy")),
            ids=tuple(f"{self.name}/{self.seed}/{split}/{index:06d}" for index in range(count)),
            fingerprint=str(json.loads((folder / "fingerprint.json").read_text(encoding="utf-8"))["fingerprint"]),
            landmarks_px=np.array(open_array(folder / "landmarks_px.npy")),
            boxes_px=np.array(open_array(folder / "boxes_px.npy")),
        )

    def facts(self, split: Split) -> HandFacts:
        """Handedness and person of each row of a split."""
        folder = self._folder(split)
        return HandFacts(np.array(open_array(folder / "is_right.npy")), np.array(open_array(folder / "persons.npy")))

    def settings(self, split: Split) -> PictureSettings:
        """What decides the pictures of a split; ``pictures.render_row`` draws any row of it."""
        if split not in self._num_rows:
            raise ValueError(f"there is no split {split!r}: choose train, dev or test")
        return PictureSettings(self._classes, self.image_size, self.seed, split, self.occlusion)

    def _folder(self, split: Split) -> Path:
        settings, count = self.settings(split), self._num_rows[split]
        key = content_key(RENDERER_VERSION, settings, count)
        return cached_arrays(
            f"{self.name}/{key}",
            lambda folder: render_split(folder, settings, count, self.num_workers),
            size_bytes=count * (3 * self.image_size**2 + 256),
            root=self.root,
        )
