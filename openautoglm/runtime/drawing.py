"""A frame with its hands drawn in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from openautoglm.fonts import font_for
from openautoglm.types import Hand

_COLOUR, _INK = (0, 114, 178), (255, 255, 255)


def draw_hands(pixels: NDArray[np.uint8], hands: Sequence[Hand]) -> Image.Image:
    """A copy of a frame with the box, label and score of each hand, the best on top.

    Args:
        pixels: RGB, ``(h, w, 3)``.
        hands: best first.
    """
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    unit = max(2, round(max(picture.size) / 250))
    font = font_for((hand.label for hand in hands), 6 * unit)
    for hand in reversed(hands):
        pen.rectangle(hand.box_px, outline=_COLOUR, width=unit)
        text = f"{hand.label} {hand.score:.2f}"
        _, _, width, height = pen.textbbox((0, 0), text, font=font)
        left = max(0, min(hand.box_px[0], picture.width - width - 2 * unit))
        top = max(0, hand.box_px[1] - height - 2 * unit)
        pen.rectangle((left, top, left + width + 2 * unit, top + height + 2 * unit), fill=_COLOUR)
        pen.text((left + unit, top + unit), text, fill=_INK, font=font)
    return picture
