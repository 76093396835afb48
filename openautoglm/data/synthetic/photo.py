"""What a camera does to a picture: exposure, colour balance, blur, few pixels, noise, compression."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

_GRAIN = 1 << 18
_LARGEST_PICTURE = 512 * 512 * 3


def take_photo(rng: np.random.Generator, image: Image.Image, *, blur_scale: float) -> NDArray[np.uint8]:
    """Degrade a clean picture the way webcams and phones do; a blur is up to ``blur_scale`` pixels wide."""
    if rng.random() < 0.3:
        share = rng.uniform(0.5, 0.9)
        few = (int(image.width * share), int(image.height * share))
        image = image.resize(few, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR)
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.0)) * blur_scale))
    if rng.random() < 0.3:
        image = ImageEnhance.Color(image).enhance(float(rng.uniform(0.75, 1.3)))
    pixels = np.asarray(image.point(_tone(rng)), np.float32)
    if rng.random() < 0.15:
        pixels = _smear(rng, pixels)
    level, start = np.float32(rng.uniform(0.5, 7.0)), int(rng.integers(_GRAIN))
    grain = _grain()[start : start + pixels.size].reshape(pixels.shape)
    result = np.clip(pixels + level * grain, 0.0, 255.0).astype(np.uint8)
    return _compress(rng, result) if rng.random() < 0.3 else result


@cache
def _grain() -> NDArray[np.float32]:
    """Noise that pictures take different stretches of: drawing it anew each time takes longer than casting the hand."""
    return np.random.default_rng(0).standard_normal(_GRAIN + _LARGEST_PICTURE, np.float32)


def _tone(rng: np.random.Generator) -> list[int]:
    """One curve for each colour, as a table of 256 values after each other."""
    gain = rng.uniform(0.72, 1.08) * np.exp(rng.normal(0.0, 0.035, (3, 1)))
    curve = np.clip(np.linspace(0.0, 1.0, 256) * gain, 0.0, 1.25) ** np.exp(rng.normal(0.0, 0.16))
    curve = 0.5 + (curve - 0.5) * rng.uniform(0.75, 1.15) + rng.normal(0.0, 0.03)
    table: list[int] = (np.clip(curve, 0.0, 1.0) * 255.0).round().astype(int).reshape(-1).tolist()
    return table


def _smear(rng: np.random.Generator, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A short movement during the exposure."""
    length, axis = int(rng.integers(2, 4)), int(rng.integers(2))
    shifted = [np.roll(pixels, i - length // 2, axis) for i in range(length)]
    return np.asarray(np.mean(shifted, axis=0), np.float32)


def _compress(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(45, 92)))
    return np.asarray(Image.open(buffer))
