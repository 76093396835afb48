"""What ``recognize`` is pointed at: a picture, a folder of pictures, a video or a camera."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from openautoglm.data.images import SUFFIXES, decode
from openautoglm.runtime.video import Camera, Problem, SourceFrame, Video

CAMERA = "camera:"


class Source(Protocol):
    """Where frames come from, once."""

    @property
    def num_frames(self) -> int | None:
        """How many they are, where that is known."""
        ...

    def __iter__(self) -> Iterator[SourceFrame | Problem]: ...


@dataclass(frozen=True)
class Pictures:
    """Picture files.

    Attributes:
        root: folder that their names start below.
        paths: of the files.
    """

    root: Path
    paths: tuple[Path, ...]

    @property
    def num_frames(self) -> int:
        """One a file."""
        return len(self.paths)

    def __iter__(self) -> Iterator[SourceFrame | Problem]:
        for path in self.paths:
            name = path.relative_to(self.root).as_posix()
            try:
                yield SourceFrame(name=name, pixels=decode(path))
            except ValueError as error:
                yield Problem(name=name, reason=str(error))


def open_source(text: str) -> Source:
    """The source a person names.

    Args:
        text: path of a picture, a folder or a video, or ``camera:0``.

    Raises:
        ValueError: there is nothing there that can be read.
        MissingExtraError: it needs PyAV, which is not installed.
    """
    if text.startswith(CAMERA):
        return Camera(text.removeprefix(CAMERA))
    path = Path(text).expanduser()
    if path.is_dir():
        pictures = tuple(_walk(path))
        if not pictures:
            raise ValueError(f"{text} holds no pictures ({', '.join(sorted(SUFFIXES))}); give a folder that does")
        return Pictures(path, pictures)
    if not path.exists():
        raise ValueError(f"there is nothing at {text}; give a picture, a folder, a video or {CAMERA}0")
    if path.suffix.lower() in SUFFIXES:
        return Pictures(path.parent, (path,))
    try:
        return Video(path)
    except ValueError as error:
        raise ValueError(f"{text} is neither a picture nor a video that can be read: {error}") from None


def _walk(root: Path) -> Iterator[Path]:
    """Pictures below a folder, in order; what is hidden stays so."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)
