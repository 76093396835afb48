from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.data import LabelledFrames, SpotData
from openautoglm.data.frames import FrameSource
from openautoglm.tensors import UNLABELLED


def save(root: Path, counts: dict[str, int], *, shape: tuple[int, int] = (30, 40)) -> Path:
    for number, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for index in range(count):
            pixels = np.full((*shape, 3), 20 * number + index, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "home"))


def test_frames_are_known_by_their_folder_and_have_no_box(tmp_path):
    source = LabelledFrames(root=str(save(tmp_path / "own", {"palm": 10, "fist": 10})))
    assert isinstance(source, FrameSource)
    assert source.class_names() == ("fist", "palm")
    sizes = {split: len(source.load_frames(split)) for split in ("train", "dev", "test")}
    assert sum(sizes.values()) == 20
    assert min(sizes.values()) >= 2
    frames = source.load_frames("train")
    assert not frames.complete.any()
    assert frames.num_hands.sum() == 0
    frame = frames.frame(0)
    assert (frame.image.shape, frame.label, frame.is_label_only) == ((30, 40, 3), 0, True)
    assert source.load_frames("train").fingerprint == frames.fingerprint


def test_gestures_are_numbered_as_a_model_does(tmp_path):
    root = save(tmp_path / "own", {"palm": 4, "fist": 4})
    frames = LabelledFrames(root=str(root), classes=["one", "palm", "two"]).load_frames("train")
    assert set(frames.frame_labels.tolist()) == {1, UNLABELLED}


def test_sides_forbid_mirroring(tmp_path):
    root = str(save(tmp_path / "own", {"swipe left": 4, "fist": 4}))
    assert not LabelledFrames(root=root).mirror
    assert LabelledFrames(root=root, mirror=True).mirror
    assert LabelledFrames(root=str(save(tmp_path / "other", {"palm": 4, "fist": 4}))).mirror


def test_batches_show_whole_frames_known_by_a_gesture(tmp_path):
    source = LabelledFrames(root=str(save(tmp_path / "own", {"palm": 10, "fist": 10}, shape=(40, 40))))
    data = SpotData(source=source, image_size=32, crop_size=16, batch_size=4)
    for batch in data.train_dataloader():
        assert batch.frame_label is not None
        assert set(batch.frame_label.tolist()) <= {0, 1}
        assert batch.crops.image.shape == (0, 3, 16, 16)
        pitch = batch.to_frame[:, :, :2].det().abs().sqrt()
        assert (32 * pitch >= 39.9).all()  # never zoomed into
    dev = next(iter(data.val_dataloader()))
    assert (dev.frame_label >= 0).all()


def test_what_is_missing_or_wrong_is_said(tmp_path):
    root = save(tmp_path / "own", {"palm": 5, "fist": 1})
    alone = save(tmp_path / "alone", {"palm": 6})
    (root / "palm" / "0.png").write_bytes(b"no picture")
    frames = LabelledFrames(root=str(root)).load_frames("train")
    assert any("palm/0.png" in problem for problem in frames.problems) or "palm/0.png" not in frames.ids
    with pytest.raises(ValueError, match="there is no folder"):
        LabelledFrames(root=str(tmp_path / "nowhere")).class_names()
    with pytest.raises(ValueError, match="too few gestures"):
        _ = SpotData(source=LabelledFrames(root=str(alone))).train
    with pytest.raises(ValueError, match="leave nothing to train on"):
        LabelledFrames(root=str(root), test_fraction=0.0)
    with pytest.raises(ValueError, match="longest_px=0 should be at least 1"):
        LabelledFrames(root=str(root), longest_px=0)
    few = save(tmp_path / "few", {"palm": 2, "fist": 2})
    with pytest.raises(ValueError, match="has no frames for test, only for"):
        LabelledFrames(root=str(few)).load_frames("test")
