"""Frames with boxes from other data sets: COCO's JSON, YOLO's text files, Pascal VOC's XML, told by their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from openautoglm.data.annotated import Annotated
from openautoglm.data.base import Split
from openautoglm.data.cache import cached_arrays, content_key, file_hash
from openautoglm.data.coco import find_coco, read_coco
from openautoglm.data.frame_store import MarkedFrame, MarkedHand, mark_hand, open_frames, write_frames
from openautoglm.data.frames import NO_GESTURE, FrameSet
from openautoglm.data.images import DECODE_VERSION
from openautoglm.data.splits import align_frames, check_fractions, hash_position
from openautoglm.data.voc import find_voc, read_voc
from openautoglm.data.yolo import find_yolo, read_yolo
from openautoglm.tensors import UNLABELLED

_PARTS: tuple[Split, ...] = ("train", "dev", "test")
_KEEPS_FIRST: tuple[Split, ...] = ("test", "dev", "train")
"""Which split keeps a picture that several hold: what is measured stays whole."""


class BoxFrames:
    """Frames and boxes of a data set in COCO's, YOLO's or Pascal VOC's form.

    Splits are told by the names of files and folders. What is missing is cut out of train by a hash of the name;
    where train and val are there without test, val is the figure.

    Args:
        root: folder of the data set.
        labels: ``"names"`` takes each category for a gesture, ``"hand"`` takes all of them for hands whose gesture is
            not known.
        longest_px: longer frames are shrunk to this.
        classes: names in the order of a model that the frames are for; hands of other categories stay as unlabelled
            hands. None takes the categories that occur, sorted.
        dev_fraction: part of train that chooses everything, where there is nothing for it.
        test_fraction: part of the frames that is read for the figure only, where no split is named at all.
        mirror: whether a mirrored hand keeps its label.
        name: short name for people and results.
    """

    def __init__(
        self,
        *,
        root: str,
        labels: Literal["names", "hand"] = "names",
        longest_px: int = 512,
        classes: Sequence[str] | None = None,
        dev_fraction: float = 0.08,
        test_fraction: float = 0.15,
        mirror: bool = True,
        name: str = "boxes",
    ) -> None:
        check_fractions(dev_fraction, test_fraction)
        if labels not in ("names", "hand"):
            raise ValueError(f"labels={labels!r} should be names (each category is a gesture) or hand (none is)")
        if longest_px < 1:
            raise ValueError(f"longest_px={longest_px} should be at least 1")
        self.root = str(root)
        self.labels = labels
        self.longest_px = longest_px
        self.classes = tuple(classes) if classes is not None else None
        self.dev_fraction = dev_fraction
        self.test_fraction = test_fraction
        self.mirror = mirror
        self.name = name

    def class_names(self) -> tuple[str, ...]:
        """The classes that were given, or the categories that occur, sorted; none where all are only hands."""
        return self._found_classes if self.classes is None else self.classes

    def load_frames(self, split: Split) -> FrameSet:
        """Read a split, from the cache where possible."""
        found = open_frames(self._store, split, name=f"{self.name}/{split}", classes=self._found_classes)
        if not len(found):
            held = {frame.part for frame in self._frames}
            reason = found.problems[0] if found.problems else f"{self.root} has {', '.join(sorted(map(str, held)))}"
            raise ValueError(f"{split} of {self.name} has no frame that can be read: {reason}")
        return align_frames(found, self.class_names())

    @cached_property
    def _found_classes(self) -> tuple[str, ...]:
        if self.labels == "hand":
            return ()
        return tuple(sorted({box.name for frame in self._frames for box in frame.boxes}))

    @cached_property
    def _frames(self) -> tuple[Annotated, ...]:
        """All pictures of the root, each in one split."""
        frames = list(_read(self.root))
        return tuple(_split(frames, dev_fraction=self.dev_fraction, test_fraction=self.test_fraction))

    @cached_property
    def _store(self) -> Path:
        frames, classes = _without_copies(self._frames), self._found_classes
        content = [(replace(frame, path=None), digest) for frame, digest in frames]
        key = content_key(DECODE_VERSION, self.longest_px, classes, content)

        def build(folder: Path) -> None:
            write_frames(
                (_marked(frame, classes) for frame, _ in frames),
                folder,
                parts=_PARTS,
                longest_px=self.longest_px,
                total=len(frames),
                title=f"reading {self.name}",
            )

        return cached_arrays(f"frames/{key}", build, size_bytes=len(frames) * 2 * self.longest_px**2)


def _read(root: str) -> Iterator[Annotated]:
    """Find out which format a folder has and read it."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise ValueError(f"there is no folder {root}; give the folder of a COCO, YOLO or Pascal VOC data set")
    if coco := find_coco(folder):
        return read_coco(folder, coco)
    if yolo := find_yolo(folder):
        return read_yolo(folder, yolo)
    if voc := find_voc(folder):
        return read_voc(folder, voc)
    raise ValueError(
        f"{root} holds no boxes in a known form; expected COCO (<split>.json with images, annotations and categories), "
        "YOLO (folders images and labels) or Pascal VOC (XML files)"
    )


def _split(frames: Sequence[Annotated], *, dev_fraction: float, test_fraction: float) -> Iterator[Annotated]:
    """Give each picture its split."""
    held = {frame.part for frame in frames}
    if "test" not in held and "dev" in held:
        # the split that was kept apart is worth more as the figure
        frames = [replace(frame, part="test") if frame.part == "dev" else frame for frame in frames]
        held = {frame.part for frame in frames}
    cut_test = test_fraction if held == {None} else 0.0
    cut_dev = dev_fraction if "dev" not in held else 0.0
    for frame in frames:
        if frame.part is None and held != {None}:
            yield replace(frame, part="train", problem="neither train, val nor test is in its path")
        elif frame.part in (None, "train"):
            position = hash_position(frame.name)
            part: Split = "test" if position < cut_test else "dev" if position < cut_test + cut_dev else "train"
            yield replace(frame, part=part)
        else:
            yield frame


def _without_copies(frames: Sequence[Annotated]) -> list[tuple[Annotated, str | None]]:
    """Each picture with the hash of its file; a copy of one that another split holds is left out."""
    hashed = [(frame, file_hash(frame.path) if frame.path is not None else None) for frame in frames]
    homes: dict[str, Split] = {}
    for part in _KEEPS_FIRST:
        for frame, digest in hashed:
            if digest is not None and frame.part == part:
                homes.setdefault(digest, part)
    return [
        (replace(frame, problem=f"the same picture is in {homes[digest]}"), digest)
        if digest is not None and homes[digest] != frame.part
        else (frame, digest)
        for frame, digest in hashed
    ]


def _marked(frame: Annotated, classes: tuple[str, ...]) -> MarkedFrame:
    """One picture for the store; it is known by its gesture where all its hands make the same."""
    hands: list[MarkedHand] = []
    notes = list(frame.notes)
    for box in frame.boxes:
        try:
            label = classes.index(box.name) if box.name in classes else UNLABELLED
            hands.append(mark_hand(box.box, label))
        except ValueError as error:
            notes.append(f"its box of {box.name!r} is {error}")
    gestures = {hand.label for hand in hands if classes[hand.label : hand.label + 1] != (NO_GESTURE,)}
    assert frame.part is not None
    return MarkedFrame(
        source=frame.path or b"",
        image_id=frame.name,
        part=frame.part,
        hands=tuple(hands),
        complete=frame.complete and len(hands) == len(frame.boxes),
        frame_label=gestures.pop() if len(gestures) == 1 else UNLABELLED,
        size_px=frame.size_px,
        notes=tuple(notes),
        problem=frame.problem or ("" if frame.path is not None else "its picture is missing"),
    )
