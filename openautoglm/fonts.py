"""A font that can draw what people call their gestures: Pillow's own stops at ASCII."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_NOTHING = "\uffff"
"""No character: it is drawn as every missing one is."""
_PLACES = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
_SUFFIXES = frozenset({".ttf", ".ttc", ".otf"})


def font_for(texts: Iterable[str], size: int) -> Font:
    """The first font that draws all of some texts, else the one that misses the fewest letters.

    Pillow's default comes first, then the DejaVu that matplotlib brings along (European letters, Cyrillic, Greek,
    Arabic), then whatever is installed.

    Args:
        texts: what is going to be drawn.
        size: in pixels.
    """
    letters = "".join(sorted(set("".join(texts))))
    path = _path_for(letters)
    return ImageFont.load_default(size=size) if path is None else ImageFont.truetype(path, size)


@lru_cache(maxsize=64)
def _path_for(letters: str) -> Path | None:
    """File of the font; None for Pillow's default."""
    best, fewest = None, _num_missing(ImageFont.load_default(size=12), letters)
    for path in _installed() if fewest else ():
        try:
            missing = _num_missing(ImageFont.truetype(path, 12), letters)
        except OSError:  # a bitmap font, or a broken file
            continue
        if missing < fewest:
            best, fewest = path, missing
        if not fewest:
            break
    return best


def _num_missing(font: Font, letters: str) -> int:
    nothing = _drawn(font, _NOTHING)
    return sum(not letter.isspace() and _drawn(font, letter) == nothing for letter in letters)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _installed() -> Iterator[Path]:
    """DejaVu Sans of matplotlib, then fonts of the system, regular ones first."""
    if (spec := find_spec("matplotlib")) is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    found = (path for place in _PLACES for path in Path(place).expanduser().rglob("*"))
    fonts = [path for path in found if path.suffix.lower() in _SUFFIXES]
    yield from sorted(fonts, key=lambda path: ("regular" not in path.stem.lower(), path.as_posix()))
