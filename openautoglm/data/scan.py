"""What a person's folder holds: pictures, their classes, copies of each other, and which split each belongs to."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openautoglm.data.archive import VIDEO_SUFFIXES, unpacked, video_frames
from openautoglm.data.base import Split
from openautoglm.data.cache import file_hash
from openautoglm.data.images import SUFFIXES
from openautoglm.data.labels import read_labels
from openautoglm.data.paths import path_below
from openautoglm.data.splits import hash_position

SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}
"""What people call a split: ``dev`` chooses, so that is what their ``val`` does."""
_KEEPS_FIRST: tuple[Split | None, ...] = ("test", "dev", "train", None)
"""Which split keeps a picture that several hold: what is measured stays whole."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One picture file.

    Attributes:
        path: where it is.
        name: path below the root, with ``/``.
        label: name of its class.
        part: its split; None until it is decided.
        content: hash of the file.
    """

    path: Path
    name: str
    label: str
    part: Split | None
    content: str


@dataclass(frozen=True, kw_only=True)
class Scan:
    """All pictures of a folder, each in one split.

    Attributes:
        pictures: ordered by name.
        notes: one sentence for everything that was left out or cannot be measured.
    """

    pictures: tuple[Found, ...]
    notes: tuple[str, ...]

    @property
    def parts(self) -> frozenset[Split]:
        """Splits that have pictures."""
        return frozenset(picture.part for picture in self.pictures if picture.part is not None)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return tuple(sorted({picture.label for picture in self.pictures}))


def scan_folder(root: str, *, dev_fraction: float, test_fraction: float, seed: int, every: int = 10) -> Scan:
    """Find, compare and split the pictures of ``root/<class>/`` or ``root/<split>/<class>/``, or of a zip of these.

    Args:
        root: folder or zip file.
        dev_fraction: see ``FolderGestures``.
        test_fraction: likewise.
        seed: of the split.
        every: of the frames of a video each so-and-so-many-th is a picture.
    """
    folder = Path(root).expanduser()
    if not folder.exists():
        raise ValueError(f"there is no folder {root}; give a folder that holds one folder of pictures a class")
    if folder.is_file() and folder.suffix.lower() == ".zip":
        folder = unpacked(folder)
    if not folder.is_dir():
        raise ValueError(f"{root} is a file; give the folder that holds one folder of pictures a class, or a zip of it")
    notes: list[str] = []
    pictures = _without_copies(_find(folder, notes, every), notes)
    if not pictures:
        raise ValueError(
            f"{root} holds no pictures in class folders; expected {root}/<class>/<picture>.jpg or "
            f"{root}/train/<class>/<picture>.jpg"
        )
    pictures = _split(pictures, {"test": test_fraction, "dev": dev_fraction}, seed, notes)
    return Scan(pictures=tuple(sorted(pictures, key=lambda it: it.name)), notes=tuple(notes))


def _find(root: Path, notes: list[str], every: int) -> list[Found]:
    splits = {path: SPLIT_FOLDERS.get(path.name.lower()) for path in _folders(root)}
    # a class may be called "test"; a split folder is one that holds class folders
    has_splits = any(part and _folders(path) for path, part in splits.items())
    if not has_splits:
        return list(_tabled(root, notes) or _classes(root, root, None, notes, every))
    found: list[Found] = []
    for path, part in splits.items():
        if part is None:
            notes.append(f"{path.name}/ is neither train, val nor test and was not read")
        else:
            found += _classes(root, path, part, notes, every)
    return found


def _classes(root: Path, folder: Path, part: Split | None, notes: list[str], every: int) -> Iterator[Found]:
    for class_folder in _folders(folder):
        empty, label = True, _plain(class_folder.name)
        for path in _pictures(class_folder):
            empty = False
            name, content = _plain(path.relative_to(root).as_posix()), file_hash(path)
            if path.suffix.lower() in VIDEO_SUFFIXES:
                yield from _frames(Found(path=path, name=name, label=label, part=part, content=content), every, notes)
            else:
                yield Found(path=path, name=name, label=label, part=part, content=content)
        if empty:
            notes.append(f"{class_folder.relative_to(root).as_posix()}/ holds no pictures")


def _frames(video: Found, every: int, notes: list[str]) -> Iterator[Found]:
    """Every n-th frame of a video as a picture."""
    try:
        frames = video_frames(video.path, video.content, every)
    except ValueError as error:
        notes.append(f"{video.name}: {error}, left out")
        return
    for path in frames:
        content = f"{video.content}/{path.stem}"
        yield replace(video, path=path, name=f"{video.name}/{path.name}", content=content)


def _tabled(root: Path, notes: list[str]) -> list[Found]:
    """Pictures in one folder whose classes stand in a table beside them; none where there is no such table."""
    tables = sorted(path for path in root.iterdir() if path.suffix.lower() in (".csv", ".tsv"))
    if not tables:
        return []
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise ValueError(f"{root} holds the tables {names}; keep the one that says which class each picture is")
    found = []
    for name, label in read_labels(tables[0]):
        path = path_below(root, name)
        if not path.is_file():
            notes.append(f"{name}: named in {tables[0].name} but not there, left out")
            continue
        found.append(Found(path=path, name=_plain(name), label=_plain(label), part=None, content=file_hash(path)))
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name))


def _pictures(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            path = Path(parent, name)
            if not _is_hidden(name) and path.suffix.lower() in SUFFIXES | VIDEO_SUFFIXES and path.is_file():
                yield path


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _plain(name: str) -> str:
    """One spelling of accents, so that a folder copied from another system keeps its classes and its split."""
    return unicodedata.normalize("NFC", name)


def _without_copies(pictures: Sequence[Found], notes: list[str]) -> list[Found]:
    """Keep a picture in one split and one class; a picture that claims two classes is left out altogether."""
    copies: dict[str, list[Found]] = defaultdict(list)
    for picture in pictures:
        copies[picture.content].append(picture)
    kept = []
    for same in copies.values():
        same.sort(key=lambda it: (_KEEPS_FIRST.index(it.part), it.name))
        if len({picture.label for picture in same}) > 1:
            notes.append(f"{' and '.join(it.name for it in same)}: the same picture in different classes, left out")
            continue
        kept.append(same[0])
        notes += [f"{copy.name}: the same picture as {same[0].name}, left out" for copy in same[1:]]
    return kept


def _split(pictures: list[Found], fractions: dict[Split, float], seed: int, notes: list[str]) -> list[Found]:
    """Give each picture its split; a split without a folder is cut out of train."""
    held = {picture.part for picture in pictures}
    if held == {None}:
        return _cut(pictures, None, fractions, seed, notes)
    if "train" not in held:
        return pictures
    if held == {"train", "dev"}:
        # the folder kept apart is worth more as the figure; what chooses is cut out of train
        notes.append("there is no test/: val/ is read for the figure, and dev is cut out of train/")
        pictures = [replace(it, part="test") if it.part == "dev" else it for it in pictures]
        held = {"train", "test"}
    wanted = {part: fraction for part, fraction in fractions.items() if part not in held}
    return _cut(pictures, "train", wanted, seed, notes) if wanted else pictures


def _cut(
    pictures: Sequence[Found], source: Split | None, fractions: dict[Split, float], seed: int, notes: list[str]
) -> list[Found]:
    """Cut splits out of each class of ``source``, in the order of a hash of the name."""
    classes: dict[str, list[Found]] = defaultdict(list)
    for picture in pictures:
        if picture.part == source:
            classes[picture.label].append(picture)
    done = [picture for picture in pictures if picture.part != source]
    for label, rows in sorted(classes.items()):
        rows.sort(key=lambda it: (hash_position(f"{seed}:{it.name}"), it.name))
        sizes = _sizes(len(rows), fractions)
        missing = [part for part, size in sizes.items() if not size and fractions[part]]
        if missing:
            count = "one picture" if len(rows) == 1 else f"{len(rows)} pictures"
            notes.append(f"class {label!r} has {count} to train on and is not in {' and '.join(missing)}: add pictures")
        stop = 0
        for part, size in sizes.items():
            start, stop = stop, stop + size
            done += [replace(picture, part=part) for picture in rows[start:stop]]
        done += [replace(picture, part="train") for picture in rows[stop:]]
    return done


def _sizes(num: int, fractions: dict[Split, float]) -> dict[Split, int]:
    """Pictures of one class for each split: at least one each, of two one goes to dev, and one is left for train."""
    sizes: dict[Split, int] = {}
    room = num - 1
    for part in sorted(fractions):  # dev before test
        sizes[part] = min(room, max(1, round(num * fractions[part]))) if fractions[part] else 0
        room -= sizes[part]
    if fractions.get("test") and sizes.get("dev", 0) > 1 and not sizes["test"]:
        sizes["dev"], sizes["test"] = sizes["dev"] - 1, 1
    return sizes
