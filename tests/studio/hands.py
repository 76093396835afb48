"""Rendered hands for a camera or a folder of files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from openautoglm.data.synthetic.gestures import find_gestures
from openautoglm.data.synthetic.pictures import draw_person
from openautoglm.data.synthetic.scene import render_picture


def draw_hands(gesture: str, count: int, *, size: int = 240, seed: int = 0) -> list[Image.Image]:
    """Different hands of different persons that make a gesture."""
    (found,) = find_gestures((gesture,))
    random = np.random.default_rng([seed, count])
    persons = [draw_person(seed, "train", number) for number in range(count)]
    pictures = [render_picture(found, person, random, size=size, occlusion=False) for person in persons]
    return [Image.fromarray(picture.image) for picture in pictures]


def as_jpeg(picture: Image.Image) -> bytes:
    """The bytes of a JPEG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92)
    return file.getvalue()


def write_camera(path: Path, hands: list[Image.Image], *, repeats: int = 6) -> Path:
    """A video of 640 x 480 that shows each hand for a moment, over and over."""
    frames = []
    for hand in hands:
        frame = Image.new("RGB", (640, 480), (90, 100, 110))
        frame.paste(hand.resize((480, 480), Image.Resampling.LANCZOS), (80, 0))
        frames += [as_jpeg(frame)] * repeats
    path.write_bytes(b"".join(frames))
    return path
