"""Several frames as one: hands, and the people they belong to, as small as they are far from a camera.

Mosaic of YOLOv4 (Bochkovskiy et al., arXiv 2004.10934, section 3.3); here frames are shrunk whole and none is cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from openautoglm.data.frames import NUM_LANDMARKS, Frame

SIDE = 2
"""Cells in a row and in a column."""


def join_frames(canvas: Image.Image, frames: Sequence[Frame | None], rng: np.random.Generator) -> Frame:
    """Paste frames into the cells of a canvas, each as large as it fits, anywhere in its cell.

    Args:
        canvas: what shows beside them.
        frames: one a cell, row by row; None leaves it as it is.
        rng: places them.

    Returns:
        The canvas with all hands; complete if all frames are.
    """
    joined = canvas.copy()
    cell = np.array(canvas.size) // SIDE
    boxes, labels, landmarks = [np.empty((0, 4))], [np.empty(0, np.int64)], [np.empty((0, NUM_LANDMARKS, 2))]
    for number, frame in enumerate(frames):
        if frame is None:
            continue
        height, width = frame.image.shape[:2]
        fitted = np.maximum(1, np.floor(np.array([width, height]) * (cell / [width, height]).min())).astype(int)
        scale = fitted / [width, height]
        corner = cell * (number % SIDE, number // SIDE) + np.floor(rng.random(2) * (cell - fitted + 1)).astype(int)
        small = Image.fromarray(frame.image).resize((int(fitted[0]), int(fitted[1])), Image.Resampling.BILINEAR)
        joined.paste(small, (int(corner[0]), int(corner[1])))
        boxes.append(frame.boxes_px * np.tile(scale, 2) + np.tile(corner, 2))
        labels.append(frame.labels)
        landmarks.append(frame.landmarks_px * scale + corner)
    return Frame(
        image=np.asarray(joined),
        boxes_px=np.concatenate(boxes).astype(np.float32),
        labels=np.concatenate(labels),
        landmarks_px=np.concatenate(landmarks).astype(np.float32),
        complete=all(frame.complete for frame in frames if frame is not None),
    )
