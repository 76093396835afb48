"""Whole frames: people in a room with up to three hands in view, each with its box, landmarks and gesture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from openautoglm.data.base import Split
from openautoglm.data.draws import uniform
from openautoglm.data.frames import NO_GESTURE
from openautoglm.data.synthetic.backdrop import draw_backdrop, draw_occluder
from openautoglm.data.synthetic.gestures import find_gestures
from openautoglm.data.synthetic.idle import sample_idle
from openautoglm.data.synthetic.photo import take_photo
from openautoglm.data.synthetic.pictures import NUM_PERSONS, SPLIT_CODES, draw_person
from openautoglm.data.synthetic.scene import OVERSAMPLING, HeldHand, Person, Projection, draw_hand, hull, sample_cloth
from openautoglm.data.synthetic.skin import Light
from openautoglm.data.synthetic.surface import ARM

Array = NDArray[np.float64]
FRAME_VERSION = 1
"""Raise it whenever the same settings give other pixels: caches are found by it."""
MOST_HANDS = 3

_SIZE, _FRAME = 2, 3
_ASPECTS = ((4, 3), (4, 3), (3, 4), (3, 4), (16, 9), (9, 16))
_NUM_HANDS = (0.08, 0.47, 0.33, 0.12)
_SMALLEST, _LARGEST = 0.08, 0.60
_GRID = 3
"""Canvas pixels that make a whole number of frame pixels: 3 / OVERSAMPLING is 2."""


@dataclass(frozen=True)
class FrameSettings:
    """All that decides the frames of a split.

    Attributes:
        classes: names of the gestures and ``no_gesture``, in the order of their labels.
        longest_px: longer side of the frames.
        seed: of the whole data set.
        split: its persons occur in no other split.
        occlusion: whether things may lie in front of hands.
    """

    classes: tuple[str, ...]
    longest_px: int
    seed: int
    split: Split
    occlusion: bool


@dataclass(frozen=True)
class SceneHand:
    """One hand in a frame: class index, box x0 y0 x1 y1 inside the frame, 21 landmarks."""

    label: int
    box_px: NDArray[np.float32]
    landmarks_px: NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A rendered frame, ``(h, w, 3)``, and its hands."""

    image: NDArray[np.uint8]
    hands: tuple[SceneHand, ...]


@dataclass(frozen=True)
class _Actor:
    """Whose hand it is: hand and skin, the sleeve's colour, how large the hand looks in the frame."""

    person: Person
    cloth: NDArray[np.float32]
    hand_px: float


@dataclass(frozen=True)
class _Placed:
    """A hand with its place in the frame; the projection leads to canvas pixels, the box is in frame pixels."""

    label: int
    actor: _Actor
    held: HeldHand
    projection: Projection
    box_px: Array


def frame_sizes(settings: FrameSettings, num_rows: int) -> NDArray[np.int64]:
    """Height and width of the first rows, ``(n, 2)``, even."""
    draws = uniform(settings.seed, SPLIT_CODES[settings.split], _SIZE, np.arange(num_rows), num=1)[:, 0]
    shapes = np.array(_ASPECTS)[(draws * len(_ASPECTS)).astype(np.int64), ::-1]
    halves = np.rint(settings.longest_px / 2 * shapes / shapes.max(1, keepdims=True))
    sizes: NDArray[np.int64] = 2 * halves.astype(np.int64)
    return sizes


def render_frame(settings: FrameSettings, index: int, size: tuple[int, int]) -> Scene:
    """Render the frame of a row.

    Args:
        settings: of the split.
        index: the row.
        size: height and width of that row, see ``frame_sizes``.
    """
    rng = np.random.default_rng([settings.seed, SPLIT_CODES[settings.split], _FRAME, index])
    light, labels = Light.sample(rng), _choose_labels(settings, index, rng)
    placed: list[_Placed] = []
    for actor, label in zip(_choose_actors(settings, len(labels), size, rng), labels, strict=True):
        others = [other for other in placed if other.actor.person is actor.person]
        held = _hold(settings.classes[label], actor.person, others, rng)
        if found := _place(held, actor.hand_px, size, [other.box_px for other in placed], rng):
            placed.append(_Placed(label, actor, held, *found))
    image = _draw_room(rng, size, placed)
    for hand in placed:
        _paste(image, hand, light, rng)
    # A stream of its own: the same frame with and without things in the way, for paired comparisons.
    things = np.random.default_rng(int(rng.integers(2**32)))
    if settings.occlusion and placed and things.random() < 0.25:
        _occlude(things, image, placed[int(things.integers(len(placed)))])
    hands = tuple(
        SceneHand(
            hand.label,
            np.clip(hand.box_px, 0.0, [size[1], size[0], size[1], size[0]]).astype(np.float32),
            _landmarks(hand).astype(np.float32),
        )
        for hand in placed
    )
    return Scene(take_photo(rng, image, blur_scale=1.0), hands)


def _choose_labels(settings: FrameSettings, index: int, rng: np.random.Generator) -> list[int]:
    """The first hand makes the frame's gesture, which goes round the classes; most others are idle."""
    idle = settings.classes.index(NO_GESTURE)
    gestures = [label for label in range(len(settings.classes)) if label != idle]
    main = gestures[index % len(gestures)]
    count = int(rng.choice(len(_NUM_HANDS), p=_NUM_HANDS))
    labels = [idle if rng.random() < 0.1 else main]
    for _ in range(1, MOST_HANDS):
        kind = rng.random()
        labels.append(idle if kind < 0.5 else main if kind < 0.75 else int(rng.choice(gestures)))
    return labels[:count]


def _choose_actors(
    settings: FrameSettings, count: int, size: tuple[int, int], rng: np.random.Generator
) -> list[_Actor]:
    """One person shows one hand or two; the third hand is somebody else's."""
    actors: list[_Actor] = []
    for number in range(count):
        if number == 1 and rng.random() < 0.7:
            hand_px = actors[0].hand_px * float(rng.uniform(0.85, 1.18))
            actors.append(replace(actors[0], hand_px=min(hand_px, _LARGEST * size[0])))
            continue
        person = draw_person(settings.seed, settings.split, int(rng.integers(NUM_PERSONS[settings.split])))
        hand_px = float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(_LARGEST)))) * size[0]
        actors.append(_Actor(person, sample_cloth(rng), min(hand_px, 0.8 * min(size))))
    return actors


def _hold(name: str, person: Person, others: list[_Placed], rng: np.random.Generator) -> HeldHand:
    """A person's second hand is the other one."""
    gesture = sample_idle(rng) if name == NO_GESTURE else find_gestures((name,))[0]
    held = HeldHand.sample(gesture, person, rng)
    return replace(held, is_right=not others[0].held.is_right) if others else held


def _place(
    held: HeldHand, hand_px: float, size: tuple[int, int], others: list[Array], rng: np.random.Generator
) -> tuple[Projection, Array] | None:
    """Find room for a hand: rarely cut by the frame's edge, hardly over another one; None if there is none."""
    loose = Projection.towards(held, rng)
    box = hull(held.surface, loose)
    px_per_mm = hand_px / float((box[2:] - box[:2]).max())
    extent = px_per_mm * (box[2:] - box[:2])
    beyond = 0.25 * extent if rng.random() < 0.12 else np.zeros(2)
    for _ in range(10):
        corner = -beyond + rng.random(2) * (np.array([size[1], size[0]]) - extent + 2 * beyond)
        found = np.concatenate([corner, corner + extent])
        if all(_overlap(found, other) < 0.1 for other in others):
            return loose.placed(OVERSAMPLING * px_per_mm, OVERSAMPLING * corner, box), found
    return None


def _overlap(one: Array, two: Array) -> float:
    """Shared part of the smaller box."""
    shared = np.clip(np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2]), 0.0, None).prod()
    return float(shared / min((box[2:] - box[:2]).prod() for box in (one, two)))


def _draw_room(rng: np.random.Generator, size: tuple[int, int], placed: list[_Placed]) -> Image.Image:
    """A backdrop with the people whose hands are in view, a little out of focus."""
    height, width = size
    skin = placed[0].actor.person.skin.back if placed else Person.sample(rng).skin.back
    backdrop = draw_backdrop(rng, max(size), skin)
    left, top = (int(rng.integers(max(size) - side + 1)) for side in (width, height))
    image = backdrop.crop((left, top, left + width, top + height))
    known: list[Person] = []
    for hand in placed:
        _draw_body(rng, ImageDraw.Draw(image), hand, arm_only=any(hand.actor.person is person for person in known))
        known.append(hand.actor.person)
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.6))))


def _draw_body(rng: np.random.Generator, draw: ImageDraw.ImageDraw, hand: _Placed, *, arm_only: bool) -> None:
    """From the elbow, where the rendered arm ends, to the shoulder of somebody who faces the camera."""
    surface = hand.held.surface
    is_arm = surface.kinds == ARM
    ends, growth = hand.projection.points(surface.ends_mm[is_arm, 1])
    x, y = (float(v) for v in ends[:, :2].mean(0) / OVERSAMPLING)
    thick = 1.5 * float((surface.radii_mm[is_arm, 1] * growth).mean()) / OVERSAMPLING
    scale = hand.projection.px_per_mm / OVERSAMPLING * float(rng.uniform(0.5, 0.95))
    inwards = 1.0 if hand.held.is_right else -1.0
    shoulder_x = x + inwards * float(rng.uniform(-40.0, 140.0)) * scale
    shoulder_y = y - float(rng.uniform(60.0, 260.0)) * scale
    skin, cloth = hand.actor.person.skin.back.astype(float), hand.actor.cloth.astype(float)
    shaded = tuple(int(v) for v in 0.8 * cloth)
    if not arm_only:
        half, middle, head = 200.0 * scale, shoulder_x + inwards * 185.0 * scale, 85.0 * scale
        hair = tuple(int(v) for v in rng.uniform(15, 110) * np.array([1.0, 0.8, 0.65]))
        face = tuple(int(v) for v in skin * rng.uniform(0.7, 1.0))
        neck = shoulder_y - 15.0 * scale
        draw.ellipse((middle - 1.1 * head, neck - 3.1 * head, middle + 1.1 * head, neck - 0.6 * head), fill=hair)
        draw.ellipse((middle - 0.9 * head, neck - 2.8 * head, middle + 0.9 * head, neck - 0.2 * head), fill=face)
        draw.rectangle((middle - 0.45 * head, neck - 0.6 * head, middle + 0.45 * head, neck + 0.4 * head), fill=face)
        draw.rounded_rectangle((middle - half, neck, middle + half, neck + 4 * half), radius=0.5 * half, fill=shaded)
    color = tuple(int(v) for v in 0.75 * skin) if hand.held.is_bare else shaded
    draw.line((x, y, shoulder_x, shoulder_y), fill=color, width=max(1, round(2 * thick)))
    draw.ellipse((x - thick, y - thick, x + thick, y + thick), fill=color)


def _paste(image: Image.Image, hand: _Placed, light: Light, rng: np.random.Generator) -> None:
    """Render only the part of the frame that the hand and its arm can cover."""
    canvas = OVERSAMPLING * np.array(image.size)
    box = hull(hand.held.surface, hand.projection, with_arm=True).reshape(2, 2)
    x0, y0 = (int(v) * _GRID for v in np.floor(np.clip(box[0], 0, canvas) / _GRID))
    x1, y1 = (int(v) * _GRID for v in np.ceil(np.clip(box[1], 0, canvas) / _GRID))
    shift = (hand.projection.shift_px[0] - x0, hand.projection.shift_px[1] - y0)
    layer = draw_hand(
        hand.held,
        replace(hand.projection, shift_px=shift),
        (y1 - y0, x1 - x0),
        cloth=hand.actor.cloth,
        light=light,
        rng=rng,
    )
    width, height = round((x1 - x0) / OVERSAMPLING), round((y1 - y0) / OVERSAMPLING)
    small = Image.fromarray(layer).resize((width, height), Image.Resampling.BOX)
    image.paste(small, (round(x0 / OVERSAMPLING), round(y0 / OVERSAMPLING)), small)


def _occlude(rng: np.random.Generator, image: Image.Image, hand: _Placed) -> None:
    """Put a thing in the way of a hand that is in proportion to the hand."""
    x0, y0, x1, y1 = (int(v) for v in hand.box_px)
    side = max(x1 - x0, y1 - y0, 8)
    window = (x0, y0, x0 + side, y0 + side)
    region, landmarks = image.crop(window), _landmarks(hand) - [x0, y0]
    draw_occluder(rng, region, landmarks[0], landmarks[9])
    image.paste(region, (x0, y0))


def _landmarks(hand: _Placed) -> Array:
    return hand.projection.points(hand.held.skeleton.joints_mm)[0][:, :2] / OVERSAMPLING
