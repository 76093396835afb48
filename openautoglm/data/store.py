"""Decoded pictures on disk: many encoded pictures in, memory-mapped ``ImageSet`` parts out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import ImageSet
from openautoglm.data.cache import ArrayWriter, open_array
from openautoglm.data.images import load_square
from openautoglm.progress import progress_bar

T = TypeVar("T")
R = TypeVar("R")
_log = logging.getLogger(__name__)
_CHUNK = 64
_NUM_THREADS = 2  # PIL decodes and resizes outside the interpreter lock


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """One picture before decoding.

    Attributes:
        source: its bytes or its file.
        label: class index or -1.
        image_id: name that people can find it by.
        part: the part of the store it goes to, such as ``"train"``.
        problem: why it is left out, known beforehand.
    """

    source: bytes | Path
    label: int
    image_id: str
    part: str
    problem: str = ""


@dataclass
class _Part:
    images: ArrayWriter
    labels: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


def write_pictures(
    pictures: Iterable[Encoded],
    folder: Path,
    *,
    parts: Sequence[str],
    image_size: int,
    total: int,
    title: str,
    load: Callable[[bytes | Path, int], NDArray[np.uint8]] = load_square,
) -> None:
    """Decode pictures, in order, into one set of arrays for each part; what cannot be read is named and left out.

    Args:
        pictures: what to decode.
        folder: empty folder.
        parts: names of the parts.
        image_size: side of the square pictures, in pixels.
        total: number of pictures, for the progress bar.
        title: what the progress bar says.
        load: makes a square picture of a file or its bytes, or says in a ValueError why not.
    """
    shape = (image_size, image_size, 3)
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar())
        task = bar.add_task(title, total=total)
        out = {
            part: _Part(stack.enter_context(ArrayWriter(path=_images(folder, part), item_shape=shape, dtype=np.uint8)))
            for part in parts
        }
        for picture, image in in_order(pictures, lambda picture: _decode(picture, image_size, load)):
            _add(out[picture.part], picture, image)
            bar.advance(task)
    for part, content in out.items():
        _finish(folder, part, content)


def open_pictures(folder: Path, part: str, *, name: str, classes: tuple[str, ...]) -> ImageSet:
    """Open one part of a store; pixels stay on disk until they are used."""
    meta = read_meta(folder, part)
    warn_left_out(name, meta.problems, num_kept=len(meta.ids))
    return ImageSet(
        name=name,
        classes=classes,
        images=open_array(_images(folder, part)),
        labels=np.array(open_array(folder / f"{part}-labels.npy"), np.int64),
        ids=meta.ids,
        fingerprint=hashlib.sha256(f"{meta.fingerprint}{classes}".encode()).hexdigest(),
        problems=meta.problems,
    )


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What a part holds besides arrays: the hash of its content, the names of its rows, what was left out."""

    fingerprint: str
    ids: tuple[str, ...]
    problems: tuple[str, ...]


def read_meta(folder: Path, part: str) -> Meta:
    """Read ``<part>.json`` of a store."""
    try:
        meta = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
        return Meta(fingerprint=meta["fingerprint"], ids=tuple(meta["ids"]), problems=tuple(meta["problems"]))
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"the cache {folder} is damaged ({error}); delete that folder and run again") from None


def write_meta(folder: Path, part: str, meta: Meta) -> None:
    """Write ``<part>.json`` of a store."""
    (folder / f"{part}.json").write_text(json.dumps(asdict(meta), ensure_ascii=False), encoding="utf-8")


def warn_left_out(name: str, problems: Sequence[str], *, num_kept: int) -> None:
    """Tell the first few of what was left out."""
    if problems:
        few = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        _log.warning("%s: %d left out of %d: %s", name, len(problems), len(problems) + num_kept, few)


def in_order(items: Iterable[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Do ``work`` in a few threads, at most a few chunks ahead, and hand out each item with its result in order."""
    rest = iter(items)
    waiting: deque[tuple[list[T], Future[list[R]]]] = deque()
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        while chunk := list(islice(rest, _CHUNK)):
            waiting.append((chunk, pool.submit(lambda chunk: [work(item) for item in chunk], chunk)))
            if len(waiting) > 2 * _NUM_THREADS:
                done, future = waiting.popleft()
                yield from zip(done, future.result(), strict=True)
        while waiting:
            done, future = waiting.popleft()
            yield from zip(done, future.result(), strict=True)


def _images(folder: Path, part: str) -> Path:
    return folder / f"{part}-images.npy"


def _decode(
    picture: Encoded, image_size: int, load: Callable[[bytes | Path, int], NDArray[np.uint8]]
) -> NDArray[np.uint8] | str:
    try:
        if picture.problem:
            raise ValueError(picture.problem)
        return load(picture.source, image_size)
    except ValueError as error:
        return f"{picture.image_id}: {error}"


def _add(part: _Part, picture: Encoded, image: NDArray[np.uint8] | str) -> None:
    if isinstance(image, str):
        part.problems.append(image)
        return
    part.images.append(image[None])
    part.digest.update(image.tobytes())
    part.labels.append(picture.label)
    part.ids.append(picture.image_id)


def _finish(folder: Path, part: str, content: _Part) -> None:
    labels = np.array(content.labels, np.int64)
    content.digest.update(labels.tobytes())
    np.save(folder / f"{part}-labels.npy", labels)
    meta = Meta(fingerprint=content.digest.hexdigest(), ids=tuple(content.ids), problems=tuple(content.problems))
    write_meta(folder, part, meta)
