import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import openautoglm.data.synthetic.source as source_module
from openautoglm.data.base import Source
from openautoglm.data.contact import contact_sheet
from openautoglm.data.synthetic import SyntheticGestures

SMALL = {"image_size": 32, "num_train": 36, "num_dev": 12, "num_test": 24}


def make(root: Path, **changes) -> SyntheticGestures:
    return SyntheticGestures(root=root, **(SMALL | changes))


def test_it_is_a_source_and_reads_nothing_before_load(tmp_path: Path) -> None:
    source = make(tmp_path / "cache")
    assert isinstance(source, Source)
    assert len(source.class_names()) >= 12
    assert not (tmp_path / "cache").exists()


def test_load_gives_pictures_labels_boxes_landmarks_and_hands(tmp_path: Path) -> None:
    source = make(tmp_path)
    test = source.load("test")
    assert test.images.shape == (24, 32, 32, 3)
    assert test.images.dtype == np.uint8
    assert isinstance(test.images, np.memmap)
    assert test.labels.dtype == np.int64
    assert np.bincount(test.labels).tolist() == [2] * 12
    assert test.boxes_px is not None
    assert test.boxes_px.shape == (24, 4)
    assert test.landmarks_px is not None
    assert test.landmarks_px.shape == (24, 21, 2)
    assert len(set(test.ids)) == len(test) == 24
    assert test.problems == ()
    facts = source.facts("test")
    assert facts.is_right.dtype == bool
    assert len(facts.persons) == 24


def test_the_second_load_renders_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path).load("dev")

    def refuse(*arguments: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(source_module, "render_split", refuse)
    again = make(tmp_path).load("dev")
    assert again.fingerprint == first.fingerprint
    with pytest.raises(AssertionError, match="rendered again"):
        make(tmp_path, seed=1).load("dev")


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    alone = make(tmp_path / "one", num_workers=1).load("train")
    shared = make(tmp_path / "two", num_workers=2).load("train")
    assert alone.fingerprint == shared.fingerprint
    np.testing.assert_array_equal(alone.images, shared.images)
    assert alone.landmarks_px is not None
    assert shared.landmarks_px is not None
    np.testing.assert_array_equal(alone.landmarks_px, shared.landmarks_px)


def test_a_longer_split_begins_with_the_shorter_one(tmp_path: Path) -> None:
    short, long = make(tmp_path).load("dev"), make(tmp_path, num_dev=20).load("dev")
    np.testing.assert_array_equal(short.images, long.images[:12])


def test_a_broken_render_leaves_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, *rest: object) -> None:
        (folder / "images.npy").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(source_module, "render_split", broken)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path).load("dev")
    monkeypatch.undo()
    assert not list(tmp_path.rglob("images.npy"))
    assert len(make(tmp_path).load("dev")) == 12


def test_a_killed_render_leaves_no_cache(tmp_path: Path) -> None:
    code = (
        "import sys; from openautoglm.data.synthetic import SyntheticGestures;"
        "SyntheticGestures(image_size=64, num_train=100_000, num_workers=2, root=sys.argv[1]).load('train')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        started = time.monotonic()
        while not list(tmp_path.rglob("labels.npy")):
            assert time.monotonic() - started < 30
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        process.kill()
        process.wait()
    assert all(".partial" in str(path) for path in tmp_path.rglob("*.npy"))


def test_a_failing_process_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openautoglm.data.synthetic.rendering as rendering

    monkeypatch.setattr(rendering.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="rendering process failed"):
        make(tmp_path, num_workers=2).load("dev")
    assert not list(tmp_path.rglob("images.npy"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 8}, "image_size=8"),
        ({"num_dev": 3}, "num_dev=3.*12 classes"),
        ({"seed": -1}, "seed=-1"),
        ({"num_workers": 0}, "num_workers=0"),
        ({"classes": ["fist", "wave"]}, "wave"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **changes)


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'validation'.*train, dev or test"):
        make(tmp_path).load("validation")  # type: ignore[arg-type]


def test_rendering_needs_no_torch() -> None:
    code = "import sys, openautoglm.data.synthetic.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_contact_sheet_has_a_row_for_each_class(tmp_path: Path) -> None:
    test = make(tmp_path).load("test")
    sheet = contact_sheet(test, num_columns=2, cell_px=32, gap_px=2)
    assert sheet.height == 12 * 34 + 2
    marked = contact_sheet(test, num_columns=2, cell_px=32, gap_px=2, marks=True)
    assert marked.size == sheet.size
    assert marked.tobytes() != sheet.tobytes()
    assert contact_sheet(test, num_columns=2, cell_px=32, gap_px=2).tobytes() == sheet.tobytes()
    with pytest.raises(ValueError, match="num_columns=0"):
        contact_sheet(test, num_columns=0)
