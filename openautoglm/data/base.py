"""What a data set is to the rest of the package: three splits of equally sized pictures in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class ImageSet:
    """One split.

    Attributes:
        name: for people and results, such as ``"hagrid_crops/validation"``.
        classes: class names in the order of their indices.
        images: RGB, ``(n, h, w, 3)`` uint8, padded to a square and resized; may be memory-mapped.
        labels: class indices, ``(n,)`` int64; ``-1`` is unlabelled.
        ids: one stable name a picture, in the order of the rows.
        fingerprint: hash of pixels and labels.
        landmarks_px: ``(n, 21, 2)`` float32 or None.
        boxes_px: x0, y0, x1, y1, ``(n, 4)`` float32 or None.
        problems: one sentence for each picture that was left out.
    """

    name: str
    classes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    fingerprint: str
    landmarks_px: NDArray[np.float32] | None = None
    boxes_px: NDArray[np.float32] | None = None
    problems: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int]) -> ImageSet:
        """Some of the pictures, in the order given."""
        chosen = np.asarray(rows, np.int64)
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            ids=tuple(self.ids[row] for row in chosen),
            landmarks_px=None if self.landmarks_px is None else self.landmarks_px[chosen],
            boxes_px=None if self.boxes_px is None else self.boxes_px[chosen],
        )


@runtime_checkable
class Source(Protocol):
    """Where pictures come from. Built from plain data; nothing is read before ``load``.

    Attributes:
        name: short name, such as ``"synthetic"``.
        image_size: side of the square pictures, in pixels.
    """

    name: str
    image_size: int

    @property
    def mirror(self) -> bool:
        """Whether a mirrored picture keeps its label."""
        ...

    def load(self, split: Split) -> ImageSet:
        """Read a split, from the cache where possible."""
        ...

    def class_names(self) -> tuple[str, ...]:
        """Class names, without reading all the pictures."""
        ...
