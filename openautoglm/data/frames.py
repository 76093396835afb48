"""Whole frames with the hands in them: what a data set of frames is to the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import Split

NUM_LANDMARKS = 21
NO_GESTURE = "no_gesture"
"""Class of a hand that makes none of the gestures."""


@dataclass(frozen=True)
class Frame:
    """One frame and its hands.

    Attributes:
        image: upright RGB, ``(h, w, 3)`` uint8.
        boxes_px: x0, y0, x1, y1, ``(m, 4)`` float32.
        labels: class index of each hand or ``-1`` where its gesture is not known, ``(m,)`` int64.
        landmarks_px: ``(m, 21, 2)`` float32, NaN where there are none.
        complete: False where hands may be in the frame that have no box: its background teaches nothing.
        label: class index of the gesture that the frame is known by, or ``-1``.
    """

    image: NDArray[np.uint8]
    boxes_px: NDArray[np.float32]
    labels: NDArray[np.int64]
    landmarks_px: NDArray[np.float32]
    complete: bool
    label: int = -1

    @property
    def is_label_only(self) -> bool:
        """Whether a gesture is known to be in the frame and nothing says where."""
        return self.label >= 0 and not self.complete and not len(self.boxes_px)

    def mirrored(self) -> Frame:
        """The frame with left and right exchanged."""
        width = self.image.shape[1]
        boxes, landmarks = self.boxes_px[:, [2, 1, 0, 3]], self.landmarks_px.copy()
        boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
        landmarks[..., 0] = width - landmarks[..., 0]
        return replace(
            self,
            image=np.ascontiguousarray(self.image[:, ::-1]),
            boxes_px=boxes,
            landmarks_px=landmarks,
        )


@dataclass(frozen=True, kw_only=True)
class FrameSet:
    """One split: frames of any size one after the other, so that they can stay on the disk until they are used.

    Attributes:
        name: for people and results, such as ``"hagrid/test"``.
        classes: class names in the order of their indices.
        ids: one stable name a frame, in the order of the rows.
        fingerprint: hash of pixels and labels.
        pixels: of all frames, ``(bytes,)`` uint8; may be memory-mapped.
        sizes_px: height and width, ``(n, 2)`` int64.
        num_hands: hands a frame, ``(n,)`` int64.
        boxes_px: of all hands, ``(sum of num_hands, 4)`` float32, see ``Frame``.
        labels: of all hands, ``(sum of num_hands,)`` int64.
        landmarks_px: of all hands, ``(sum of num_hands, 21, 2)`` float32.
        complete: whether every hand of a frame has its box, ``(n,)`` bool.
        frame_labels: the gesture a frame is known by or ``-1``, ``(n,)`` int64.
        problems: one sentence for everything that was left out.
    """

    name: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    fingerprint: str
    pixels: NDArray[np.uint8]
    sizes_px: NDArray[np.int64]
    num_hands: NDArray[np.int64]
    boxes_px: NDArray[np.float32]
    labels: NDArray[np.int64]
    landmarks_px: NDArray[np.float32]
    complete: NDArray[np.bool_]
    frame_labels: NDArray[np.int64]
    problems: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.ids)

    def frame(self, row: int) -> Frame:
        """One frame; its pixels are a view."""
        height, width = self.sizes_px[row]
        hands = slice(self._hand_starts[row], self._hand_starts[row + 1])
        return Frame(
            image=self.pixels[self._pixel_starts[row] : self._pixel_starts[row + 1]].reshape(height, width, 3),
            boxes_px=self.boxes_px[hands],
            labels=self.labels[hands],
            landmarks_px=self.landmarks_px[hands],
            complete=bool(self.complete[row]),
            label=int(self.frame_labels[row]),
        )

    def with_mirrored(self) -> FrameSet:
        """All frames, then all of them mirrored, in memory: a steadier figure of few frames."""
        mirrored = [self.frame(row).mirrored() for row in range(len(self))]
        return replace(
            self,
            name=f"{self.name}, mirrored too",
            ids=self.ids + tuple(f"{name}, mirrored" for name in self.ids),
            fingerprint=f"{self.fingerprint}, mirrored too",
            pixels=np.concatenate([self.pixels, *(frame.image.reshape(-1) for frame in mirrored)]),
            sizes_px=np.tile(self.sizes_px, (2, 1)),
            num_hands=np.tile(self.num_hands, 2),
            boxes_px=np.concatenate([self.boxes_px, *(frame.boxes_px for frame in mirrored)]),
            labels=np.tile(self.labels, 2),
            landmarks_px=np.concatenate([self.landmarks_px, *(frame.landmarks_px for frame in mirrored)]),
            complete=np.tile(self.complete, 2),
            frame_labels=np.tile(self.frame_labels, 2),
        )

    @cached_property
    def _pixel_starts(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(3 * self.sizes_px.prod(axis=1))])

    @cached_property
    def _hand_starts(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.num_hands)])


@runtime_checkable
class FrameSource(Protocol):
    """Where frames come from. Built from plain data; nothing is read before it is asked for.

    Attributes:
        name: short name, such as ``"hagrid"``.
        mirror: whether a mirrored hand keeps its label.
    """

    name: str
    mirror: bool

    def load_frames(self, split: Split) -> FrameSet:
        """Read a split, from the cache where possible."""
        ...

    def class_names(self) -> tuple[str, ...]:
        """Class names, without reading the pictures."""
        ...
