"""Decoded frames on disk: annotated pictures in, memory-mapped ``FrameSet`` parts out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.cache import ArrayWriter, open_array
from openautoglm.data.frames import NUM_LANDMARKS, FrameSet
from openautoglm.data.images import load_bounded
from openautoglm.data.store import Meta, in_order, read_meta, warn_left_out, write_meta
from openautoglm.progress import progress_bar

_ASPECT_TOLERANCE = 0.02
COLUMNS = ("sizes_px", "num_hands", "boxes_px", "labels", "landmarks_px", "complete", "frame_labels")
"""Arrays of a part beside its pixels, named as in ``FrameSet``."""


@dataclass(frozen=True, kw_only=True)
class MarkedHand:
    """One hand before its picture is decoded.

    Attributes:
        box: x0, y0, x1, y1 as parts of the picture's width and height, ``(4,)`` float64.
        label: class index or -1.
        landmarks: as parts of width and height, ``(21, 2)`` float64, or None.
    """

    box: NDArray[np.float64]
    label: int
    landmarks: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class MarkedFrame:
    """One annotated picture before decoding.

    Attributes:
        source: its bytes or its file.
        image_id: name that people can find it by.
        part: the part of the store it goes to, such as ``"train"``.
        hands: those with a box.
        complete: whether they are all there are.
        frame_label: class index or -1.
        size_px: width and height that the annotation was made for, where it says so.
        notes: what of its annotation was left out.
        problem: why the whole frame is left out, known beforehand.
    """

    source: bytes | Path
    image_id: str
    part: str
    hands: tuple[MarkedHand, ...]
    complete: bool
    frame_label: int
    size_px: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


def corners(box: object) -> list[float]:
    """``[x, y, width, height]`` of a JSON file to ``[x0, y0, x1, y1]``.

    Raises:
        ValueError: with the reason, when it is something else.
    """
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int | float) for value in box):
        raise ValueError("not four numbers")
    x, y, width, height = box
    return [x, y, x + width, y + height]


def mark_hand(box: Sequence[float], label: int, landmarks: object = None) -> MarkedHand:
    """Check a hand's numbers; what of the box lies outside the picture is cut off.

    Args:
        box: x0, y0, x1, y1 as parts of width and height.
        label: class index or -1.
        landmarks: 21 points as parts of width and height; anything else counts as none.

    Raises:
        ValueError: with the reason, when it is no box.
    """
    inside = np.clip(np.asarray(box, np.float64), 0.0, 1.0)
    if not (inside[:2] < inside[2:]).all():  # NaN is not less than anything
        raise ValueError("empty or outside the picture")
    return MarkedHand(box=inside, label=label, landmarks=_points(landmarks))


def write_frames(
    frames: Iterable[MarkedFrame], folder: Path, *, parts: Sequence[str], longest_px: int, total: int, title: str
) -> None:
    """Decode frames, in order, into one set of arrays for each part; what cannot be read is named and left out.

    Args:
        frames: what to decode.
        folder: empty folder.
        parts: names of the parts.
        longest_px: longer pictures are shrunk to this.
        total: number of frames, for the progress bar.
        title: what the progress bar says.
    """
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar())
        task = bar.add_task(title, total=total)
        out = {
            part: _Part(stack.enter_context(ArrayWriter(path=_pixels(folder, part), item_shape=(), dtype=np.uint8)))
            for part in parts
        }
        for frame, image in in_order(frames, lambda frame: _decode(frame, longest_px)):
            out[frame.part].add(frame, image)
            bar.advance(task)
    for part, content in out.items():
        content.finish(folder, part)


def open_frames(folder: Path, part: str, *, name: str, classes: tuple[str, ...]) -> FrameSet:
    """Open one part of a store; pixels stay on disk until they are used."""
    meta = read_meta(folder, part)
    warn_left_out(name, meta.problems, num_kept=len(meta.ids))
    columns: dict[str, Any] = {key: np.array(open_array(folder / f"{part}-{key}.npy")) for key in COLUMNS}
    return FrameSet(
        name=name,
        classes=classes,
        ids=meta.ids,
        fingerprint=hashlib.sha256(f"{meta.fingerprint}{classes}".encode()).hexdigest(),
        pixels=open_array(_pixels(folder, part)),
        problems=meta.problems,
        **columns,
    )


@dataclass
class _Part:
    pixels: ArrayWriter
    sizes_px: list[tuple[int, int]] = field(default_factory=list)
    hands: list[tuple[MarkedHand, ...]] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)
    frame_labels: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, frame: MarkedFrame, image: NDArray[np.uint8] | str) -> None:
        if isinstance(image, str):
            self.problems.append(image)
            return
        self.problems += [f"{frame.image_id}: {note}" for note in frame.notes]
        self.pixels.append(image.reshape(-1))
        self.digest.update(image.tobytes())
        self.sizes_px.append((image.shape[0], image.shape[1]))
        self.hands.append(frame.hands)
        self.complete.append(frame.complete)
        self.frame_labels.append(frame.frame_label)
        self.ids.append(frame.image_id)

    def finish(self, folder: Path, part: str) -> None:
        sizes_px = np.array(self.sizes_px, np.int64).reshape(-1, 2)
        num_hands = np.array([len(hands) for hands in self.hands], np.int64)
        hands = [hand for frame in self.hands for hand in frame]
        scale = np.repeat(sizes_px[:, ::-1], num_hands, axis=0).astype(np.float64)
        boxes = np.array([hand.box for hand in hands], np.float64).reshape(-1, 2, 2)
        none = np.full((NUM_LANDMARKS, 2), np.nan)
        landmarks = [none if hand.landmarks is None else hand.landmarks for hand in hands]
        columns: dict[str, NDArray[Any]] = {
            "sizes_px": sizes_px,
            "num_hands": num_hands,
            "boxes_px": (boxes * scale[:, None]).reshape(-1, 4).astype(np.float32),
            "labels": np.array([hand.label for hand in hands], np.int64),
            "landmarks_px": (np.array(landmarks).reshape(-1, NUM_LANDMARKS, 2) * scale[:, None]).astype(np.float32),
            "complete": np.array(self.complete, bool),
            "frame_labels": np.array(self.frame_labels, np.int64),
        }
        for key in COLUMNS:
            self.digest.update(columns[key].tobytes())
            np.save(folder / f"{part}-{key}.npy", columns[key])
        meta = Meta(fingerprint=self.digest.hexdigest(), ids=tuple(self.ids), problems=tuple(self.problems))
        write_meta(folder, part, meta)


def _pixels(folder: Path, part: str) -> Path:
    return folder / f"{part}-pixels.npy"


def _decode(frame: MarkedFrame, longest_px: int) -> NDArray[np.uint8] | str:
    try:
        if frame.problem:
            raise ValueError(frame.problem)
        image = load_bounded(frame.source, longest_px)
        if frame.size_px is not None:
            _check_aspect(image, *frame.size_px)
        return image
    except ValueError as error:
        return f"{frame.image_id}: {error}"


def _check_aspect(image: NDArray[np.uint8], width_px: float, height_px: float) -> None:
    """Refuse boxes that were drawn on another picture, or on this one before it was turned upright."""
    height, width = image.shape[:2]
    # one pixel of rounding may be much of a thin picture
    if abs(width * height_px - height * width_px) > _ASPECT_TOLERANCE * height * width_px + max(width_px, height_px):
        raise ValueError(f"its annotation is for {width_px:g} x {height_px:g} px, the picture is {width} x {height}")


def _points(landmarks: object) -> NDArray[np.float64] | None:
    try:
        points = np.asarray(landmarks, np.float64)
    except (TypeError, ValueError):
        return None
    if points.ndim != 2 or len(points) != NUM_LANDMARKS or points.shape[1] < 2:
        return None
    return points[:, :2] if np.isfinite(points[:, :2]).all() else None
