"""A picture that shows part of a frame, the hands in it and crops of them; batches of such pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from openautoglm.data.frames import Frame
from openautoglm.data.views import Map, see_hands, take_view
from openautoglm.tensors import EMPTY, UNLABELLED, Batch, NearBatch, SpotBatch

_GONE, _CUT = 0.25, 0.6
"""A hand of which less than this is visible is left out, or keeps its box without its gesture."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One picture of a batch.

    Attributes:
        image: RGB, ``(h, w, 3)``.
        boxes_px: x0, y0, x1, y1 of each hand in pixels of ``image``, ``(m, 4)``.
        labels: class index or ``UNLABELLED``, ``(m,)``.
        complete: whether the boxes are all of the hands.
        to_frame: map from pixels of ``image`` to those of its frame.
        crops: hands cut out, ``(s, s, 3)`` each.
        crop_labels: their classes.
        frame_label: the frame's gesture where nothing says which hand makes it, else ``UNLABELLED``.
        near: a closer view of the same frame.
    """

    image: NDArray[np.uint8]
    boxes_px: NDArray[np.float64]
    labels: NDArray[np.int64]
    complete: bool
    to_frame: Map
    crops: list[NDArray[np.uint8]]
    crop_labels: list[int]
    frame_label: int = UNLABELLED
    near: Shown | None = None


def take_picture(
    frame: Frame,
    to_frame: Map,
    image_size: int,
    crop_maps: Sequence[Map],
    crop_labels: NDArray[np.int64],
    crop_size: int,
) -> Shown:
    """Take a picture of a frame and crops of its hands.

    Args:
        frame: what is seen.
        to_frame: map from pixels of the picture to those of the frame.
        image_size: side of the picture.
        crop_maps: the same map for each crop.
        crop_labels: class of each crop.
        crop_size: side of the crops.
    """
    seen = see_hands(frame, to_frame, image_size)
    there = seen.visible >= _GONE
    return Shown(
        image=take_view(frame.image, to_frame, image_size),
        boxes_px=seen.boxes_px[there].clip(0, image_size),
        labels=np.where(seen.visible < _CUT, UNLABELLED, frame.labels)[there],
        complete=frame.complete,
        to_frame=to_frame,
        crops=[take_view(frame.image, crop, crop_size) for crop in crop_maps],
        crop_labels=crop_labels.tolist(),
        frame_label=frame.label if frame.is_label_only else UNLABELLED,
    )


def stack_crops(shown: Sequence[Shown], crop_size: int) -> NDArray[np.uint8]:
    """All crops of a batch, ``(n, s, s, 3)``."""
    crops = [crop for one in shown for crop in one.crops]
    return np.stack(crops) if crops else np.empty((0, crop_size, crop_size, 3), np.uint8)


def collect(shown: Sequence[Shown], image: torch.Tensor, crops: torch.Tensor, rows: NDArray[np.int64]) -> SpotBatch:
    """A batch of pictures and crops that were developed, ``(b, 3, h, w)`` and ``(n, 3, s, s)``, and rows of frames."""
    seen = with_hands(image, shown)
    counts = [len(one.crops) for one in shown]
    frame_label = torch.tensor([one.frame_label for one in shown])
    return SpotBatch(
        image=image,
        boxes_px=seen.boxes_px,
        labels=seen.labels,
        complete=seen.complete,
        to_frame=torch.from_numpy(np.stack([one.to_frame for one in shown]).astype(np.float32)),
        index=torch.from_numpy(rows.copy()),
        crops=Batch(
            image=crops,
            label=torch.tensor([label for one in shown for label in one.crop_labels], dtype=torch.int64),
            index=torch.from_numpy(np.repeat(np.arange(len(shown)), counts)),
        ),
        frame_label=frame_label if (frame_label != UNLABELLED).any() else None,
    )


def with_hands(image: torch.Tensor, shown: Sequence[Shown]) -> NearBatch:
    """Developed pictures with the tables of their hands."""
    most = max(1, *(len(one.labels) for one in shown))
    boxes_px = np.zeros((len(shown), most, 4), np.float32)
    labels = np.full((len(shown), most), EMPTY, np.int64)
    for row, one in enumerate(shown):
        boxes_px[row, : len(one.labels)] = one.boxes_px
        labels[row, : len(one.labels)] = one.labels
    return NearBatch(
        image=image,
        boxes_px=torch.from_numpy(boxes_px),
        labels=torch.from_numpy(labels),
        complete=torch.tensor([one.complete for one in shown]),
    )
