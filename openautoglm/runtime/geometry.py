"""Where a piece of the frame lies in a program's square input, and the way back; never stretched, grey outside."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from openautoglm.types import Fit

Box = tuple[float, float, float, float]
Boxes = NDArray[np.float64]

_PART = 0.6
"""Side of a part of the frame, in longer sides of the frame: what two share is wider than the hands that are missed."""
_EPSILON = 1e-9
_ROUNDING = 1e-6
"""Share of an input pixel by which sums of floats may miss its edge."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A rectangle of the frame and the whole pixels of the input that show it.

    Attributes:
        size: side of the input in pixels.
        source_px: (x0, y0, x1, y1) in the frame.
        target_px: (x0, y0, x1, y1) in the input; the rest of it is grey.
    """

    size: int
    source_px: Box
    target_px: tuple[int, int, int, int]

    def to_frame(self, boxes_px: Boxes) -> Boxes:
        """Boxes ``(n, 4)`` in pixels of the input to pixels of the frame, cut at the edges of the source."""
        source, target = np.array(self.source_px), np.array(self.target_px)
        pitch = (source[2:] - source[:2]) / (target[2:] - target[:2])
        corners = source[:2] + (boxes_px.reshape(-1, 2, 2) - target[:2]) * pitch
        inside: Boxes = np.clip(corners, source[:2], source[2:])
        return inside.reshape(-1, 4)


def letterbox(width: int, height: int, size: int) -> Placement:
    """The whole frame, its longer side as long as the input's, in the middle."""
    fit = Fit.into(width, height, size)
    return Placement(
        size=size,
        source_px=(0.0, 0.0, float(width), float(height)),
        target_px=(fit.left, fit.top, fit.left + fit.width, fit.top + fit.height),
    )


def square_crop(box_px: Box, width: int, height: int, *, size: int, margin: float) -> Placement:
    """A square round the middle of a box.

    Args:
        box_px: (x0, y0, x1, y1), its middle inside the frame.
        width: of the frame in pixels.
        height: of the frame in pixels.
        size: side of the input in pixels.
        margin: added on every side of the square, as a share of the box's longer side.
    """
    x0, y0, x1, y1 = box_px
    pitch = max(x1 - x0, y1 - y0, 1.0) * (1 + 2 * margin) / size
    columns, in_columns = _overlap((x0 + x1 - pitch * size) / 2, pitch, size, width)
    rows, in_rows = _overlap((y0 + y1 - pitch * size) / 2, pitch, size, height)
    return Placement(
        size=size,
        source_px=(columns[0], rows[0], columns[1], rows[1]),
        target_px=(in_columns[0], in_rows[0], in_columns[1], in_rows[1]),
    )


def parts_of_frame(width: int, height: int, *, size: int) -> list[Placement]:
    """Overlapping squares that show the whole frame larger than a letterbox does: two along a side that needs them.

    Args:
        width: of the frame in pixels.
        height: of the frame in pixels.
        size: side of the input in pixels.

    Returns:
        The upper ones first: hands are raised.
    """
    side = _PART * max(width, height)
    columns, rows = ([0.0, length - side] if length > side else [(length - side) / 2] for length in (width, height))
    return [
        square_crop((x, y, x + side, y + side), width, height, size=size, margin=0.0) for y in rows for x in columns
    ]


def box_iou(one: NDArray[np.floating], two: NDArray[np.floating]) -> NDArray[np.float64]:
    """Common area over united area of each pair of boxes: ``(n, 4)`` and ``(m, 4)`` to ``(n, m)``."""
    first, second = one.astype(np.float64).reshape(-1, 1, 2, 2), two.astype(np.float64).reshape(1, -1, 2, 2)
    low, high = np.maximum(first[..., 0, :], second[..., 0, :]), np.minimum(first[..., 1, :], second[..., 1, :])
    common = np.clip(high - low, 0.0, None).prod(-1)
    areas = [(boxes[..., 1, :] - boxes[..., 0, :]).prod(-1) for boxes in (first, second)]
    iou: NDArray[np.float64] = common / (areas[0] + areas[1] - common + _EPSILON)
    return iou


def _overlap(start: float, pitch: float, size: int, limit: int) -> tuple[tuple[float, float], tuple[int, int]]:
    """Along one axis: the part of the frame that whole input pixels cover, and which pixels these are.

    Args:
        start: where the square begins in the frame.
        pitch: frame pixels that an input pixel covers.
        size: side of the input in pixels.
        limit: side of the frame in pixels.
    """
    first = max(0, ceil(-start / pitch - _ROUNDING))
    last = min(size, floor((limit - start) / pitch + _ROUNDING))
    if first < last:
        return (max(0.0, start + first * pitch), min(float(limit), start + last * pitch)), (first, last)
    only = min(size - 1, max(0, floor(-start / pitch)))  # the frame is thinner than an input pixel
    return (0.0, float(limit)), (only, only + 1)
