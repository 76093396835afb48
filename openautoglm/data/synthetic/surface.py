"""The skin over a skeleton: tapered capsules for digits and arm, rounded triangles for palm and webs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.synthetic.skeleton import HandShape, Skeleton, unit

Array = NDArray[np.float64]

ARM, PALM, FINGER, TIP, SLEEVE = 0, 1, 2, 3, 4
"""Kinds of skin: a tip has the nail."""


@dataclass(frozen=True)
class Surface:
    """Parts of a hand in the hand's frame, in millimetres.

    Attributes:
        ends_mm: both ends of each capsule, ``(p, 2, 3)``.
        radii_mm: half widths at both ends, ``(p, 2)``.
        pads: direction of the palm side of each capsule, ``(p, 3)``.
        kinds: ARM, PALM, FINGER, TIP or SLEEVE, ``(p,)``.
        triangles_mm: corners of the rounded triangles, ``(t, 3, 3)``; they belong to the palm.
        triangle_radii_mm: half thickness at the corners, ``(t, 3)``.
    """

    ends_mm: Array
    radii_mm: Array
    pads: Array
    kinds: NDArray[np.int64]
    triangles_mm: Array
    triangle_radii_mm: Array


class _Builder:
    def __init__(self) -> None:
        self.ends: list[tuple[Array, Array]] = []
        self.radii: list[tuple[float, float]] = []
        self.pads: list[Array] = []
        self.kinds: list[int] = []
        self.triangles: list[tuple[Array, Array, Array]] = []
        self.triangle_radii: list[tuple[float, float, float]] = []

    def capsule(self, kind: int, a: Array, b: Array, ra: float, rb: float, pad: Array) -> None:
        self.ends.append((a, b))
        self.radii.append((ra, rb))
        self.pads.append(pad)
        self.kinds.append(kind)

    def triangle(self, a: Array, b: Array, c: Array, ra: float, rb: float, rc: float) -> None:
        self.triangles.append((a, b, c))
        self.triangle_radii.append((ra, rb, rc))

    def build(self) -> Surface:
        return Surface(
            np.array(self.ends),
            np.array(self.radii),
            np.array(self.pads),
            np.array(self.kinds),
            np.array(self.triangles),
            np.array(self.triangle_radii),
        )


CARPUS_MM = ((14.0, 8.0, 0.0), (4.0, 8.0, -1.0), (-7.0, 8.0, 0.0), (-16.0, 10.0, 1.0))
CARPUS_RADII_MM = (14.5, 15.5, 15.5, 14.5)
FORWARD = np.array([0.0, 0.0, 1.0])


def cover(shape: HandShape, skeleton: Skeleton, arm: Array, sleeve_at_mm: float | None) -> Surface:
    """Lay skin over a posed skeleton.

    Args:
        shape: the person's widths.
        skeleton: the pose.
        arm: direction from the wrist towards the elbow.
        sleeve_at_mm: where the sleeve begins on the forearm, or None for a bare arm.
    """
    builder = _Builder()
    _add_arm(builder, arm, float(shape.radii_mm.mean() / 8.7), sleeve_at_mm)
    _add_palm(builder, shape, skeleton.joints_mm)
    _add_digits(builder, shape, skeleton)
    return builder.build()


def _add_arm(builder: _Builder, arm: Array, girth: float, sleeve_at_mm: float | None) -> None:
    # Two parallel cones: a wrist is wider than it is thick.
    across = unit(np.cross(arm, FORWARD))
    length = 330.0
    for side in (-1.0, 1.0):
        start, end = side * across * 10.5 * girth, side * across * 15.0 * girth + arm * length
        builder.capsule(ARM, start + arm * 4.0, end, 15.5 * girth, 34.0 * girth, FORWARD)
        if sleeve_at_mm is not None:
            cuff = start + (end - start) * sleeve_at_mm / length
            width = 15.5 + 18.5 * sleeve_at_mm / length
            builder.capsule(SLEEVE, cuff, end, (width + 6.0) * girth, 46.0 * girth, FORWARD)


def _add_palm(builder: _Builder, shape: HandShape, joints: Array) -> None:
    carpus, heads = np.array(CARPUS_MM), shape.knuckles_mm
    radii = shape.radii_mm[:, 0]
    for i in range(4):
        builder.capsule(PALM, carpus[i], heads[i], CARPUS_RADII_MM[i], radii[i] + 1.3, FORWARD)
    for i in range(3):
        wide = (CARPUS_RADII_MM[i], CARPUS_RADII_MM[i + 1])
        builder.triangle(carpus[i], heads[i], heads[i + 1], wide[0], radii[i] + 0.6, radii[i + 1] + 0.6)
        builder.triangle(carpus[i], carpus[i + 1], heads[i + 1], *wide, radii[i + 1] + 0.6)
        _add_web(builder, shape, joints, i)
    # The ball of the thumb, its web and the ball of the little finger.
    base, knuckle = joints[1], joints[2]
    thick = shape.thumb_radii_mm
    builder.capsule(PALM, base, knuckle, thick[0] + 1.0, thick[1] + 0.8, FORWARD)
    builder.capsule(
        PALM, carpus[0] + np.array([1.0, 3.0, 6.0]), base + 0.45 * (knuckle - base), 13.0, thick[0] + 1.0, FORWARD
    )
    # The web is taut when the thumb is spread and a thick fold when it lies against the index finger.
    gap = knuckle - heads[0]
    closed = float(np.interp(np.sqrt(gap @ gap), [40.0, 68.0], [1.0, 0.0]))
    near, far = base + 0.9 * (knuckle - base), carpus[0] + (0.72 + 0.26 * closed) * (heads[0] - carpus[0])
    builder.triangle(base, near, far, 11.0, 7.0 + 2.5 * closed, 8.0 + 2.0 * closed)
    builder.triangle(base, carpus[0], far, 12.0, 13.0, 9.5)
    builder.capsule(
        PALM, carpus[3] + np.array([-1.0, 3.0, 5.0]), heads[3] + np.array([0.5, -20.0, 3.0]), 12.5, 11.5, FORWARD
    )


def _add_web(builder: _Builder, shape: HandShape, joints: Array, i: int) -> None:
    first, second = joints[5 + 4 * i : 7 + 4 * i], joints[9 + 4 * i : 11 + 4 * i]
    ahead, beside = unit(first[1] - first[0]), unit(second[1] - second[0])
    share = 0.4 * max(0.2, float(ahead @ beside))
    a, b = first[0] + share * (first[1] - first[0]), second[0] + share * (second[1] - second[0])
    ra, rb = 0.86 * shape.radii_mm[i, 0], 0.86 * shape.radii_mm[i + 1, 0]
    builder.triangle(first[0], second[0], a, ra + 1.0, rb + 1.0, 0.75 * ra)
    builder.triangle(second[0], b, a, rb + 1.0, 0.75 * rb, 0.75 * ra)
    builder.capsule(PALM, a, b, 0.7 * ra, 0.7 * rb, FORWARD)


def _add_digits(builder: _Builder, shape: HandShape, skeleton: Skeleton) -> None:
    joints = skeleton.joints_mm
    for digit in range(5):
        radii = shape.thumb_radii_mm if digit == 0 else shape.radii_mm[digit - 1]
        for bone in range(1 if digit == 0 else 0, 3):
            a, b = joints[1 + 4 * digit + bone], joints[2 + 4 * digit + bone]
            ra, rb = float(radii[bone]), float(radii[bone + 1])
            builder.capsule(TIP if bone == 2 else FINGER, a, b, ra, rb, skeleton.pads[digit, bone])
