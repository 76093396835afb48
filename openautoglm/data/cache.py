"""What is computed once and kept on disk: sets of ``.npy`` files, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from openautoglm.home import cache_dir

_SPARE_BYTES = 64 * 2**20
_STALE_S = 24 * 3600
_SAMPLED_ABOVE_BYTES = 256 * 2**20
_SAMPLE_BYTES = 4 * 2**20


def cached_arrays(
    key: str, build: Callable[[Path], None], *, size_bytes: int = 0, root: str | Path | None = None
) -> Path:
    """Return the folder of a cached set, building it first if it is not there.

    ``build`` fills an empty temporary folder that is renamed when it is complete, so a killed or failed
    build leaves nothing that looks finished, and two processes building the same key do not disturb each other.

    Args:
        key: relative path such as ``"synthetic/3f9a"``; holds the hash of everything that shapes the content.
        build: writes the files into the folder it is given.
        size_bytes: about how much it will write; refused beforehand when the disk has less.
        root: cache folder; ``cache_dir()`` when None.
    """
    target = (Path(root).expanduser() if root is not None else cache_dir()) / key
    if target.is_dir():
        return target
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target.parent)
        require_space(target.parent, size_bytes)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        build(partial)
        partial.chmod(0o755)
        _rename(partial, target)
    except OSError as error:
        raise _explain(error, target.parent) from error
    finally:
        if partial is not None and partial.exists():
            shutil.rmtree(partial, ignore_errors=True)
    return target


def require_space(folder: Path, size_bytes: int) -> None:
    """Refuse, in one sentence, to write more than the disk holds."""
    free_bytes = shutil.disk_usage(folder).free
    if size_bytes and free_bytes < size_bytes + _SPARE_BYTES:
        raise ValueError(
            f"not enough disk space in {folder}: {size_bytes / 2**20:.0f} MB are needed and "
            f"{free_bytes / 2**20:.0f} MB are free; make room or point OPENAUTOGLM_HOME at another disk"
        )


def content_key(*parts: object) -> str:
    """Hash of plain values, 20 hex digits, for the last part of a cache key."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:20]


def file_hash(path: Path) -> str:
    """Hash of a file's size and content; very large files are sampled at five places."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= _SAMPLED_ABOVE_BYTES:
            while block := file.read(_SAMPLE_BYTES):
                digest.update(block)
        else:
            for part in range(5):
                file.seek(part * (size - _SAMPLE_BYTES) // 4)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def open_array(path: Path) -> NDArray[Any]:
    """Memory-map one ``.npy``; nothing is unpickled."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"the cache {path.parent} is damaged ({error}); delete that folder and run again") from error
    assert isinstance(array, np.ndarray)
    return array


class ArrayWriter:
    """Writes one ``.npy`` row block by row block, without knowing the number of rows beforehand.

    Args:
        path: file to write.
        item_shape: shape of one row.
        dtype: type of the values.
    """

    def __init__(self, *, path: Path, item_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._item_shape = item_shape
        self._dtype = np.dtype(dtype)
        self._num_rows = 0
        self._file = path.open("wb")
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end."""
        assert rows.shape[1:] == self._item_shape
        assert rows.dtype == self._dtype
        self._file.write(np.ascontiguousarray(rows).tobytes())
        self._num_rows += len(rows)

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # numpy leaves room in the header for the first axis to grow, so the data does not move
        if kind is None:
            self._file.seek(0)
            self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._num_rows, *self._item_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


def _rename(partial: Path, target: Path) -> None:
    try:
        os.replace(partial, target)
    except OSError:
        if not target.is_dir():
            raise
        # another process was faster; its content is the same


def _remove_stale(folder: Path) -> None:
    """Sweep what killed builds left behind."""
    for path in folder.glob(".*.partial"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_S:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue


def _explain(error: OSError, folder: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ValueError(
            f"the disk of {folder} is full; make room or point OPENAUTOGLM_HOME at another disk, then run again"
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return ValueError(
            f"cannot write the cache {folder} ({error.strerror}); point OPENAUTOGLM_HOME at a folder of yours"
        )
    return error
