"""A person's hand making a gesture, seen by a camera; alone it fills a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.data.synthetic.backdrop import draw_backdrop, draw_occluder
from openautoglm.data.synthetic.gestures import Gesture, View
from openautoglm.data.synthetic.heightfield import HeightField, cast_capsule, cast_triangle
from openautoglm.data.synthetic.photo import take_photo
from openautoglm.data.synthetic.skeleton import HandShape, Skeleton, pose_hand, unit
from openautoglm.data.synthetic.skin import Light, Parts, Skin, paint
from openautoglm.data.synthetic.surface import ARM, FINGER, PALM, SLEEVE, Surface, cover

Array = NDArray[np.float64]
OVERSAMPLING = 1.5
FRONT_MM = 12.0
"""From the bones of the palm to its skin."""


@dataclass(frozen=True)
class Person:
    """A hand shape and a skin."""

    shape: HandShape
    skin: Skin

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Person:
        """Draw a new person."""
        return cls(HandShape.sample(rng), Skin.sample(rng))


@dataclass(frozen=True)
class Picture:
    """A rendered picture, ``(s, s, 3)``, with the hand's box x0 y0 x1 y1, its 21 landmarks and its side."""

    image: NDArray[np.uint8]
    box_px: NDArray[np.float32]
    landmarks_px: NDArray[np.float32]
    is_right: bool


@dataclass(frozen=True)
class HeldHand:
    """A hand with skin and sleeve in its pose, before a camera sees it."""

    person: Person
    skeleton: Skeleton
    surface: Surface
    view: View
    is_right: bool
    is_bare: bool

    @classmethod
    def sample(cls, gesture: Gesture, person: Person, rng: np.random.Generator) -> HeldHand:
        """Draw how a person makes a gesture, with which hand and in what sleeve."""
        pose, view = gesture.sample(rng)
        skeleton = pose_hand(person.shape, pose)
        lean = np.radians(rng.normal([-4.0, -5.0], [13.0, 12.0]))
        arm = unit(np.array([np.sin(lean[0]), -1.0, np.sin(lean[1])]))
        sleeve = float(rng.uniform(18.0, 130.0)) if rng.random() < 0.55 else None
        surface = cover(person.shape, skeleton, arm, sleeve)
        return cls(person, skeleton, surface, view, bool(rng.random() < 0.5), sleeve is None)


@dataclass(frozen=True)
class Projection:
    """Hand frame to canvas: turn, mirror, weak perspective, scale, shift."""

    turn: Array
    pivot_mm: Array
    distance_mm: float
    px_per_mm: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def towards(cls, hand: HeldHand, rng: np.random.Generator) -> Projection:
        """From some distance in the direction of the hand's view; scale and place are still to be chosen."""
        roll, yaw, pitch = np.radians([hand.view.roll, hand.view.yaw, hand.view.pitch])
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_z = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        to_picture = np.diag([1.0 if hand.is_right else -1.0, -1.0, 1.0])
        turn = to_picture @ about_z @ about_x @ about_y
        return cls(turn, np.array([0.0, 60.0, 0.0]), float(rng.uniform(380.0, 1300.0)))

    def placed(self, px_per_mm: float, left_top: Array, box: Array) -> Projection:
        """Scaled and moved so that a box seen at one pixel a millimetre begins at ``left_top``."""
        shift = (float(left_top[0] - px_per_mm * box[0]), float(left_top[1] - px_per_mm * box[1]))
        return replace(self, px_per_mm=px_per_mm, shift_px=shift)

    def points(self, points_mm: Array) -> tuple[Array, Array]:
        """Points in pixels (x right, y down, z to the camera) and how much nearer things grow there."""
        seen = (points_mm - self.pivot_mm) @ self.turn.T
        growth = self.distance_mm / np.maximum(self.distance_mm - seen[..., 2:], 80.0)
        flat = seen[..., :2] * growth * self.px_per_mm + np.array(self.shift_px)
        return np.concatenate([flat, seen[..., 2:] * self.px_per_mm], -1), growth[..., 0] * self.px_per_mm


def sample_cloth(rng: np.random.Generator) -> NDArray[np.float32]:
    """Colour of a sleeve."""
    cloth = rng.uniform(10, 235) + rng.normal(0, 28, 3)
    return np.asarray(np.clip(cloth, 5, 250), np.float32)


def render_picture(
    gesture: Gesture, person: Person, rng: np.random.Generator, *, size: int, occlusion: bool = True
) -> Picture:
    """Draw everything that varies and render it.

    Args:
        gesture: what the hand does.
        person: whose hand it is.
        rng: decides all the rest.
        size: side of the picture in pixels.
        occlusion: whether things may lie in front of the hand.
    """
    held = HeldHand.sample(gesture, person, rng)
    canvas = round(size * OVERSAMPLING)
    projection = _fill(rng, held, canvas)
    cloth = sample_cloth(rng)
    layer = draw_hand(held, projection, (canvas, canvas), cloth=cloth, light=Light.sample(rng), rng=rng)
    image = draw_backdrop(rng, size, person.skin.back)
    hand = Image.fromarray(layer).resize((size, size), Image.Resampling.BOX)
    image.paste(hand, (0, 0), hand)
    landmarks = projection.points(held.skeleton.joints_mm)[0][:, :2] / OVERSAMPLING
    # A stream of its own: the same picture with and without things in the way, for paired comparisons.
    things = np.random.default_rng(int(rng.integers(2**32)))
    if occlusion and things.random() < 0.35:
        draw_occluder(things, image, landmarks[0], landmarks[9])
    box = hull(held.surface, projection) / OVERSAMPLING
    return Picture(
        take_photo(rng, image, blur_scale=size / 96),
        np.asarray(np.clip(box, 0.0, size), np.float32),
        np.asarray(landmarks, np.float32),
        held.is_right,
    )


def draw_hand(
    held: HeldHand,
    projection: Projection,
    canvas: tuple[int, int],
    *,
    cloth: NDArray[np.float32],
    light: Light,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Cast and paint a hand with its arm: RGBA with a transparent background, ``canvas`` is height and width."""
    field, parts = _cast(held.surface, projection, canvas)
    return paint(
        field, parts, held.person.skin, light,
        px_per_mm=projection.px_per_mm,
        palm_lines=[projection.points(line)[0][:, :2] for line in _palm_lines(held.person.shape)],
        cloth=cloth, nail=held.person.shape.nail, rng=rng,
    )  # fmt: skip


def hull(surface: Surface, projection: Projection, *, with_arm: bool = False) -> Array:
    """Box of the hand in canvas pixels."""
    is_hand = (surface.kinds != ARM) & (surface.kinds != SLEEVE) | with_arm
    points, growth = projection.points(surface.ends_mm[is_hand])
    radii = (surface.radii_mm[is_hand] * growth)[..., None]
    flat = points[..., :2]
    return np.concatenate([(flat - radii).min((0, 1)), (flat + radii).max((0, 1))])


def _fill(rng: np.random.Generator, held: HeldHand, canvas: int) -> Projection:
    """Choose scale and place so that the hand fills 78 to 98 % of the picture and stays inside."""
    loose = Projection.towards(held, rng)
    box = hull(held.surface, loose)
    size = box[2:] - box[:2]
    scale = float(rng.uniform(0.78, 0.98)) * canvas / float(size.max())
    return loose.placed(scale, rng.uniform(0.05, 0.95, 2) * (canvas - scale * size), box)


def _cast(surface: Surface, projection: Projection, size: tuple[int, int]) -> tuple[HeightField, Parts]:
    """Arm, palm, then digits, so that each kind of seam is rounded off in its own way."""
    ends, growth = projection.points(surface.ends_mm)
    radii = surface.radii_mm * growth
    field, scale = HeightField.empty(*size), projection.px_per_mm
    kinds = surface.kinds
    palm = int(np.argmax(kinds == PALM))
    for i in np.flatnonzero(kinds == PALM):
        if patch := cast_capsule(ends[i], radii[i], size):
            field.add(patch, int(i), 2.0 * scale)
    corners, corner_growth = projection.points(surface.triangles_mm)
    thickness = surface.triangle_radii_mm * corner_growth
    for j in range(len(corners)):
        if flat := cast_triangle(corners[j], thickness[j], size):
            field.add(flat, palm)
    field.smooth(4.0 * scale)
    for i in np.flatnonzero(kinds == ARM):
        if patch := cast_capsule(ends[i], radii[i], size):
            field.add(patch, int(i), 8.0 * scale)
    for i in np.flatnonzero(kinds > PALM):
        if patch := cast_capsule(ends[i], radii[i], size):
            starts = kinds[i] == FINGER and kinds[i - 1] != FINGER
            field.add(patch, int(i), 5.0 * scale if starts else 0.0)
    span = ends[:, 1] - ends[:, 0]
    pads = np.asarray(surface.pads @ projection.turn.T, np.float32)
    lengths = np.asarray(np.sqrt((span * span).sum(1)), np.float32)
    return field, Parts(kinds, pads, lengths, np.asarray(radii.mean(1), np.float32))


def _palm_lines(shape: HandShape) -> list[Array]:
    """The three great creases, in the hand's frame."""
    index, middle, ring, little = shape.knuckles_mm
    knots = (
        ((little, ring, middle, middle), ((-9.0, -8.0), (-2.0, -15.0), (0.0, -13.0), (9.0, 0.0))),
        ((index, middle, ring, little), ((10.0, -22.0), (4.0, -32.0), (-2.0, -42.0), (-2.0, -46.0))),
        ((index, middle, middle, middle), ((10.0, -24.0), (6.0, -38.0), (0.0, -58.0), (-2.0, -79.0))),
    )
    return [np.array(near) + np.array([(x, y, FRONT_MM) for x, y in moved]) for near, moved in knots]
