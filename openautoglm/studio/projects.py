"""Projects on disk: a folder a project, in it a folder a gesture, exactly what ``data=folder`` reads."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openautoglm.data.groups import find_groups
from openautoglm.data.images import SUFFIXES
from openautoglm.studio.names import file_stem, folder_name
from openautoglm.studio.pictures import decode_picture, encode_jpeg
from openautoglm.studio.refused import CopyError, RefusedError

LEAST_PICTURES = 5
GOOD_PICTURES = 20
MAX_PROJECTS, MAX_GESTURES, MAX_PICTURES = 100, 100, 5_000
MAX_PROJECT_BYTES = 2_000_000_000
_WRITING = threading.Lock()
_RECORDED = re.compile(r"session(\d+)_(\d+)$")


@dataclass(frozen=True, kw_only=True)
class Gesture:
    """One class.

    Attributes:
        name: of its folder.
        pictures: names of the files, in order.
    """

    name: str
    pictures: tuple[str, ...]

    @property
    def num_sessions(self) -> int:
        """Highest number of a recording."""
        return max((session for session, _ in _recorded(self.pictures)), default=0)


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder of gestures."""

    folder: Path

    @property
    def name(self) -> str:
        """Of the project."""
        return self.folder.name

    def gestures(self) -> list[Gesture]:
        """All, by name."""
        places = sorted(path for path in _folders(self.folder))
        return [Gesture(name=path.name, pictures=tuple(it.name for it in _pictures(path))) for path in places]

    def gesture(self, name: str) -> Path:
        """Folder of a gesture that is there."""
        place = self.folder / folder_name(name)
        if not place.is_dir():
            raise RefusedError(f"There is no gesture {name} here; reload the page.", 404)
        return place

    def add_gesture(self, name: str) -> None:
        """Make its folder."""
        name = folder_name(name)
        present = [gesture.name for gesture in self.gestures()]
        _refuse_double(name, present)
        if len(present) >= MAX_GESTURES:
            raise RefusedError(f"A project has {MAX_GESTURES} gestures at most.")
        (self.folder / name).mkdir(parents=True)

    def remove_gesture(self, name: str) -> None:
        """Delete its pictures and its folder."""
        shutil.rmtree(self.gesture(name))

    def add_picture(self, gesture: str, content: bytes, *, name: str = "", session: int | None = None) -> str:
        """Store an upload and return the name of its file.

        Args:
            gesture: what it shows.
            content: the uploaded file.
            name: what the file was called, for a dropped one.
            session: number of the recording, for a frame of the camera.

        Raises:
            RefusedError: it is no picture, or there are too many.
            CopyError: it is there already.
        """
        place = self.gesture(gesture)
        jpeg = encode_jpeg(decode_picture(content))
        with _WRITING:
            self._refuse_copy(jpeg)
            stem = file_stem(name) if session is None else f"session{session}_{_next_number(place, session):04d}"
            path = _free(place, stem)
            fresh = path.with_name(f".{path.name}.part")
            fresh.write_bytes(jpeg)
            os.replace(fresh, path)
        return path.name

    def picture(self, gesture: str, name: str) -> Path:
        """File of a picture that is there."""
        place = self.gesture(gesture)
        if name not in (path.name for path in _pictures(place)):
            raise RefusedError("This picture is no longer there; reload the page.", 404)
        return place / name

    def needs(self) -> list[str]:
        """What is missing before a training makes sense, a sentence each."""
        gestures = self.gestures()
        sentences = []
        if len(gestures) < 2:
            sentences.append("Add two gestures or more.")
        for gesture in gestures:
            missing = LEAST_PICTURES - len(gesture.pictures)
            if missing > 0:
                sentences.append(f"{gesture.name} needs {missing} more {'picture' if missing == 1 else 'pictures'}.")
        return sentences

    def num_folds(self, wanted: int) -> int:
        """Folds of a cross-validation: recordings stay whole, so there are no more than these."""
        ids = [(f"{it.name}/{name}", row) for row, it in enumerate(self.gestures()) for name in it.pictures]
        groups = find_groups([name for name, _ in ids], [row for _, row in ids])
        return max(2, min(wanted, groups.num_groups))

    def content(self) -> str:
        """Changes whenever a picture comes or goes."""
        rows = sorted((path.relative_to(self.folder).as_posix(), path.stat().st_size) for path in self._files())
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def _files(self) -> Iterator[Path]:
        for place in _folders(self.folder):
            yield from _pictures(place)

    def _refuse_copy(self, jpeg: bytes) -> None:
        """One picture in two classes would teach nothing, one twice would look like two."""
        sizes = {path: path.stat().st_size for path in self._files()}
        if len(sizes) >= MAX_PICTURES or sum(sizes.values()) + len(jpeg) > MAX_PROJECT_BYTES:
            raise RefusedError(f"The project is full: it holds {MAX_PICTURES:,} pictures at most.", 413)
        for path, size in sizes.items():
            if size == len(jpeg) and path.read_bytes() == jpeg:
                raise CopyError(f"This picture is already in {path.parent.name}.", 409)


class Projects:
    """All projects of a home.

    Args:
        home: folder that holds them; made with the first one.
    """

    def __init__(self, *, home: Path) -> None:
        self.home = home

    def names(self) -> list[str]:
        """Of all projects."""
        return [path.name for path in _folders(self.home)] if self.home.is_dir() else []

    def find(self, name: str) -> Project:
        """A project that is there."""
        folder = self.home / folder_name(name)
        if not folder.is_dir():
            raise RefusedError(f"There is no project {name} here; reload the page.", 404)
        return Project(folder=folder)

    def add(self, name: str) -> Project:
        """Make a new one."""
        name = folder_name(name)
        present = self.names()
        _refuse_double(name, present)
        if len(present) >= MAX_PROJECTS:
            raise RefusedError(f"There are {MAX_PROJECTS} projects already: remove a folder from {self.home}.")
        (self.home / name).mkdir(parents=True)
        return Project(folder=self.home / name)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())


def _refuse_double(name: str, present: list[str]) -> None:
    if name.casefold() in (other.casefold() for other in present):  # some disks do not tell Fist from fist
        raise RefusedError(f"{name} is there already.", 409)


def _recorded(names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Number of the recording and of the picture in it, of the frames of the camera."""
    for name in names:
        if found := _RECORDED.match(Path(name).stem):
            yield int(found[1]), int(found[2])


def _next_number(place: Path, session: int) -> int:
    found = _recorded(path.name for path in _pictures(place))
    return max((number for recording, number in found if recording == session), default=0) + 1


def _free(place: Path, stem: str) -> Path:
    number, path = 1, place / f"{stem}.jpg"
    while path.exists():
        number += 1
        path = place / f"{stem} ({number}).jpg"
    return path
