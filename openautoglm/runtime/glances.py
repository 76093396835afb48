"""Glances: where hands are in a picture, by glances at the whole, at parts of it and closer at each hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.runtime.engines import Engine
from openautoglm.runtime.geometry import Box, Placement, letterbox, parts_of_frame, square_crop
from openautoglm.runtime.peaks import decode_boxes, find_peaks, suppress
from openautoglm.runtime.pixels import as_input
from openautoglm.runtime.thresholds import Thresholds

_MAPS = ("attention", "box", "logits")
_FAINT = 0.02
"""Attention that a closer glance gives at least to a hand that is there."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A hand that a glance found: its box in the frame, the attention it got, gesture logits ``(k,)`` at its peak."""

    box_px: Box
    attention: float
    logits: NDArray[np.float32]


class Glances:
    """Glances at pictures.

    Args:
        glance: the letterboxed frame to ``attention`` ``(1, 1, h, w)`` in [0, 1], ``box`` ``(1, 4, h, w)``, distances
            to left, top, right and bottom in cells, and ``logits`` ``(1, k, h, w)``.
        near: the same for the surroundings of a hand, in a size of its own; None uses ``glance``.
    """

    def __init__(self, glance: Engine, near: Engine | None = None) -> None:
        self._glance, self._near = glance, near or glance

    def whole(self, picture: Image.Image, thresholds: Thresholds) -> list[Found]:
        """Hands that a glance at the whole picture finds, strongest first."""
        placement = letterbox(picture.width, picture.height, self._glance.input_shape[-1])
        return _glance_at(picture, self._glance, placement, thresholds.hand, thresholds)

    def parts(self, picture: Image.Image, thresholds: Thresholds) -> Iterator[list[Found]]:
        """The same for overlapping parts of it, one after the other, each glanced at when it is asked for."""
        for part in parts_of_frame(picture.width, picture.height, size=self._glance.input_shape[-1]):
            yield _glance_at(picture, self._glance, part, thresholds.hand, thresholds)

    def closer(self, picture: Image.Image, found: Sequence[Found], thresholds: Thresholds) -> list[Found]:
        """The hands as glances at the surroundings of each see them, without those that are none from near.

        Raises:
            ValueError: the thresholds say no ``zoom``.
        """
        if thresholds.zoom is None:
            raise ValueError("a closer glance needs a zoom, in sides of the hand's box, such as 1.5")
        closer = [self._zoom(picture, one, thresholds.zoom, thresholds) for one in found]
        closer = [one for one in closer if one.attention >= thresholds.hand]
        closer.sort(key=lambda one: one.attention, reverse=True)
        return [closer[index] for index in apart([one.box_px for one in closer], thresholds)]

    def _zoom(self, picture: Image.Image, found: Found, zoom: float, thresholds: Thresholds) -> Found:
        """The hand as a glance at its surroundings sees it, hardly one if it sees none."""
        size, margin = self._near.input_shape[-1], (zoom - 1) / 2
        around = square_crop(found.box_px, picture.width, picture.height, size=size, margin=margin)
        x0, y0, x1, y1 = found.box_px
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        for one in _glance_at(picture, self._near, around, _FAINT, thresholds):  # strongest first
            left, top, right, bottom = one.box_px
            if left < x < right and top < y < bottom:
                return replace(one, attention=math.sqrt(found.attention * one.attention))
        return replace(found, attention=math.sqrt(found.attention * _FAINT))


def _glance_at(
    picture: Image.Image, glance: Engine, placement: Placement, least: float, thresholds: Thresholds
) -> list[Found]:
    """Peaks of at least that attention."""
    maps = glance.run_named(as_input(picture, placement, quick=True))
    attention, distances, logits = (maps[name][0] for name in _MAPS)
    rows, columns = find_peaks(attention[0], least)
    boxes_px = placement.to_frame(decode_boxes(distances, rows, columns, size=placement.size))
    return [
        Found(
            box_px=as_box(boxes_px[index]),
            attention=float(attention[0, rows[index], columns[index]]),
            logits=logits[:, rows[index], columns[index]],
        )
        for index in apart(boxes_px, thresholds)
    ]


def apart(boxes_px: Sequence[Box] | NDArray[Any], thresholds: Thresholds) -> list[int]:
    """Indices of one box a hand, of boxes that stand best first."""
    boxes = np.asarray(boxes_px, np.float64).reshape(-1, 4)
    return suppress(boxes, max_iou=thresholds.nms_iou, max_count=thresholds.max_hands)


def as_box(edges: Sequence[float] | NDArray[Any]) -> Box:
    """Four numbers of any kind as x0, y0, x1, y1."""
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1
