"""Boxes that nets found in the frames of a data set, as a file beside it: ``boxes.json``.

``frames`` maps an id to ``bboxes``, ``labels`` and ``complete``: what an entry of HaGRID's annotations holds, so that
such an entry is overlaid by them. The pictures and annotations of the data set stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openautoglm.files import write_json

_FIELDS = ("bboxes", "labels", "complete")


@dataclass(frozen=True, kw_only=True)
class PseudoBoxes:
    """All hands of one frame, as nets see them.

    Attributes:
        bboxes: x, y, width and height of each as parts of the frame's width and height.
        labels: the gesture of each, None where it is not known.
        complete: whether there are no further hands in the frame; otherwise its background teaches nothing.
    """

    bboxes: tuple[tuple[float, float, float, float], ...]
    labels: tuple[str | None, ...]
    complete: bool


def write_boxes(path: Path, frames: Mapping[str, PseudoBoxes], facts: Mapping[str, Any]) -> None:
    """Write the hands of each frame, by its id, and how they were found."""
    entries = {
        image_id: {
            "bboxes": [[round(edge, 5) for edge in box] for box in found.bboxes],
            "labels": list(found.labels),
            "complete": found.complete,
        }
        for image_id, found in sorted(frames.items())
    }
    write_json(path, {**facts, "frames": entries})


def read_boxes(path: str | Path) -> dict[str, dict[str, Any]]:
    """What ``write_boxes`` has left: the fields of each frame, by its id.

    Raises:
        ValueError: there is no such file, or it is another one.
    """
    file = Path(path).expanduser()
    try:
        frames = json.loads(file.read_text(encoding="utf-8"))["frames"]
        return {image_id: {name: entry[name] for name in _FIELDS} for image_id, entry in frames.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is no file of boxes that nets found ({type(error).__name__}: {error}); give the boxes.json that "
            "recipe=box_frames leaves"
        ) from None
