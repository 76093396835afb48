"""What is behind and in front of the hand: rooms, clothes, skin-coloured distractors, thin things in the way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Color = tuple[int, int, int]


def _color(rng: np.random.Generator, base: NDArray[np.float64] | None = None, spread: float = 30.0) -> Color:
    if base is None:
        grey, tint = rng.uniform(15, 240), rng.normal(0.0, 1.0, 3)
        base = grey + tint * (45.0 if rng.random() < 0.35 else 14.0)
        spread = 0.0
    noise = rng.normal(0.0, 1.0, 3) * spread
    red, green, blue = (int(v) for v in np.clip(base + noise, 0, 255))
    return red, green, blue


def _box(rng: np.random.Generator, size: int, low: float, high: float) -> tuple[float, float, float, float]:
    x, y = rng.uniform(-0.1, 1.1, 2) * size
    w, h = rng.uniform(low, high, 2) * size
    return float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2)


def draw_backdrop(rng: np.random.Generator, size: int, skin: NDArray[np.float32]) -> Image.Image:
    """A cluttered room, often with the person's clothes, face or other arm in it."""
    coarse = int(rng.integers(2, 5))
    base = np.array(_color(rng), float)
    uneven = rng.normal(0, rng.uniform(3, 40), (coarse, coarse, 1)) + rng.normal(0, 9, (coarse, coarse, 3))
    image = Image.fromarray(np.clip(base + uneven, 0, 255).astype(np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.25:
        _stripes(rng, draw, size, base)
    for _ in range(int(rng.integers(0, 7))):
        _clutter(rng, draw, size)
    if rng.random() < 0.45:
        _person(rng, draw, size, skin)
    if rng.random() < 0.3:
        _sticks(rng, draw, size, skin)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 3.0)) * size / 96))
    grain = int(rng.integers(2, 7))
    cells = size // grain + 1
    level = float(rng.uniform(0.0, 10.0))
    speckle = (128.0 + level * rng.standard_normal((cells, cells), np.float32)).clip(0, 255).astype(np.uint8)
    texture = np.asarray(Image.fromarray(speckle).resize((size, size), Image.Resampling.BILINEAR), np.int16) - 128
    return Image.fromarray((np.asarray(image, np.int16) + texture[:, :, None]).clip(0, 255).astype(np.uint8))


def _stripes(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: int, base: NDArray[np.float64]) -> None:
    step, color = float(rng.uniform(0.05, 0.25)) * size, _color(rng, base, 25.0)
    slope = float(rng.choice([0.0, 0.0, rng.normal(0, 0.5)]))
    is_upright = rng.random() < 0.5
    for i in np.arange(-size, 2 * size, step):
        a, b = (float(i), 0.0), (float(i) + slope * size, float(size))
        line = [a, b] if is_upright else [a[::-1], b[::-1]]
        draw.line(line, fill=color, width=max(1, int(step * 0.4)))


def _clutter(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: int) -> None:
    kind, color = rng.integers(4), _color(rng)
    if kind == 0:
        draw.rectangle(_box(rng, size, 0.05, 0.6), fill=color)
    elif kind == 1:
        draw.ellipse(_box(rng, size, 0.05, 0.4), fill=color)
    elif kind == 2:
        points = rng.uniform(-0.1, 1.1, 4) * size
        draw.line([float(v) for v in points], fill=color, width=int(rng.integers(1, max(2, size // 14))))
    else:
        centre, spread = rng.uniform(0, size, 2), rng.uniform(0.1, 0.4) * size
        corners = centre + rng.normal(0, 1, (int(rng.integers(3, 6)), 2)) * spread
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=color)


def _person(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: int, skin: NDArray[np.float32]) -> None:
    """Shoulders and, higher up, a head out of focus."""
    x, top = float(rng.uniform(-0.3, 1.3)) * size, float(rng.uniform(0.0, 0.8)) * size
    half = float(rng.uniform(0.35, 0.9)) * size
    face = _color(rng, skin.astype(float) * rng.uniform(0.6, 1.05), 6.0)
    head = half * 0.42
    hair = _color(rng, np.array([50.0, 38.0, 30.0]), 22.0)
    draw.ellipse((x - head * 1.1, top - head * 2.7, x + head * 1.1, top - head * 0.2), fill=hair)
    draw.ellipse((x - head * 0.9, top - head * 2.2, x + head * 0.9, top + head * 0.25), fill=face)
    draw.rounded_rectangle((x - half, top, x + half, 3.0 * size), radius=half * 0.5, fill=_color(rng))


def _sticks(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: int, skin: NDArray[np.float32]) -> None:
    """Finger-like distractors, partly in the colour of the skin."""
    for _ in range(int(rng.integers(1, 4))):
        base = skin.astype(float) * rng.uniform(0.5, 1.0) if rng.random() < 0.5 else None
        start, turn = rng.uniform(0, size, 2), rng.uniform(0, 2 * np.pi)
        end = start + rng.uniform(0.15, 0.5) * size * np.array([np.cos(turn), np.sin(turn)])
        width = int(rng.uniform(0.03, 0.09) * size)
        draw.line([*map(float, start), *map(float, end)], fill=_color(rng, base, 8.0), width=max(1, width))


def draw_occluder(
    rng: np.random.Generator, image: Image.Image, wrist: NDArray[np.float64], knuckle: NDArray[np.float64]
) -> None:
    """Put something in the way, a patch over the wrist's end or a thin thing across: fingers stay readable."""
    draw, size = ImageDraw.Draw(image), image.width
    color = _color(rng)
    if rng.random() < 0.55:
        span = knuckle - wrist
        centre = wrist + rng.uniform(-0.2, 0.3) * span + rng.normal(0, 0.25) * span[::-1] * [1, -1]
        half = rng.uniform(0.05, 0.13, 2) * size
        box = (*(float(v) for v in centre - half), *(float(v) for v in centre + half))
        if rng.random() < 0.5:
            draw.ellipse(box, fill=color)
        else:
            draw.rounded_rectangle(box, radius=float(half.min()) * 0.4, fill=color)
        return
    start, end = rng.uniform(0, size, 2), rng.uniform(0, size, 2)
    width = max(1, round(float(rng.uniform(0.012, 0.035)) * size))
    draw.line([*map(float, start), *map(float, end)], fill=color, width=width)
