import shutil
from pathlib import Path

import numpy as np
import pytest

from openautoglm.data.cache import ArrayWriter, cached_arrays, content_key, file_hash, open_array
from openautoglm.home import cache_dir


def test_home_is_the_environments(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    assert cache_dir() == own_cache
    monkeypatch.delenv("OPENAUTOGLM_HOME")
    assert cache_dir() == Path.home() / ".cache" / "openautoglm"


def test_built_once(own_cache: Path):
    calls = []

    def build(folder: Path) -> None:
        calls.append(folder)
        np.save(folder / "a.npy", np.arange(3))

    first = cached_arrays("room/key", build)
    second = cached_arrays("room/key", build)
    assert first == second == own_cache / "room" / "key"
    assert len(calls) == 1
    assert list(open_array(first / "a.npy")) == [0, 1, 2]


def test_failed_build_leaves_nothing(own_cache: Path):
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        cached_arrays("room/key", build)
    assert list((own_cache / "room").iterdir()) == []


def test_another_process_was_faster(own_cache: Path):
    def build(folder: Path) -> None:
        (folder / "mine").touch()
        (own_cache / "room" / "key").mkdir()
        (own_cache / "room" / "key" / "theirs").touch()

    folder = cached_arrays("room/key", build)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert [path.name for path in folder.parent.iterdir()] == ["key"]


def test_no_space_is_said_before_anything_is_written(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(ValueError, match=r"not enough disk space in .*OPENAUTOGLM_HOME"):
        cached_arrays("room/key", lambda folder: None, size_bytes=10**9)
    assert list((own_cache / "room").iterdir()) == []


def test_disk_that_fills_up_meanwhile(own_cache: Path):
    def build(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match=r"the disk of .* is full"):
        cached_arrays("room/key", build)


def test_writer_grows_and_nothing_is_unpickled(tmp_path: Path):
    path = tmp_path / "rows.npy"
    with ArrayWriter(path=path, item_shape=(2,), dtype=np.uint8) as writer:
        for number in range(300):
            writer.append(np.full((1, 2), number % 256, np.uint8))
    rows = open_array(path)
    assert isinstance(rows, np.memmap)
    assert rows.shape == (300, 2)
    assert list(rows[:, 1]) == [number % 256 for number in range(300)]
    np.save(path, np.array([{}], object))
    with pytest.raises(ValueError, match="damaged"):
        open_array(path)


def test_keys_and_hashes_follow_the_content(tmp_path: Path):
    assert content_key(1, "a") == content_key(1, "a") != content_key("1a")
    one, other = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"x" * 1000)
    other.write_bytes(b"x" * 999 + b"y")
    assert file_hash(one) != file_hash(other)
    other.write_bytes(b"x" * 1000)
    assert file_hash(one) == file_hash(other)
