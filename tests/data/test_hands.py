"""Pictures that show more than a hand are cropped to it by the released spotter; crops are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from openautoglm.data import FolderGestures, SyntheticGestures
from openautoglm.data.hands import NO_HAND, HandFinder, are_small, crops_of
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.types import MissingExtraError

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("own_cache")
GESTURES = ("fist", "palm")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    source = SyntheticScenes(
        classes=GESTURES, num_train=48, num_dev=2, num_test=2, num_workers=1, root=tmp_path_factory.mktemp("scenes")
    )
    return source.load_frames("train")


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    root = tmp_path_factory.mktemp("hands")
    source = SyntheticGestures(classes=GESTURES, num_train=24, num_dev=2, num_test=2, num_workers=1, root=root)
    return source.load("train")


@pytest.fixture
def whole(scenes, tmp_path):
    """A folder of frames in which all hands that are not idle make one gesture."""
    for row in np.flatnonzero(scenes.frame_labels >= 0):
        place = tmp_path / "whole" / scenes.classes[scenes.frame_labels[row]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(scenes.frame(int(row)).image)).save(place / f"{row}.png")
    return tmp_path / "whole"


def source(root, **options):
    given = {"dev_fraction": 0.0, "test_fraction": 0.0, "find_hands": "auto", **options}
    return FolderGestures(root=str(root), **given)


def content(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_whole_pictures_are_cropped_and_kept(whole, scenes):
    before = content(whole)
    data = source(whole)
    crops, train = data.hand_crops(), data.load("train")
    assert crops_of(data) == crops
    assert crops.num_pictures == len(before) > 24
    assert len(train) + len(crops.missing) == len(before)
    assert len(crops.missing) < 0.4 * len(before)
    assert train.images.shape[1:] == (96, 96, 3)
    assert content(whole) == before
    assert "pictures show more than the hand: openautoglm-small cut the hand out of" in data.hands_note


def test_a_crop_is_the_hand(whole, scenes):
    """The best hand overlaps a true box by half at least, in most of the pictures where one is found."""
    tool, right = Recognizer.from_pretrained("openautoglm-small", runtime="onnx"), []
    finder = HandFinder("openautoglm-small")
    for path in whole.rglob("*.png"):
        frame = scenes.frame(int(path.stem))
        found = tool.recognize(np.array(frame.image))
        share = finder.share(path)
        assert np.isfinite(share) == bool(found)
        sides = [max(box[2:] - box[:2]) / max(frame.image.shape) for box in frame.boxes_px]
        if found:
            right.append(min(abs(side - share) / side for side in sides) < 0.3)
    assert np.mean(right) > 0.7


def test_a_crop_is_cut_as_a_recognizer_cuts_it(whole, monkeypatch):
    """What the look of the same box sees, to the byte."""
    path = next(whole.rglob("*.png"))
    tool = HandFinder("openautoglm-small")
    crop = tool.crop(path, 96)
    frame = np.array(Image.open(path))
    bare, seen = Recognizer.from_pretrained("openautoglm-small-crops", runtime="onnx"), []
    monkeypatch.setattr(bare._look, "run", lambda image: seen.append(image) or np.zeros(19, np.float32))
    bare.name_box(frame, tool._best(frame).box_px)
    assert (np.rint(seen[0][0].transpose(1, 2, 0) * 255) == crop).all()


def test_crops_are_left_alone(hands, tmp_path):
    for row, label in enumerate(hands.labels):
        place = tmp_path / "crops" / GESTURES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(hands.images[row])).save(place / f"{row}.png")
    data, plain = source(tmp_path / "crops"), source(tmp_path / "crops", find_hands="never")
    assert data.hand_crops() is None
    assert data.load("train").fingerprint == plain.load("train").fingerprint
    assert "taken as they are" in data.hands_note
    assert plain.hands_note is None


def test_pictures_without_a_hand_are_named_and_left_out(whole):
    grey = np.full((240, 320, 3), 90, np.uint8)
    Image.fromarray(grey).save(whole / "fist" / "no hand.png")
    (whole / "palm" / "broken.jpg").write_bytes(b"no picture")
    data = source(whole)
    assert "fist/no hand.png" in data.hand_crops().missing
    assert "palm/broken.jpg" not in data.hand_crops().missing
    train = data.load("train")
    assert f"fist/no hand.png: {NO_HAND}" in train.problems
    assert any(problem.startswith("palm/broken.jpg: ") for problem in train.problems)


def test_a_class_without_any_hand_is_told(whole):
    (whole / "nothing").mkdir()
    for number in range(3):
        Image.fromarray(np.full((240, 320, 3), 60 + 40 * number, np.uint8)).save(whole / "nothing" / f"{number}.png")
    with pytest.raises(ValueError, match=r"'nothing' in which a hand was found; remove the folder.*find_hands=never"):
        source(whole).load("train")


def test_the_second_load_looks_for_nothing(whole, monkeypatch):
    first = source(whole).load("train")
    monkeypatch.setattr(HandFinder, "_recognizer", None)
    assert source(whole).load("train").fingerprint == first.fingerprint
    Image.fromarray(np.full((9, 9, 3), 7, np.uint8)).save(whole / "fist" / "new.png")
    with pytest.raises(AttributeError):
        source(whole).load("train")


def test_without_a_runtime_pictures_are_taken_as_they_are(whole, monkeypatch, caplog):
    def missing(*args, **kwargs):
        raise MissingExtraError("onnxruntime", "export")

    monkeypatch.setattr(Recognizer, "from_pretrained", missing)
    assert source(whole).hand_crops() is None
    assert "nobody looks whether the pictures show more than hands" in caplog.text


def test_a_net_of_crops_finds_no_hands(whole):
    with pytest.raises(ValueError, match=r"has no program that finds hands: give data\.spotter="):
        source(whole, spotter="openautoglm-small-crops").load("train")


@pytest.mark.parametrize(
    ("shares", "small"),
    [
        ([0.2, 0.3, 0.9], True),
        ([0.7, 0.8, 0.2], False),
        ([0.2, np.nan, np.nan, np.nan], False),
        ([0.2, 0.3, np.nan], True),
        ([np.nan], False),
    ],
)
def test_most_hands_decide(shares, small):
    assert are_small(np.array(shares)) == small
