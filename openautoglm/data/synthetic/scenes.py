"""``data=scenes``: rendered whole frames with up to three hands, as a source of frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import Split
from openautoglm.data.cache import cached_arrays, content_key, open_array
from openautoglm.data.frames import NO_GESTURE, FrameSet
from openautoglm.data.synthetic.frame import FRAME_VERSION, FrameSettings, frame_sizes
from openautoglm.data.synthetic.gestures import DEFAULT_CLASSES, find_gestures
from openautoglm.data.synthetic.pictures import RENDERER_VERSION
from openautoglm.data.synthetic.rendering import render_split
from openautoglm.tensors import UNLABELLED

_SMALLEST, _LARGEST = 160, 512


class SyntheticScenes:
    """Rendered frames: rendered once, then read from the cache. The hands of test occur in no other split.

    Args:
        longest_px: longer side of the frames, which are wide or upright.
        num_train: frames in ``train``.
        num_dev: frames in ``dev``.
        num_test: frames in ``test``.
        seed: another seed gives other persons and other frames.
        root: cache folder; ``cache_dir()`` when None.
        classes: gestures to draw, see ``gestures.GESTURES``; None takes ``DEFAULT_CLASSES``. Idle hands,
            ``no_gesture``, are always among them.
        occlusion: whether things may lie in front of hands.
        num_workers: rendering processes, which do not change the frames; None takes one for each core.
    """

    def __init__(
        self,
        *,
        longest_px: int = 320,
        num_train: int = 5_000,
        num_dev: int = 500,
        num_test: int = 1_000,
        seed: int = 0,
        root: str | Path | None = None,
        classes: Sequence[str] | None = None,
        occlusion: bool = True,
        num_workers: int | None = None,
    ) -> None:
        if not _SMALLEST <= longest_px <= _LARGEST:
            raise ValueError(f"longest_px={longest_px}: rendered frames are {_SMALLEST} to {_LARGEST} pixels long")
        if seed < 0:
            raise ValueError(f"seed={seed}: give a whole number from 0")
        if num_workers is not None and num_workers < 1:
            raise ValueError(f"num_workers={num_workers}: give at least 1, or null for one each core")
        gestures = tuple(name for name in (DEFAULT_CLASSES if classes is None else classes) if name != NO_GESTURE)
        find_gestures(gestures)
        self.name = "scenes"
        self.longest_px = longest_px
        self.mirror = True
        self.seed = seed
        self.root = root
        self.occlusion = occlusion
        self.num_workers = num_workers
        self._classes = tuple(sorted({*gestures, NO_GESTURE}))
        self._num_rows: dict[str, int] = {"train": num_train, "dev": num_dev, "test": num_test}
        for split, count in self._num_rows.items():
            if count < len(gestures):
                raise ValueError(f"num_{split}={count}: give one or more for each of {len(gestures)} gestures")

    def class_names(self) -> tuple[str, ...]:
        """Names of the gestures and ``no_gesture``, sorted."""
        return self._classes

    def load_frames(self, split: Split) -> FrameSet:
        """The frames of a split with boxes and landmarks, rendered first where the cache has none."""
        settings, count = self.settings(split), self._num_rows[split]
        folder = self._folder(split)
        num_hands = np.array(open_array(folder / "num_hands.npy"))
        labels = np.array(open_array(folder / "labels.npy"))
        there = np.arange(labels.shape[1]) < num_hands[:, None]
        return FrameSet(
            name=f"{self.name}/{split}",
            classes=self._classes,
            ids=tuple(f"{self.name}/{self.seed}/{split}/{index:06d}" for index in range(count)),
            fingerprint=str(json.loads((folder / "fingerprint.json").read_text(encoding="utf-8"))["fingerprint"]),
            pixels=open_array(folder / "images.npy"),
            sizes_px=frame_sizes(settings, count),
            num_hands=num_hands,
            boxes_px=np.array(open_array(folder / "boxes_px.npy"))[there],
            labels=labels[there],
            landmarks_px=np.array(open_array(folder / "landmarks_px.npy"))[there],
            complete=np.ones(count, bool),
            frame_labels=_frame_labels(labels, there, self._classes.index(NO_GESTURE)),
        )

    def settings(self, split: Split) -> FrameSettings:
        """What decides the frames of a split; ``frame.render_frame`` draws any row of it."""
        if split not in self._num_rows:
            raise ValueError(f"there is no split {split!r}: choose train, dev or test")
        return FrameSettings(self._classes, self.longest_px, self.seed, split, self.occlusion)

    def _folder(self, split: Split) -> Path:
        settings, count = self.settings(split), self._num_rows[split]
        key = content_key(RENDERER_VERSION, FRAME_VERSION, settings, count)
        return cached_arrays(
            f"{self.name}/{key}",
            lambda folder: render_split(folder, settings, count, self.num_workers),
            size_bytes=int(3 * frame_sizes(settings, count).prod(axis=1).sum()),
            root=self.root,
        )


def _frame_labels(labels: NDArray[np.int64], there: NDArray[np.bool_], idle: int) -> NDArray[np.int64]:
    """The gesture of a frame in which all hands that are not idle make the same one."""
    makes = there & (labels != idle)
    rows = np.arange(len(labels))
    first = labels[rows, makes.argmax(axis=1)]
    agree = (labels == first[:, None]) | ~makes
    return np.where(makes.any(axis=1) & agree.all(axis=1), first, UNLABELLED)
