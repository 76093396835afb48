"""Bytes from the page to a picture: the content decides, not the name, and nothing of the file itself is kept."""

from __future__ import annotations

import io
import threading
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from openautoglm.data.images import load_bounded
from openautoglm.studio.refused import RefusedError

MAX_UPLOAD_BYTES = 20_000_000
"""Of any request; a photograph of a phone has 3 to 8 MB."""
LONGEST_PX = 640
"""Of a stored picture: the net sees a seventh of it."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
"""Pillow knows more, some of which call other programs."""
_DECODING = threading.Lock()
"""One picture at a time: a large one takes memory, and warnings are caught for the whole process."""


def decode_picture(content: bytes, longest_px: int = LONGEST_PX) -> NDArray[np.uint8]:
    """RGB ``(h, w, 3)``, upright, no side longer than ``longest_px``.

    Raises:
        RefusedError: it is no picture, or none that can be read whole.
    """
    if not content:
        raise RefusedError("The file is empty.")
    with _DECODING:
        try:
            Image.init()
            known = [name for name in _FORMATS if name in Image.OPEN]  # AVIF is not in every build
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # told by what comes next
                Image.open(io.BytesIO(content), formats=known).close()
            return load_bounded(content, longest_px)
        except UnidentifiedImageError:
            raise RefusedError("This file is not a picture that can be read: use JPEG, PNG or WebP.", 415) from None
        except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise RefusedError(f"This picture cannot be read: {error}.", 415) from None


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """The pixels alone: no place, no date, no name of a camera."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()
