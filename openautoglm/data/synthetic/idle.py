"""Hands that make no gesture: hanging, half closed, laid down, on the way from one pose to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openautoglm.data.frames import NO_GESTURE
from openautoglm.data.synthetic.gestures import ALONG, OPEN, Finger, Gesture, View
from openautoglm.data.synthetic.skeleton import ThumbAngles

Range = tuple[float, float]


@dataclass(frozen=True)
class _Habit:
    """One way to hold an idle hand: bends of knuckle, middle and end joint from the index finger on, and the view."""

    knuckle: Range
    middle: Range
    end: Range
    roll: Range
    yaw: Range
    pitch: Range
    own: float
    """How much the fingers bend each on their own, in degrees."""


_HANGING = _Habit((8, 30), (18, 40), (8, 22), roll=(140, 220), yaw=(-70, 70), pitch=(-20, 20), own=4)
_HANGING_BACK = _Habit((8, 30), (18, 40), (8, 22), roll=(140, 220), yaw=(130, 230), pitch=(-20, 20), own=4)
_LOOSE = _Habit((32, 52), (50, 70), (20, 38), roll=(-40, 40), yaw=(-50, 50), pitch=(-20, 20), own=7)
_LOOSE_BACK = _Habit((32, 52), (50, 70), (20, 38), roll=(-50, 50), yaw=(140, 220), pitch=(-20, 20), own=7)
_LAID = _Habit((18, 40), (24, 50), (10, 28), roll=(70, 110), yaw=(-50, 50), pitch=(-25, 25), own=6)
_CHANGING = _Habit((30, 45), (48, 64), (22, 36), roll=(-25, 35), yaw=(-25, 25), pitch=(-15, 15), own=14)
HABITS = (_HANGING, _HANGING_BACK, _LOOSE, _LOOSE_BACK, _LAID, _CHANGING)


def sample_idle(rng: np.random.Generator) -> Gesture:
    """Draw a pose that is none of the gestures: no finger is straight up and none is closed."""
    habit = HABITS[int(rng.integers(len(HABITS)))]
    shared, slope = rng.random(), rng.uniform(0.0, 12.0)

    def bend(finger: int, limits: Range) -> float:
        low, high = limits
        return float(low + (high - low) * shared + slope * (finger - 1.5) / 3 + habit.own * rng.uniform(-1.0, 1.0))

    def bends(finger: int) -> Finger:
        return bend(finger, habit.knuckle), bend(finger, habit.middle), bend(finger, habit.end)

    roll, yaw, pitch = (float(rng.uniform(*limits)) for limits in (habit.roll, habit.yaw, habit.pitch))
    view = View(roll, yaw, pitch, roll_noise=0.0, yaw_noise=0.0, pitch_noise=0.0)
    flexion = (bends(0), bends(1), bends(2), bends(3))
    return Gesture(NO_GESTURE, flexion, (_thumb(rng),), abduction=(3.0, 0.0, -3.0, -7.0), view=view)


def _thumb(rng: np.random.Generator) -> ThumbAngles:
    """Between lying along the hand and standing off it."""
    share = rng.random()
    pairs = zip(_angles(ALONG), _angles(OPEN), strict=True)
    azimuth, elevation, roll, mcp, ip = (float(low + share * (high - low)) for low, high in pairs)
    return ThumbAngles(azimuth, elevation + 8.0, roll, mcp + 12.0, ip + 14.0)


def _angles(thumb: ThumbAngles) -> tuple[float, ...]:
    return thumb.azimuth, thumb.elevation, thumb.roll, thumb.mcp, thumb.ip
