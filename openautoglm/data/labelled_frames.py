"""Whole frames in a folder a gesture, without a box: what is in each is known, where it is, is not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from openautoglm.data.base import Split
from openautoglm.data.cache import cached_arrays, content_key
from openautoglm.data.folder import speaks_of_sides
from openautoglm.data.frame_store import MarkedFrame, open_frames, write_frames
from openautoglm.data.frames import FrameSet
from openautoglm.data.images import DECODE_VERSION
from openautoglm.data.scan import Scan, scan_folder
from openautoglm.data.splits import align_frames, check_fractions

_PARTS: tuple[Split, ...] = ("train", "dev", "test")
_log = logging.getLogger(__name__)


class LabelledFrames:
    """Frames of ``root/<gesture>/`` or ``root/<split>/<gesture>/``, of a zip of these, or of videos in their places.

    Each shows a hand that makes the gesture. A net that has learnt boxes elsewhere, such as a released spotter, finds
    the hand by that alone and learns from it; figures are top-1 of the frame.

    Args:
        root: folder or zip file.
        longest_px: longer frames are shrunk to this.
        classes: names in the order of a model that the frames are for; other gestures stay, unlabelled. None takes the
            folders' names, sorted.
        dev_fraction: part of each gesture that chooses everything, where there is no folder for it.
        test_fraction: part of each gesture that is read for the figure only, where there is no folder for it.
        seed: of the split.
        mirror: whether a mirrored hand keeps its label; None looks for words such as left and right in the gestures'
            names.
        frames_every: of the frames of a video each so-and-so-many-th is taken.
        name: short name for people and results.
    """

    def __init__(
        self,
        *,
        root: str,
        longest_px: int = 512,
        classes: Sequence[str] | None = None,
        dev_fraction: float = 0.1,
        test_fraction: float = 0.15,
        seed: int = 0,
        mirror: bool | None = None,
        frames_every: int = 10,
        name: str = "frames",
    ) -> None:
        check_fractions(dev_fraction, test_fraction)
        for setting, value in (("longest_px", longest_px), ("frames_every", frames_every)):
            if value < 1:
                raise ValueError(f"{setting}={value} should be at least 1")
        self.root = str(root)
        self.longest_px = longest_px
        self.classes = tuple(classes) if classes is not None else None
        self.dev_fraction = dev_fraction
        self.test_fraction = test_fraction
        self.seed = seed
        self._mirror = mirror
        self.frames_every = frames_every
        self.name = name

    @property
    def mirror(self) -> bool:
        """Whether a mirrored hand keeps its label."""
        return not speaks_of_sides(self.class_names()) if self._mirror is None else self._mirror

    def class_names(self) -> tuple[str, ...]:
        """The classes that were given, or the folders' names, sorted."""
        return self._scan.labels if self.classes is None else self.classes

    def load_frames(self, split: Split) -> FrameSet:
        """Read a split, from the cache where possible."""
        if split not in self._scan.parts:
            raise ValueError(
                f"{self.root} has no frames for {split}, only for {', '.join(sorted(self._scan.parts))}; add a folder "
                f"{split}/ with a folder a gesture, or at least three frames to each gesture"
            )
        found = open_frames(self._store, split, name=f"{self.name}/{split}", classes=self._scan.labels)
        if not len(found):
            raise ValueError(f"none of the {split} frames of {self.root} can be read: {found.problems[0]}")
        return align_frames(found, self.class_names())

    @cached_property
    def _scan(self) -> Scan:
        scan = scan_folder(
            self.root,
            dev_fraction=self.dev_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
            every=self.frames_every,
        )
        for note in scan.notes:
            _log.warning("%s: %s", self.name, note)
        return scan

    @cached_property
    def _store(self) -> Path:
        pictures, labels = self._scan.pictures, self._scan.labels

        def build(folder: Path) -> None:
            write_frames(
                (
                    MarkedFrame(
                        source=picture.path,
                        image_id=picture.name,
                        part=str(picture.part),
                        hands=(),
                        complete=False,
                        frame_label=labels.index(picture.label),
                    )
                    for picture in pictures
                ),
                folder,
                parts=_PARTS,
                longest_px=self.longest_px,
                total=len(pictures),
                title=f"reading {self.name}",
            )

        rows = [(picture.name, picture.content, picture.label, picture.part) for picture in pictures]
        key = content_key(DECODE_VERSION, self.longest_px, labels, rows)
        return cached_arrays(f"frames/{key}", build, size_bytes=len(pictures) * 2 * self.longest_px**2)
