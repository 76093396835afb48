"""From the maps of a glance to boxes: peaks of the attention, the box each predicts, one box a hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openautoglm.runtime.geometry import Boxes

Map = NDArray[np.float32]
Indices = NDArray[np.intp]


def find_peaks(attention: Map, threshold: float) -> tuple[Indices, Indices]:
    """Rows and columns of the cells that no neighbour exceeds, strongest first.

    Args:
        attention: how much each cell looks like the centre of a hand, ``(h, w)``.
        threshold: cells below it are no hands.
    """
    ringed = np.pad(attention, 1, constant_values=-np.inf)
    across = np.maximum(np.maximum(ringed[:, :-2], ringed[:, 1:-1]), ringed[:, 2:])
    around = np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:])
    rows, columns = np.nonzero((attention >= threshold) & (attention == around))
    order = np.argsort(-attention[rows, columns], kind="stable")
    return rows[order], columns[order]


def decode_boxes(distances: Map, rows: Indices, columns: Indices, *, size: int) -> Boxes:
    """Boxes ``(n, 4)`` in pixels of the glance's input that some cells predict.

    Args:
        distances: left, top, right, bottom, from a cell's centre to the edges of its box, in cells, ``(4, h, w)``.
        rows: of the cells.
        columns: of the cells.
        size: side of the glance's input in pixels.
    """
    stride = size / distances.shape[-1]
    centres = np.stack([columns, rows, columns, rows], axis=1) + 0.5
    outwards = np.maximum(distances[:, rows, columns].T, 0) * (-1, -1, 1, 1)
    boxes: Boxes = (centres + outwards) * stride
    return boxes


def suppress(boxes_px: Boxes, *, max_iou: float, max_count: int) -> list[int]:
    """Indices of the boxes to keep: each in turn, unless it is empty or overlaps a better one too much.

    Args:
        boxes_px: best first, ``(n, 4)``.
        max_iou: intersection over union up to which two boxes are two hands.
        max_count: when to stop.
    """
    areas = (boxes_px[:, 2] - boxes_px[:, 0]) * (boxes_px[:, 3] - boxes_px[:, 1])
    left = np.flatnonzero(areas > 0)
    kept: list[int] = []
    while left.size and len(kept) < max_count:
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes_px[best, :2], boxes_px[left, :2])
        high = np.minimum(boxes_px[best, 2:], boxes_px[left, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        left = left[shared <= max_iou * (areas[best] + areas[left] - shared)]
    return kept
