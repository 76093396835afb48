"""Decoded pictures on disk: many encoded pictures in, memory-mapped ``ImageSet`` parts out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.base import ImageSet
from openautoglm.data.cache import ArrayWriter, open_array
from openautoglm.data.images import load_square
from openautoglm.progress import progress_bar

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
) -> None:
    """Decode pictures, in order, into one set of arrays for each part; what cannot be read is named and left out."""
    shape = (image_size, image_size, 3)
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar())
        task = bar.add_task(title, total=total)
        out = {
            part: _Part(stack.enter_context(ArrayWriter(path=_images(folder, part), item_shape=shape, dtype=np.uint8)))
            for part in parts
        }
        for chunk, decoded in _decode_chunks(pictures, image_size):
            for picture, image in zip(chunk, decoded, strict=True):
                _add(out[picture.part], picture, image)
            bar.advance(task, len(chunk))
    for part, content in out.items():
        _finish(folder, part, content)


def open_pictures(folder: Path, part: str, *, name: str, classes: tuple[str, ...]) -> ImageSet:
    """Open one part of a store; pixels stay on disk until they are used."""
    try:
        meta = json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
        ids, fingerprint, problems = meta["ids"], meta["fingerprint"], meta["problems"]
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"the cache {folder} is damaged ({error}); delete that folder and run again") from None
    if problems:
        few = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        _log.warning("%s: %d left out of %d: %s", name, len(problems), len(problems) + len(ids), few)
    return ImageSet(
        name=name,
        classes=classes,
        images=open_array(_images(folder, part)),
        labels=np.array(open_array(folder / f"{part}-labels.npy"), np.int64),
        ids=tuple(ids),
        fingerprint=hashlib.sha256(f"{fingerprint}{classes}".encode()).hexdigest(),
        problems=tuple(problems),
    )


def _images(folder: Path, part: str) -> Path:
    return folder / f"{part}-images.npy"


def _decode_chunks(
    pictures: Iterable[Encoded], image_size: int
) -> Iterator[tuple[list[Encoded], list[NDArray[np.uint8] | str]]]:
    """Decode in a few threads, at most a few chunks ahead, and hand out in order."""
    rest = iter(pictures)
    waiting: deque[tuple[list[Encoded], Future[list[NDArray[np.uint8] | str]]]] = deque()
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        while chunk := list(islice(rest, _CHUNK)):
            waiting.append((chunk, pool.submit(_decode, chunk, image_size)))
            if len(waiting) > 2 * _NUM_THREADS:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()


def _decode(chunk: list[Encoded], image_size: int) -> list[NDArray[np.uint8] | str]:
    decoded: list[NDArray[np.uint8] | str] = []
    for picture in chunk:
        try:
            if picture.problem:
                raise ValueError(picture.problem)
            decoded.append(load_square(picture.source, image_size))
        except ValueError as error:
            decoded.append(f"{picture.image_id}: {error}")
    return decoded


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
    meta = {"fingerprint": content.digest.hexdigest(), "ids": content.ids, "problems": content.problems}
    (folder / f"{part}.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
