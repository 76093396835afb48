"""Boxes that nets found in the frames of a data set, as a file beside it: ``boxes.json``.

``frames`` maps an id to ``bboxes``, ``labels`` and ``complete``: what an entry of HaGRID's annotations holds, so that
such an entry is overlaid by them. The pictures and annotations of the data set stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.data.frames import Frame
from openautoglm.files import write_json
from openautoglm.tensors import UNLABELLED

_FIELDS = ("bboxes", "labels", "complete")


def write_boxes(path: Path, frames: Mapping[str, Frame], classes: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Write hands and completeness of each frame, by its id, and how they were found.

    Args:
        path: of the file.
        frames: with the boxes that they are to have.
        classes: names of their labels.
        facts: further fields of the file.
    """
    entries = {image_id: _entry(frame, classes) for image_id, frame in sorted(frames.items())}
    write_json(path, {**facts, "frames": entries})


def _entry(frame: Frame, classes: Sequence[str]) -> dict[str, Any]:
    height, width = frame.image.shape[:2]
    limits = np.array([width, height, width, height])
    boxes = np.clip(frame.boxes_px.astype(np.float64), 0, limits)
    boxes[:, 2:] -= boxes[:, :2]
    return {
        "bboxes": (boxes / limits).round(5).tolist(),
        "labels": [None if label == UNLABELLED else classes[label] for label in frame.labels],
        "complete": frame.complete,
    }


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
