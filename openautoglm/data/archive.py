"""What people send instead of a folder: a zip file of it, and videos in place of pictures; unpacked into the cache."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from PIL import Image

from openautoglm.data.cache import cached_arrays, content_key, file_hash
from openautoglm.data.images import SUFFIXES
from openautoglm.progress import progress_bar

VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp"))
_TABLES = frozenset((".csv", ".tsv"))
_MOST_TIMES = 200
"""A picture is compressed already: an entry that swells more than this is no picture."""
_FRAMES_VERSION = 1
_JPEG_QUALITY = 95


def unpacked(path: Path) -> Path:
    """The folder in a zip file: pictures, videos and tables alone, in the cache.

    Raises:
        ValueError: it is no zip file, is encrypted or damaged, or names files outside of itself.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if _is_wanted(path, entry)]
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path} cannot be read as a zip file ({error}); give a folder or a whole zip file") from None
    if not entries:
        raise ValueError(f"{path} holds no pictures; expected a zip of a folder with a folder of pictures a class")

    def build(folder: Path) -> None:
        with zipfile.ZipFile(path) as archive, progress_bar() as bar:
            for entry in bar.track(entries, description=f"unpacking {path.name}"):
                target = folder.joinpath(*PurePosixPath(_name(entry)).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    with archive.open(entry) as packed, target.open("wb") as file:
                        shutil.copyfileobj(packed, file)
                except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
                    raise ValueError(f"{path} is damaged at {_name(entry)} ({error}); make it again") from None

    size_bytes = sum(entry.file_size for entry in entries)
    folder = cached_arrays(f"archives/{content_key(file_hash(path))}", build, size_bytes=size_bytes)
    inside = list(folder.iterdir())
    # a zip made of a folder holds that folder
    if len(inside) == 1 and inside[0].is_dir() and any(child.is_dir() for child in inside[0].iterdir()):
        return inside[0]
    return folder


def video_frames(path: Path, content: str, every: int) -> list[Path]:
    """Every n-th frame of a video as picture files in the cache, in order.

    Args:
        path: the video.
        content: its hash.
        every: n.

    Raises:
        ValueError: it cannot be opened.
        MissingExtraError: PyAV is not installed.
    """

    def build(folder: Path) -> None:
        from openautoglm.runtime.video import SourceFrame, Video

        frames = (item for item in Video(path) if isinstance(item, SourceFrame))
        for number, frame in enumerate(frames):
            if number % every == 0:
                Image.fromarray(frame.pixels).save(folder / f"{number:06d}.jpg", quality=_JPEG_QUALITY)

    return sorted(cached_arrays(f"videos/{content_key(_FRAMES_VERSION, content, every)}", build).iterdir())


def _is_wanted(path: Path, entry: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(_name(entry))
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise ValueError(f"{path} names {_name(entry)!r}, which lies outside of it; nothing was unpacked")
    if entry.is_dir() or any(part.startswith(".") or part == "__MACOSX" for part in name.parts):
        return False
    if name.suffix.lower() not in SUFFIXES | VIDEO_SUFFIXES | _TABLES:
        return False
    if entry.flag_bits & 1:
        raise ValueError(f"{path} is encrypted; unpack it and give the folder")
    if entry.file_size > _MOST_TIMES * max(entry.compress_size, 1024):
        raise ValueError(f"{path} holds {_name(entry)!r}, which swells to {entry.file_size / 1e6:.0f} MB: no picture")
    return True


def _name(entry: zipfile.ZipInfo) -> str:
    """The name as it was written: old programs write UTF-8 without saying so."""
    name = entry.filename.replace("\\", "/")
    if entry.flag_bits & 0x800:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name
