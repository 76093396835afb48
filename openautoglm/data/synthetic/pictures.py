"""Which picture stands at which row: everything follows from the settings, the split and the row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from openautoglm.data.base import Split
from openautoglm.data.synthetic.gestures import find_gestures
from openautoglm.data.synthetic.scene import Person, Picture, render_picture

RENDERER_VERSION = 1
"""Raise it whenever the same settings give other pixels: caches are found by it."""

NUM_PERSONS = {"train": 1000, "dev": 100, "test": 300}
SPLIT_CODES = {"train": 0, "dev": 1, "test": 2}
_PERSON, _PICTURE = 0, 1


@dataclass(frozen=True)
class PictureSettings:
    """All that decides the pictures of a split.

    Attributes:
        classes: names of the gestures, in the order of their labels.
        image_size: side in pixels.
        seed: of the whole data set.
        split: its persons occur in no other split.
        occlusion: whether things may lie in front of hands.
    """

    classes: tuple[str, ...]
    image_size: int
    seed: int
    split: Split
    occlusion: bool


@dataclass(frozen=True)
class Row:
    """One picture with its label and the number of its person within the split."""

    picture: Picture
    label: int
    person: int


@lru_cache(maxsize=4096)
def draw_person(seed: int, split: Split, number: int) -> Person:
    """A person of a split: each split draws from a stream of its own."""
    return Person.sample(np.random.default_rng([seed, SPLIT_CODES[split], _PERSON, number]))


def label_of(settings: PictureSettings, index: int) -> int:
    """Labels go round the classes, so any stretch of rows is balanced."""
    return index % len(settings.classes)


def render_row(settings: PictureSettings, index: int) -> Row:
    """Render the picture of a row."""
    label = label_of(settings, index)
    rng = np.random.default_rng([settings.seed, SPLIT_CODES[settings.split], _PICTURE, index])
    number = int(rng.integers(NUM_PERSONS[settings.split]))
    person = draw_person(settings.seed, settings.split, number)
    gesture = find_gestures(settings.classes)[label]
    picture = render_picture(gesture, person, rng, size=settings.image_size, occlusion=settings.occlusion)
    return Row(picture, label, number)
