"""Analytic ray casting: for each pixel, how near to the camera the surface is, and which part it belongs to.

Rays are parallel after each end of a part has been projected on its own (weak perspective). A tapered
capsule is the envelope of spheres along its axis; with q the pixel from one end, d the axis in the picture and
r(t) = r0 + t dr, the height is the maximum over t of t dz + sqrt(r(t)^2 - |q - t d|^2), concave in t,
so its closed-form peak clamped to [0, 1] is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
EMPTY = np.float32(-1e4)
ABSENT = np.float32(-5e3)
"""Heights below this are no surface: rounding off seams lifts EMPTY by a few pixels."""


@dataclass(frozen=True)
class Patch:
    """Where a part may lie and what it adds there: height, position along the axis, ``(h, w)``."""

    rows: slice
    columns: slice
    height: Array
    along: Array | None


@dataclass(frozen=True)
class HeightField:
    """Height towards the camera in pixels (EMPTY where nothing is), index of the part, position along its axis."""

    height: Array
    part: NDArray[np.uint8]
    along: Array

    @classmethod
    def empty(cls, height: int, width: int) -> HeightField:
        """Nothing in view."""
        return cls(
            np.full((height, width), EMPTY, np.float32),
            np.full((height, width), 255, np.uint8),
            np.zeros((height, width), np.float32),
        )

    def add(self, patch: Patch, part: int, blend: float = 0.0) -> None:
        """Put a part in front of what lies behind it; seams within ``blend`` pixels of height are rounded off."""
        window = (patch.rows, patch.columns)
        behind = self.height[window]
        is_front = patch.height > behind
        if blend > 0.0:
            seam = np.maximum(blend - np.abs(patch.height - behind), 0.0)
            np.maximum(behind, patch.height, out=behind)
            behind += seam * seam * np.float32(0.25 / blend)
        else:
            np.maximum(behind, patch.height, out=behind)
        np.putmask(self.part[window], is_front, part)
        if patch.along is not None:
            np.copyto(self.along[window], patch.along, where=is_front)

    def smooth(self, radius_px: float) -> None:
        """Soften what has been added so far, except its outline."""
        inside = self.height > ABSENT
        size = self.height.shape[1], self.height.shape[0]
        small = max(2, round(size[0] / max(radius_px, 1.0))), max(2, round(size[1] / max(radius_px, 1.0)))

        def soften(values: Array) -> Array:
            coarse = Image.fromarray(values).resize(small, Image.Resampling.BOX)
            return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))

        weight = soften(inside.astype(np.float32))
        soft = soften(np.where(inside, self.height, np.float32(0.0))) / np.maximum(weight, 0.05)
        share = np.clip(2.0 * weight - 1.0, 0.0, 1.0)
        np.copyto(self.height, self.height + (soft - self.height) * share, where=inside)


def _window(low: float, high: float, size: int) -> slice:
    start = max(0, int(np.floor(low)))
    return slice(start, max(start, min(size, int(np.ceil(high)) + 1)))


def cast_capsule(ends: NDArray[np.float64], radii: NDArray[np.float64], size: tuple[int, int]) -> Patch | None:
    """Height of a tapered capsule given by both ends (x, y, z in pixels) and half widths."""
    (ax, ay, az), (bx, by, bz) = ends.tolist()
    ra, rb = radii.tolist()
    rows = _window(min(ay - ra, by - rb), max(ay + ra, by + rb), size[0])
    columns = _window(min(ax - ra, bx - rb), max(ax + ra, bx + rb), size[1])
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    dx, dy, dz, dr = bx - ax, by - ay, bz - az, rb - ra
    # A capsule seen end-on has no length in the picture; a floor keeps the division sane.
    c = max(dx * dx + dy * dy - dr * dr, 0.01 * ra * ra + 1e-3)
    qx = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(ax)
    qy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(ay)
    linear = (qx * np.float32(dx) + np.float32(ra * dr)) + qy * np.float32(dy)
    square = (np.float32(ra * ra) - qx * qx) - qy * qy
    room = linear * linear
    room *= np.float32(1.0 / c)
    room += square
    np.maximum(room, 0.0, out=room)
    np.sqrt(room, out=room)
    room *= np.float32(dz / np.sqrt(c * (c + dz * dz)))
    along = linear * np.float32(1.0 / c)
    along += room
    np.minimum(along, 1.0, out=along)
    np.maximum(along, 0.0, out=along)
    linear *= 2.0
    linear -= along * np.float32(c)
    linear *= along
    linear += square
    is_hit = linear >= 0.0
    np.maximum(linear, 0.0, out=linear)
    np.sqrt(linear, out=linear)
    linear += along * np.float32(dz)
    linear += np.float32(az)
    return Patch(rows, columns, np.where(is_hit, linear, EMPTY), along)


def cast_triangle(corners: NDArray[np.float64], radii: NDArray[np.float64], size: tuple[int, int]) -> Patch | None:
    """Height of the side that faces the camera of a triangle thickened by ``radii`` at its corners (pixels)."""
    u, v = corners[1] - corners[0], corners[2] - corners[0]
    normal = np.array([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]])
    length = float(np.sqrt(normal @ normal))
    if abs(normal[2]) < 0.05 * length + 1e-6:
        return None
    p = corners + radii[:, None] * normal * (np.sign(normal[2]) / length)
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = p.tolist()
    rows = _window(min(ay, by, cy), max(ay, by, cy), size[0])
    columns = _window(min(ax, bx, cx), max(ax, bx, cx), size[1])
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if rows.start >= rows.stop or columns.start >= columns.stop or abs(area) < 1e-3:
        return None
    qx = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(ax)
    qy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(ay)
    second = qx * np.float32((cy - ay) / area) - qy * np.float32((cx - ax) / area)
    third = qy * np.float32((bx - ax) / area) - qx * np.float32((by - ay) / area)
    is_inside = (second >= 0.0) & (third >= 0.0) & (second + third <= 1.0)
    height = second * np.float32(bz - az) + third * np.float32(cz - az)
    height += np.float32(az)
    return Patch(rows, columns, np.where(is_inside, height, EMPTY), None)
