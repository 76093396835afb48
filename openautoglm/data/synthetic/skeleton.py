"""An articulated right hand: bone lengths of a person, joint angles of a pose, 21 joints in space.

Frame: millimetres, origin at the wrist, fingers along +y, palm towards +z (the camera), thumb on +x.
Joints are numbered as in MediaPipe and HaGRID: 0 wrist, 1-4 thumb, 5-8 index, 9-12 middle,
13-16 ring, 17-20 little finger. A left hand is the mirrored picture of a right one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KNUCKLES_MM = ((25.5, 88.0, 1.0), (4.0, 91.0, -1.0), (-16.0, 86.0, 0.0), (-34.0, 77.0, 3.0))
PHALANGES_MM = ((42.0, 25.0, 19.0), (46.0, 29.0, 20.0), (43.0, 27.5, 20.0), (34.0, 20.0, 18.0))
FINGER_RADII_MM = ((11.2, 9.9, 8.7, 7.1), (11.2, 10.0, 8.8, 7.2), (10.8, 9.5, 8.3, 6.8), (9.7, 8.4, 7.3, 6.1))
THUMB_MM = (45.0, 34.0, 25.0)
THUMB_RADII_MM = (15.5, 12.0, 10.4, 7.8)
FAN_DEG = (3.0, 0.0, -2.0, -4.0)
CONVERGENCE = (-0.10, 0.0, 0.10, 0.20)
"""Sideways part of each finger's curling direction: curled fingertips meet near the thumb's base."""

FLEXION_LIMITS_DEG = np.array([[-20.0, 92.0], [-3.0, 112.0], [-3.0, 80.0]])
ABDUCTION_LIMITS_DEG = np.array([-25.0, 22.0])
THUMB_LIMITS_DEG = np.array([[0.0, 85.0], [-15.0, 65.0], [0.0, 120.0], [-10.0, 60.0], [-15.0, 80.0]])


@dataclass(frozen=True)
class HandShape:
    """One person's hand.

    Attributes:
        knuckles_mm: metacarpal heads of the four fingers, ``(4, 3)``.
        phalanges_mm: bone lengths, ``(4, 3)``.
        radii_mm: half widths at knuckle, two joints and tip, ``(4, 4)``.
        thumb_base_mm: the thumb's carpal joint, ``(3,)``.
        thumb_mm: bone lengths of the thumb, ``(3,)``.
        thumb_radii_mm: half widths along the thumb, ``(4,)``.
        nail: length of the nails relative to the usual.
    """

    knuckles_mm: Array
    phalanges_mm: Array
    radii_mm: Array
    thumb_base_mm: Array
    thumb_mm: Array
    thumb_radii_mm: Array
    nail: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> HandShape:
        """Draw the hand of a new person."""
        length, width, girth = rng.normal(1.0, 0.05), rng.normal(1.0, 0.055), rng.normal(1.0, 0.085)
        knuckles = np.array(KNUCKLES_MM) * [width, 1.0, 1.0] * rng.normal(1.0, 0.02, (4, 1))
        phalanges = np.array(PHALANGES_MM) * length * rng.normal(1.0, 0.03, (4, 1)) * rng.normal(1.0, 0.025, (4, 3))
        taper = np.linspace(1.0, rng.normal(1.0, 0.06), 4)
        girth = float(np.clip(girth, 0.86, 1.18))
        return cls(
            knuckles_mm=knuckles,
            phalanges_mm=phalanges,
            radii_mm=np.array(FINGER_RADII_MM) * girth * taper * rng.normal(1.0, 0.02, (4, 1)),
            thumb_base_mm=np.array([19.0 * width, 20.0, 7.0]),
            thumb_mm=np.array(THUMB_MM) * length * rng.normal(1.0, 0.035, 3),
            thumb_radii_mm=np.array(THUMB_RADII_MM) * (0.35 + 0.65 * girth) * taper,
            nail=float(rng.uniform(0.85, 1.35)),
        )


@dataclass(frozen=True)
class ThumbAngles:
    """The thumb by its joints, in degrees: sideways from the fingers, out of the palm, about its axis, two bends."""

    azimuth: float
    elevation: float
    roll: float = 50.0
    mcp: float = 5.0
    ip: float = 3.0


@dataclass(frozen=True)
class ThumbReach:
    """The thumb by what its tip touches.

    Attributes:
        bone: ``(finger, phalanx)`` with fingers 0-3 from the index and phalanges 0-2 from the knuckle.
        along: where on that bone, 0 to 1.
        offset_mm: from the bone's axis in the hand's frame.
        ip: bend of the last joint in degrees.
    """

    bone: tuple[int, int]
    along: float
    offset_mm: tuple[float, float, float]
    ip: float = 25.0


@dataclass(frozen=True)
class Pose:
    """Joint angles in degrees: ``flexion`` ``(4, 3)``, ``abduction`` ``(4,)`` positive towards the thumb."""

    flexion: Array
    abduction: Array
    thumb: ThumbAngles | ThumbReach

    def limited(self) -> Pose:
        """The nearest pose that a hand can take."""
        low, high = FLEXION_LIMITS_DEG.T
        thumb = self.thumb
        if isinstance(thumb, ThumbAngles):
            given = (thumb.azimuth, thumb.elevation, thumb.roll, thumb.mcp, thumb.ip)
            thumb = ThumbAngles(*(float(v) for v in np.clip(given, *THUMB_LIMITS_DEG.T)))
        return Pose(np.clip(self.flexion, low, high), np.clip(self.abduction, *ABDUCTION_LIMITS_DEG), thumb)


@dataclass(frozen=True)
class Skeleton:
    """A posed hand: ``joints_mm`` ``(21, 3)`` and, for each bone of a digit, its pad side: ``pads`` ``(5, 3, 3)``."""

    joints_mm: Array
    pads: Array


def unit(vector: Array) -> Array:
    """Length one."""
    return np.asarray(vector / max(float(np.sqrt(vector @ vector)), 1e-9))


def pose_hand(shape: HandShape, pose: Pose) -> Skeleton:
    """Forward kinematics of the four fingers, then the thumb (which may reach for one of them)."""
    pose = pose.limited()
    joints, pads = np.zeros((21, 3)), np.zeros((5, 3, 3))
    for finger in range(4):
        angle = np.radians(FAN_DEG[finger] + pose.abduction[finger])
        ahead = np.array([np.sin(angle), np.cos(angle), 0.0])
        inward = unit(np.array([CONVERGENCE[finger] * np.cos(angle), -CONVERGENCE[finger] * np.sin(angle), 1.0]))
        bend = np.cumsum(np.radians(pose.flexion[finger]))[:, None]
        steps = (np.cos(bend) * ahead + np.sin(bend) * inward) * shape.phalanges_mm[finger][:, None]
        joints[5 + 4 * finger] = shape.knuckles_mm[finger]
        joints[6 + 4 * finger : 9 + 4 * finger] = shape.knuckles_mm[finger] + np.cumsum(steps, axis=0)
        pads[finger + 1] = np.cos(bend) * inward - np.sin(bend) * ahead
    if isinstance(pose.thumb, ThumbAngles):
        joints[1:5], pads[0] = _thumb_by_angles(shape, pose.thumb)
    else:
        joints[1:5], pads[0] = _thumb_by_reach(shape, pose.thumb, joints)
    return Skeleton(joints, pads)


def _thumb_by_angles(shape: HandShape, thumb: ThumbAngles) -> tuple[Array, Array]:
    azimuth, elevation, roll = np.radians([thumb.azimuth, thumb.elevation, thumb.roll])
    flat = np.array([np.sin(azimuth), np.cos(azimuth), 0.0])
    ahead = np.cos(elevation) * flat + np.array([0.0, 0.0, np.sin(elevation)])
    across = np.array([-np.cos(azimuth), np.sin(azimuth), 0.0])
    inward = np.cos(roll) * across + np.sin(roll) * np.cross(across, ahead) * -1.0
    bend = np.cumsum(np.radians([0.0, thumb.mcp, thumb.ip]))[:, None]
    steps = (np.cos(bend) * ahead + np.sin(bend) * inward) * shape.thumb_mm[:, None]
    joints = np.vstack([shape.thumb_base_mm, shape.thumb_base_mm + np.cumsum(steps, axis=0)])
    return joints, np.cos(bend) * inward - np.sin(bend) * ahead


def _thumb_by_reach(shape: HandShape, thumb: ThumbReach, joints: Array) -> tuple[Array, Array]:
    """Two-bone inverse kinematics: metacarpal, then both phalanges as one bent bone; the joint between points out."""
    finger, phalanx = thumb.bone
    start = joints[5 + 4 * finger + phalanx]
    target = start + thumb.along * (joints[6 + 4 * finger + phalanx] - start) + np.array(thumb.offset_mm)
    base, (first, second, third) = shape.thumb_base_mm, shape.thumb_mm
    bend = np.radians(thumb.ip)
    reach = float(np.sqrt(second**2 + third**2 + 2 * second * third * np.cos(bend)))
    line = target - base
    distance = float(np.clip(np.sqrt(line @ line), abs(first - reach) + 1.0, first + reach - 0.5))
    ahead = unit(line)
    outward = np.array([0.75, 0.4, 0.5])
    outward = unit(outward - (outward @ ahead) * ahead)
    cosine = (first**2 + distance**2 - reach**2) / (2 * first * distance)
    knuckle = base + first * (cosine * ahead + np.sqrt(max(1 - cosine**2, 0.0)) * outward)
    tip = base + distance * ahead
    chord = unit(tip - knuckle)
    bulge = unit(outward - (outward @ chord) * chord)
    turn = np.arctan2(third * np.sin(bend), second + third * np.cos(bend))
    joint = knuckle + second * (np.cos(turn) * chord + np.sin(turn) * bulge)
    chain = np.vstack([base, knuckle, joint, tip])
    axes = [unit(step) for step in np.diff(chain, axis=0)]
    return chain, np.array([-unit(outward - (outward @ axis) * axis) for axis in axes])
