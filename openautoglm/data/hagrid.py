"""Whole frames in the layout of HaGRID v1, v1.1 and v2 (Kapitanov et al., arXiv 2206.08219 and 2412.01508).

``root/hagrid_annotations/{train,val,test}/<class>.json`` and ``root/hagrid_dataset/<class>/<id>.jpg``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from openautoglm.data.base import Split
from openautoglm.data.cache import cached_arrays, content_key, file_hash
from openautoglm.data.frame_store import MarkedFrame, MarkedHand, corners, mark_hand, open_frames, write_frames
from openautoglm.data.frames import NO_GESTURE, FrameSet
from openautoglm.data.images import DECODE_VERSION, SUFFIXES
from openautoglm.data.pseudo_boxes import read_boxes
from openautoglm.data.splits import align_frames, dev_slice
from openautoglm.tensors import UNLABELLED

_ANNOTATIONS, _PICTURES = "hagrid_annotations", "hagrid_dataset"


@dataclass(frozen=True)
class _Entry:
    """One annotated frame: id, class folder, what the JSON says, its picture if there is one."""

    image_id: str
    folder: str
    content: dict[str, Any]
    path: Path | None


class HagridFrames:
    """HaGRID's frames; ``dev`` is cut out of train by the hash of the image's id that crops are cut by.

    Frames whose boxes a program found (``"pseudo": true``) without finding any are incomplete: they may show a hand.

    Args:
        root: folder with ``hagrid_annotations`` and ``hagrid_dataset``; one split is enough to read that split.
        longest_px: longer frames are shrunk to this.
        classes: names in the order of a model that the frames are for; hands of other gestures stay as unlabelled
            hands. None takes the names that occur, and ``no_gesture``, sorted.
        test_split: annotations that are read for the figure only.
        dev_fraction: part of train, the ids that hash below it, that chooses everything.
        mirror: whether a mirrored hand keeps its label.
        pseudo_boxes: file of boxes that the stage ``box`` found, which replace those of its frames in train.
        name: short name for people and results.
    """

    def __init__(
        self,
        *,
        root: str,
        longest_px: int = 512,
        classes: Sequence[str] | None = None,
        test_split: str = "val",
        dev_fraction: float = 0.08,
        mirror: bool = True,
        pseudo_boxes: str | None = None,
        name: str = "hagrid",
    ) -> None:
        if not 0 < dev_fraction < 1:
            raise ValueError(f"dev_fraction={dev_fraction} should lie between 0 and 1: it is a part of train")
        if test_split == "train":
            raise ValueError("test_split='train' would measure on what was learnt; give val or test")
        if longest_px < 1:
            raise ValueError(f"longest_px={longest_px} should be at least 1")
        self.root = str(root)
        self.longest_px = longest_px
        self.classes = tuple(classes) if classes is not None else None
        self.test_split = test_split
        self.dev_fraction = dev_fraction
        self.mirror = mirror
        self.pseudo_boxes = pseudo_boxes
        self.name = name
        self._entries: dict[str, list[_Entry]] = {}
        self._stores: dict[str, Path] = {}

    def class_names(self) -> tuple[str, ...]:
        """The classes that were given, or the names in all annotations, or else the names of their files, sorted."""
        return self._found_classes if self.classes is None else self.classes

    def load_frames(self, split: Split) -> FrameSet:
        """Read a split, from the cache where possible."""
        source_split = self.test_split if split == "test" else "train"
        if source_split not in self._stores:
            self._stores[source_split] = self._store(source_split)
        folder = self._stores[source_split]
        found = open_frames(folder, split, name=f"{self.name}/{split}", classes=self._found_classes)
        if not len(found):
            reason = found.problems[0] if found.problems else f"{self.root} has none for it"
            raise ValueError(f"{split} of {self.name} has no frame that can be read: {reason}")
        return align_frames(found, self.class_names())

    @cached_property
    def _found_classes(self) -> tuple[str, ...]:
        entries = [entry for split in self._splits() for entry in self._read(split)]
        labels = {
            label for entry in entries for label in _listed(entry.content.get("labels")) if isinstance(label, str)
        }
        return tuple(sorted((labels or {entry.folder for entry in entries}) | {NO_GESTURE}))

    def _store(self, source_split: str) -> Path:
        entries = self._read(source_split)
        parts = ("test",) if source_split == self.test_split else ("train", "dev")
        classes = self._found_classes
        content = [
            (entry.image_id, entry.folder, json.dumps(entry.content), entry.path and file_hash(entry.path))
            for entry in entries
        ]
        key = content_key(DECODE_VERSION, self.longest_px, classes, parts, self.dev_fraction, content)

        def build(folder: Path) -> None:
            write_frames(
                self._marked(entries, parts),
                folder,
                parts=parts,
                longest_px=self.longest_px,
                total=len(entries),
                title=f"reading {self.name} ({' '.join(parts)})",
            )

        num_pictures = sum(entry.path is not None for entry in entries)
        return cached_arrays(f"frames/{key}", build, size_bytes=num_pictures * 2 * self.longest_px**2)

    def _marked(self, entries: Sequence[_Entry], parts: tuple[str, ...]) -> Iterator[MarkedFrame]:
        """Each frame with its hands; an id that occurs again is left out."""
        labels = {name: label for label, name in enumerate(self._found_classes)}
        seen: set[str] = set()
        for entry in entries:
            hands, num_boxes, notes = _hands(entry.content, labels)
            in_dev = len(parts) > 1 and dev_slice(entry.image_id, self.dev_fraction)
            problem = "its picture is missing" if entry.path is None else ""
            yield MarkedFrame(
                source=entry.path or b"",
                image_id=entry.image_id,
                part="dev" if in_dev else parts[0],
                hands=tuple(hands),
                complete=_is_complete(entry.content, len(hands), num_boxes),
                frame_label=labels.get(entry.folder, UNLABELLED),
                notes=tuple(notes),
                problem="it was annotated before, in another class" if entry.image_id in seen else problem,
            )
            seen.add(entry.image_id)

    def _read(self, split: str) -> list[_Entry]:
        """All entries of a split, by class and id."""
        if split not in self._entries:
            folder = self._annotations() / split
            files = sorted(folder.glob("*.json"))
            if not files:
                raise ValueError(
                    f"{self.root} has no annotations of {split!r}, only of {_names(self._splits())}; expected "
                    f"{_ANNOTATIONS}/{split}/<class>.json"
                )
            entries = [entry for file in files for entry in self._read_class(file)]
            if split == "train" and self.pseudo_boxes is not None:
                found = read_boxes(self.pseudo_boxes)
                entries = [replace(entry, content=entry.content | found.get(entry.image_id, {})) for entry in entries]
            self._entries[split] = entries
        return self._entries[split]

    def _read_class(self, file: Path) -> Iterator[_Entry]:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} is not readable JSON ({error}); download it again") from None
        if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
            raise ValueError(f"{file} should hold an object of image ids, each with its bboxes and labels")
        folder = Path(self.root).expanduser() / _PICTURES / file.stem
        # ids are looked up among the names that are there, so none can lead out of the folder
        pictures = {path.stem: path for path in folder.iterdir()} if folder.is_dir() else {}
        pictures = {stem: path for stem, path in pictures.items() if path.suffix.lower() in SUFFIXES}
        for image_id in sorted(content):
            yield _Entry(image_id, file.stem, content[image_id], pictures.get(image_id))

    def _splits(self) -> list[str]:
        return sorted(path.name for path in self._annotations().iterdir() if any(path.glob("*.json")))

    def _annotations(self) -> Path:
        folder = Path(self.root).expanduser() / _ANNOTATIONS
        if not folder.is_dir():
            raise ValueError(
                f"there is no folder {self.root}/{_ANNOTATIONS}; expected {_ANNOTATIONS}/{{train,val,test}}/<class>"
                f".json and {_PICTURES}/<class>/<id>.jpg"
            )
        return folder


def _is_complete(content: dict[str, Any], num_hands: int, num_boxes: int) -> bool:
    """Whether every hand of a frame has a box that can be used, as far as its entry tells."""
    says_so = bool(num_boxes or not content.get("pseudo"))
    return num_hands == num_boxes and bool(content.get("complete", says_so))


def _hands(content: dict[str, Any], labels: dict[str, int]) -> tuple[list[MarkedHand], int, list[str]]:
    """The hands of one entry, how many boxes it has, and a note for everything that cannot be used."""
    boxes, names = _listed(content.get("bboxes")), _listed(content.get("labels"))
    points = _listed(content.get("hand_landmarks")) or _listed(content.get("landmarks"))
    hands, notes = [], []
    if names and len(names) != len(boxes):
        notes.append(f"it has {len(names)} labels for {len(boxes)} boxes, so these gestures are not known")
    for row, box in enumerate(boxes):
        # where their numbers differ, nothing says which belongs to which
        name = names[row] if len(names) == len(boxes) else None
        landmarks = points[row] if len(points) == len(boxes) else None
        try:
            label = labels[name] if isinstance(name, str) else UNLABELLED
            hands.append(mark_hand(corners(box), label, landmarks))
        except ValueError as error:
            notes.append(f"its box {box} is {error}")
    return hands, len(boxes), notes


def _listed(value: object) -> list[Any]:
    """What a field of the annotations holds; null and a list of nulls both stand for nothing."""
    return value if isinstance(value, list) and any(item is not None for item in value) else []


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
