"""Static gestures as joint angles and as views: how people hold them towards a camera.

The names and meanings are HaGRID's. Angles are in degrees; every picture adds its own noise to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from openautoglm.data.synthetic.skeleton import Pose, ThumbAngles, ThumbReach

Finger = tuple[float, float, float]
STRAIGHT: Finger = (3.0, 6.0, 4.0)
CURLED: Finger = (65.0, 106.0, 55.0)
FISTED: Finger = (63.0, 109.0, 62.0)
TOGETHER = (-6.0, 0.0, 4.0, 9.0)
CLENCHED = (2.0, -3.0, -7.0, -12.0)
"""Curled fingers point to the root of the thumb."""
SPREAD = (11.0, 2.0, -8.0, -19.0)


@dataclass(frozen=True)
class View:
    """How the hand is turned to the camera, in degrees.

    Attributes:
        roll: clockwise in the picture of a right hand; 0 has the fingers up.
        yaw: about the fingers' axis; positive turns the palm towards the thumb's side, 180 shows the back.
        pitch: positive tips the fingers towards the camera.
        roll_noise: standard deviation.
        yaw_noise: standard deviation.
        pitch_noise: standard deviation.
    """

    roll: float = 3.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll_noise: float = 8.0
    yaw_noise: float = 13.0
    pitch_noise: float = 11.0


@dataclass(frozen=True)
class Gesture:
    """One class: fingers from index to little finger, their spread, the ways to hold the thumb, the view."""

    name: str
    flexion: tuple[Finger, Finger, Finger, Finger]
    thumbs: tuple[ThumbAngles | ThumbReach, ...]
    abduction: tuple[float, float, float, float] = (5.0, 1.0, -3.0, -8.0)
    view: View = View()
    abduction_noise: float = 2.5

    def sample(self, rng: np.random.Generator) -> tuple[Pose, View]:
        """Draw one person's way of making it."""
        flexion = np.array(self.flexion)
        is_bent = flexion[:, 1:2] > 45.0
        shared = rng.normal(0.0, 1.0, (1, 3))
        flexion = flexion + np.where(is_bent, 5.0, 3.5) * (0.6 * shared + 0.8 * rng.normal(0.0, 1.0, (4, 3)))
        abduction = np.array(self.abduction) + rng.normal(0.0, self.abduction_noise, 4)
        thumb = self.thumbs[int(rng.integers(len(self.thumbs)))]
        noise = rng.normal(0.0, 1.0, 5)
        if isinstance(thumb, ThumbAngles):
            thumb = ThumbAngles(
                azimuth=thumb.azimuth + 5.0 * noise[0],
                elevation=thumb.elevation + 6.0 * noise[1],
                roll=thumb.roll + 8.0 * noise[2],
                mcp=thumb.mcp + 6.0 * noise[3],
                ip=thumb.ip + 8.0 * noise[4],
            )
        else:
            x, y, z = thumb.offset_mm
            offset = (float(x + 2.0 * noise[0]), float(y + 2.0 * noise[1]), float(z + 0.7 * noise[2]))
            thumb = replace(thumb, offset_mm=offset, ip=float(thumb.ip + 6.0 * noise[4]))
        return Pose(flexion, abduction, thumb), self._turn(rng)

    def _turn(self, rng: np.random.Generator) -> View:
        noise = np.clip(rng.normal(0.0, 1.0, 3), -2.0, 2.0)
        view = self.view
        return View(
            roll=float(view.roll + view.roll_noise * noise[0]),
            yaw=float(view.yaw + view.yaw_noise * noise[1]),
            pitch=float(view.pitch + view.pitch_noise * noise[2]),
        )


OVER_MIDDLE = ThumbReach(bone=(1, 1), along=0.65, offset_mm=(2.0, 0.0, 17.0), ip=30.0)
OVER_RING = ThumbReach(bone=(2, 1), along=0.6, offset_mm=(4.0, 0.0, 16.0), ip=25.0)
OVER_LITTLE = ThumbReach(bone=(3, 1), along=0.7, offset_mm=(4.0, 0.0, 14.0), ip=20.0)
BESIDE_FIST = ThumbReach(bone=(0, 1), along=0.35, offset_mm=(5.0, 0.0, 14.0), ip=22.0)
ON_FIST = ThumbReach(bone=(0, 1), along=0.6, offset_mm=(-6.0, 0.0, 17.0), ip=35.0)
IN_PALM = ThumbReach(bone=(2, 0), along=-0.25, offset_mm=(2.0, 0.0, 20.0), ip=28.0)
OPEN = ThumbAngles(azimuth=50.0, elevation=10.0, roll=35.0, mcp=2.0, ip=-2.0)
ALONG = ThumbAngles(azimuth=27.0, elevation=12.0, roll=55.0, mcp=6.0, ip=5.0)
UP = ThumbAngles(azimuth=52.0, elevation=14.0, roll=40.0, mcp=-2.0, ip=-8.0)

GESTURES: tuple[Gesture, ...] = (
    Gesture(
        "call",
        (FISTED, FISTED, FISTED, (8.0, 8.0, 5.0)),
        (ThumbAngles(azimuth=50.0, elevation=14.0, roll=40.0, mcp=-2.0, ip=-10.0),),
        abduction=(2.0, -3.0, -7.0, -23.0),
        view=View(roll=62.0, yaw=180.0, pitch=0.0, roll_noise=11.0),
    ),
    Gesture(
        "dislike",
        ((73.0, 105.0, 60.0),) * 4,
        (UP,),
        abduction=CLENCHED,
        view=View(roll=96.0, yaw=6.0, roll_noise=11.0),
    ),
    Gesture("fist", (FISTED,) * 4, (BESIDE_FIST, ON_FIST), abduction=CLENCHED, view=View(roll=12.0, roll_noise=12.0)),
    Gesture("four", (STRAIGHT,) * 4, (IN_PALM,), abduction=(8.0, 2.0, -5.0, -13.0)),
    Gesture(
        "like",
        (FISTED,) * 4,
        (UP,),
        abduction=CLENCHED,
        view=View(roll=75.0, yaw=180.0, roll_noise=10.0),
    ),
    Gesture(
        "ok",
        ((52.0, 58.0, 30.0), (22.0, 14.0, 8.0), (8.0, 10.0, 6.0), (0.0, 8.0, 5.0)),
        (ThumbReach(bone=(0, 2), along=0.95, offset_mm=(2.0, -8.0, -3.0), ip=22.0),),
        abduction=(3.0, 3.0, -5.0, -15.0),
        view=View(roll=8.0, yaw=36.0, roll_noise=11.0),
    ),
    Gesture("one", (STRAIGHT, CURLED, CURLED, CURLED), (OVER_MIDDLE,), abduction=(0.0, -3.0, -7.0, -12.0)),
    Gesture("palm", (STRAIGHT,) * 4, (OPEN,), abduction=SPREAD),
    Gesture("peace", (STRAIGHT, STRAIGHT, CURLED, CURLED), (OVER_RING,), abduction=(11.0, -8.0, -7.0, -12.0)),
    Gesture("rock", (STRAIGHT, CURLED, CURLED, STRAIGHT), (OVER_MIDDLE, OVER_RING), abduction=(6.0, -3.0, -7.0, -12.0)),
    Gesture("stop", (STRAIGHT,) * 4, (ALONG,), abduction=TOGETHER, abduction_noise=0.8),
    Gesture("three", (STRAIGHT, STRAIGHT, STRAIGHT, CURLED), (OVER_LITTLE,), abduction=(10.0, 1.0, -9.0, -12.0)),
    Gesture("three2", (STRAIGHT, STRAIGHT, CURLED, CURLED), (OPEN,), abduction=(11.0, -6.0, -7.0, -12.0)),
    Gesture("two_up", (STRAIGHT, STRAIGHT, CURLED, CURLED), (OVER_RING,), abduction=(-4.0, 1.0, -7.0, -12.0)),
)
"""All that can be drawn."""

DEFAULT_CLASSES = (
    "call", "dislike", "fist", "four", "like", "ok", "one", "palm", "peace", "rock", "stop", "three2",
)  # fmt: skip
"""Those that stay apart at 96 pixels under blur and occlusion."""


def find_gestures(names: tuple[str, ...]) -> tuple[Gesture, ...]:
    """The gestures of these names, in that order."""
    known = {gesture.name: gesture for gesture in GESTURES}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        missing = ", ".join(unknown) or "(none given)"
        raise ValueError(f"no synthetic gesture is called {missing}: choose from {', '.join(known)}")
    return tuple(known[name] for name in names)
