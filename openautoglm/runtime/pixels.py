"""From whatever somebody calls a frame to RGB bytes, and from a piece of these to a program's input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.runtime.geometry import Placement
from openautoglm.types import PADDING

_REDUCING_GAP = 3.0
"""How many times larger a picture has to be to be averaged in whole pixels first; as in training, to the bit."""
_QUICK_GAP = 1.0
"""The same for a glance: a sixth of the time where a frame is twice as large, and hands are found as well."""
_OVERSHOOT = 1e-3
"""How far a float may leave [0, 1] by rounding."""
_EXPECTED = "expected (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)"


def as_rgb(frame: NDArray[Any]) -> NDArray[np.uint8]:
    """A frame as RGB bytes ``(h, w, 3)``; no copy if it is that already.

    Args:
        frame: grey ``(h, w)`` or ``(h, w, 1)``, RGB ``(h, w, 3)`` or RGBA ``(h, w, 4)``; integers from 0 to 255,
            floats in [0, 1], or black and white as booleans.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(frame, np.ndarray):
        raise ValueError(
            f"expected a frame as a numpy array (h, w, 3), got {type(frame).__name__}: convert it to an array of bytes"
        )
    pixels = frame[:, :, None] if frame.ndim == 2 else frame
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise ValueError(f"got a frame of shape {frame.shape}, {_EXPECTED}: one frame at a time, channels last")
    if pixels.size == 0:
        raise ValueError(f"got an empty frame of shape {frame.shape}, {_EXPECTED} with at least one pixel")
    values = _as_bytes(pixels)
    if values.shape[2] == 1:
        return np.broadcast_to(values, (*values.shape[:2], 3))
    return _on_grey(values) if values.shape[2] == 4 else values


def as_input(picture: Image.Image, placement: Placement, *, quick: bool = False) -> NDArray[np.float32]:
    """A piece of an RGB picture as a program takes it: RGB in [0, 1], ``(1, 3, size, size)``, grey around.

    Args:
        picture: the whole one.
        placement: which piece of it.
        quick: halve it, or more, by averaging whole pixels, and only then resize it with care.
    """
    left, top, right, bottom = placement.target_px
    fitted = picture.resize(
        (right - left, bottom - top),
        Image.Resampling.BILINEAR,  # widens its filter when it shrinks, so it does not alias
        box=placement.source_px,
        reducing_gap=_QUICK_GAP if quick else _REDUCING_GAP,
    )
    image = np.full((1, 3, placement.size, placement.size), PADDING / 255, np.float32)
    np.divide(np.asarray(fitted).transpose(2, 0, 1), np.float32(255), out=image[0, :, top:bottom, left:right])
    return image


def _as_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    kind = pixels.dtype.kind
    if pixels.dtype == np.uint8:
        return pixels
    if kind == "b":
        return pixels * np.uint8(255)
    if kind not in "iuf":
        raise ValueError(f"got a frame of dtype {pixels.dtype}, expected uint8, or floats in [0, 1]")
    low, high = float(pixels.min()), float(pixels.max())
    if kind in "iu":
        if low < 0 or high > 255:
            raise ValueError(f"got {pixels.dtype} values from {low:g} to {high:g}, expected 0 to 255: scale them")
        return pixels.astype(np.uint8)
    if not np.isfinite(pixels).all():
        raise ValueError("got a frame with NaN or infinity in it, expected floats in [0, 1]: mend it before")
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise ValueError(
            f"got {pixels.dtype} values from {low:g} to {high:g}, expected floats in [0, 1]: scale them, or give uint8"
        )
    steps: NDArray[np.uint8] = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return steps


def _on_grey(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA laid on grey."""
    rgb, alpha = rgba[:, :, :3], rgba[:, :, 3:]
    if (alpha == 255).all():
        return rgb
    opacity = alpha.astype(np.uint16)
    mixed = (rgb * opacity + np.uint16(PADDING) * (255 - opacity) + 127) // 255
    return mixed.astype(np.uint8)
