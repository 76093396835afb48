"""From a file or its bytes to a square RGB picture: upright, padded with grey, never stretched."""

from __future__ import annotations

import io
import struct
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from openautoglm.types import PADDING, Fit

DECODE_VERSION = 1
"""Raised when the pixels that come out change; part of every cache key."""
SUFFIXES = frozenset(
    f".{name}" for name in ("jpg", "jpeg", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff", "avif", "heic", "heif")
)
"""Names that count as pictures in a folder; one that cannot be read is reported, not passed over."""
_HEIF = frozenset((".heic", ".heif"))


def load_square(source: bytes | Path, image_size: int) -> NDArray[np.uint8]:
    """Decode a picture to ``(image_size, image_size, 3)`` RGB.

    Raises:
        ValueError: with the reason, when it cannot be decoded whole.
    """
    return pad_square(_decode(source, image_size), image_size)


def load_bounded(source: bytes | Path, longest_px: int) -> NDArray[np.uint8]:
    """Decode a picture to ``(h, w, 3)`` RGB, upright and shrunk so that no side is longer than ``longest_px``.

    Raises:
        ValueError: with the reason, when it cannot be decoded whole.
    """
    picture = _decode(source, longest_px)
    if max(picture.size) > longest_px:
        fit = Fit.into(*picture.size, longest_px)
        picture = picture.resize((fit.width, fit.height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(picture)


def decode(source: bytes | Path) -> NDArray[np.uint8]:
    """Decode a picture to ``(h, w, 3)`` RGB at its own size, upright."""
    return np.asarray(_decode(source, None))


def pad_square(picture: Image.Image, image_size: int) -> NDArray[np.uint8]:
    """Scale the longer side of an RGB picture to ``image_size`` and centre it on grey."""
    fit = Fit.into(*picture.size, image_size)
    # PIL widens the bilinear filter when shrinking, so it does not alias; the gap bounds its cost on photographs
    fitted = picture.resize((fit.width, fit.height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    square = np.full((image_size, image_size, 3), PADDING, np.uint8)
    square[fit.top : fit.top + fit.height, fit.left : fit.left + fit.width] = np.asarray(fitted)
    return square


def _decode(source: bytes | Path, image_size: int | None) -> Image.Image:
    if isinstance(source, Path) and source.suffix.lower() in _HEIF and not _reads_heif():
        raise ValueError("HEIC pictures need a further package: pip install 'openautoglm[heic]'")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # odd EXIF: the pixels are what counts
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
                if image_size is not None and picture.format == "JPEG":
                    picture.draft("RGB" if picture.mode == "RGB" else picture.mode, (3 * image_size, 3 * image_size))
                picture.load()
                return _to_rgb(_upright(picture))
    except UnidentifiedImageError:
        raise ValueError("not a picture in a known format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError("more pixels than a photograph has") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, MemoryError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


@cache
def _reads_heif() -> bool:
    """Whether there is a library for the pictures of Apple's phones; Pillow learns to use it."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF raises nearly anything and says nothing about the pixels
        return picture


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith(("I", "F")):
        return _from_wide(picture)
    if picture.mode in ("LA", "PA", "La", "RGBa", "RGBA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        ground = Image.new("RGBA", clear.size, (PADDING, PADDING, PADDING, 255))
        return Image.alpha_composite(ground, clear).convert("RGB")
    return picture.convert("RGB")


def _from_wide(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or float in [0, 1], to RGB."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32))
    if picture.mode == "F":
        values = values * (255.0 if values.max(initial=0.0) <= 1.0 else 1.0)
    elif picture.mode.startswith("I;16") or values.max(initial=0.0) > 255:
        values = values / 257.0
    grey = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
