"""Pictures of a run folder as ``data:`` addresses, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

MAX_SIDE_PX = 1600
MAX_SOURCE_PX = 60_000_000


def picture_address(run_folder: Path, relative: str | None, *, max_side_px: int = MAX_SIDE_PX) -> str | None:
    """A ``data:`` address, or None where the picture is missing, unreadable or outside the run folder.

    Pictures are encoded anew: nothing but pixels comes into the page, and large sheets shrink.
    """
    if not relative:
        return None
    path = (run_folder / relative).resolve()
    # A results.json may come from someone else: it must not pull other files into a page that is passed on.
    if not path.is_relative_to(run_folder.resolve()):
        return None
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_SOURCE_PX:
                return None
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if image.width * image.height > 200_000:
        image.save(buffer, "JPEG", quality=88, optimize=True)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
