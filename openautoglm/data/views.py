"""What a square picture shows of a frame: the affine map between them, the pixels, and the hands in it.

Maps lead from pixels of the picture to pixels of the frame, ``(2, 3)``; a pixel's middle lies at a half.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.data.frames import Frame
from openautoglm.types import PADDING, Fit

Map = NDArray[np.float64]
_ROUNDING = 1e-6
"""Share of a pixel by which sums of floats may miss its edge."""
_REDUCING_GAP = 3.0
_SPARE_PX = 2


@dataclass(frozen=True)
class SeenHands:
    """The hands of a frame as a picture shows them.

    Attributes:
        boxes_px: x0, y0, x1, y1 in pixels of the picture, which they may leave, ``(m, 4)`` float64.
        visible: the part of each box's area that lies inside the picture, ``(m,)`` float64.
    """

    boxes_px: NDArray[np.float64]
    visible: NDArray[np.float64]


def view_map(
    *, middle_px: NDArray[np.float64], pitch: float, size: int, angle: float = 0.0, mirror: bool = False
) -> Map:
    """The map of a picture that shows the surroundings of a point.

    Args:
        middle_px: x and y in the frame of the picture's middle.
        pitch: pixels of the frame that one of the picture covers.
        size: side of the picture in pixels.
        angle: by which the frame turns clockwise in the picture, in radians.
        mirror: whether left and right change places.
    """
    cos, sin = pitch * np.cos(angle), pitch * np.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]]) * ([-1.0, 1.0] if mirror else [1.0, 1.0])
    return np.column_stack([linear, middle_px - linear @ np.full(2, size / 2)])


def letterbox_map(height: int, width: int, size: int) -> Map:
    """The map of a picture that shows a whole frame in its middle, as ``images.pad_square`` makes it."""
    fit = Fit.into(width, height, size)
    pitch = np.array([width / fit.width, height / fit.height])
    return np.column_stack([np.diag(pitch), -pitch * [fit.left, fit.top]])


def crop_map(box_px: NDArray[np.float32], size: int, *, margin: float) -> Map:
    """The map of a square crop round a box, as it is cut at inference.

    Args:
        box_px: x0, y0, x1, y1 in the frame.
        size: side of the picture in pixels.
        margin: added on every side, as a part of the box's longer side.
    """
    corners = box_px.astype(np.float64).reshape(2, 2)
    side = max(float((corners[1] - corners[0]).max()), 1.0) * (1 + 2 * margin)
    return view_map(middle_px=corners.mean(0), pitch=side / size, size=size)


def take_view(image: NDArray[np.uint8], to_frame: Map, size: int) -> NDArray[np.uint8]:
    """The pixels of a picture, ``(size, size, 3)``: shrunk without aliasing, grey where there is no frame."""
    if to_frame[0, 1] or to_frame[1, 0]:
        return _turned(image, to_frame, size)
    if to_frame[0, 0] > 0:
        return _straight(image, to_frame, size)
    (across, _, start), down = to_frame
    return _straight(image, np.array([[-across, 0.0, start + across * size], down]), size)[:, ::-1]


def see_hands(frame: Frame, to_frame: Map, size: int) -> SeenHands:
    """Where the hands of a frame lie in a picture.

    A turned box is the hull of the turned landmarks, with the frame's own distances between hull and box. Without
    landmarks it is the box of the turned ellipse inside the old one, which grows less with the angle than the box of
    its turned corners (Kalra et al., arXiv 2109.13488).
    """
    linear = np.linalg.inv(to_frame[:, :2])
    boxes = frame.boxes_px.astype(np.float64).reshape(-1, 2, 2)
    middles = (boxes.mean(1) - to_frame[:, 2]) @ linear.T
    halves = np.sqrt(((boxes[:, 1] - boxes[:, 0]) / 2) ** 2 @ (linear.T**2))
    seen = np.stack([middles - halves, middles + halves], 1)
    known = np.flatnonzero(np.isfinite(frame.landmarks_px).all((1, 2)))
    if len(known):
        points = frame.landmarks_px[known].astype(np.float64)
        turned = (points - to_frame[:, 2]) @ linear.T
        scale = np.sqrt(abs(np.linalg.det(linear)))
        before, after = (points.min(1) - boxes[known, 0]) * scale, (boxes[known, 1] - points.max(1)) * scale
        if np.linalg.det(linear) < 0:
            before[:, 0], after[:, 0] = after[:, 0].copy(), before[:, 0].copy()
        seen[known] = np.stack([turned.min(1) - before, turned.max(1) + after], 1)
    inside = seen.clip(0.0, size)
    area, whole = ((corners[:, 1] - corners[:, 0]).prod(1) for corners in (inside, seen))
    return SeenHands(seen.reshape(-1, 4), area / np.maximum(whole, 1e-9))


def _straight(image: NDArray[np.uint8], to_frame: Map, size: int) -> NDArray[np.uint8]:
    """One resize of the part of the frame that whole pixels of the picture cover."""
    view = np.full((size, size, 3), PADDING, np.uint8)
    height, width = image.shape[:2]
    columns, left, right = _cover(to_frame[0, 2], to_frame[0, 0], size, width)
    rows, top, bottom = _cover(to_frame[1, 2], to_frame[1, 1], size, height)
    if left < right and top < bottom:
        fitted = Image.fromarray(image).resize(
            (right - left, bottom - top),
            Image.Resampling.BILINEAR,
            box=(columns[0], rows[0], columns[1], rows[1]),
            reducing_gap=_REDUCING_GAP,
        )
        view[top:bottom, left:right] = np.asarray(fitted)
    return view


def _cover(start: float, pitch: float, size: int, limit: int) -> tuple[tuple[float, float], int, int]:
    """Along one axis: the part of a frame that whole pixels cover, the first of them and the one after the last."""
    first, last = max(0, ceil(-start / pitch - _ROUNDING)), min(size, floor((limit - start) / pitch + _ROUNDING))
    return (max(0.0, start + first * pitch), min(float(limit), start + last * pitch)), first, last


def _turned(image: NDArray[np.uint8], to_frame: Map, size: int) -> NDArray[np.uint8]:
    """The part of the frame that is in view is shrunk first, then turned at about its final size."""
    height, width = image.shape[:2]
    corners = to_frame[:, :2] @ np.array([[0, size, 0, size], [0, 0, size, size]]) + to_frame[:, 2:]
    x0, y0 = np.floor(corners.min(1)).clip(0).astype(int) - _SPARE_PX
    x1, y1 = np.ceil(corners.max(1)).astype(int) + _SPARE_PX
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if x0 >= x1 or y0 >= y1:
        return np.full((size, size, 3), PADDING, np.uint8)
    part = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1]))
    pitch = max(1.0, float(np.sqrt(abs(np.linalg.det(to_frame[:, :2])))))
    small = (max(1, round(part.width / pitch)), max(1, round(part.height / pitch)))
    shrink = np.array([small[0] / part.width, small[1] / part.height])
    if small != part.size:
        part = part.resize(small, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP)
    to_part = (to_frame - np.array([[0.0, 0.0, x0], [0.0, 0.0, y0]])) * shrink[:, None]
    view = part.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple(float(v) for v in to_part.reshape(-1)),
        Image.Resampling.BILINEAR,
        fillcolor=(PADDING, PADDING, PADDING),
    )
    return np.asarray(view)
