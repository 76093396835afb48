import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.frames import FrameSource
from openautoglm.data.hagrid import HagridFrames
from openautoglm.data.splits import dev_slice

pytestmark = pytest.mark.usefixtures("own_cache")
POINTS = np.linspace(0.2, 0.5, 42).reshape(21, 2).tolist()


def entry(**fields: Any) -> dict[str, Any]:
    return {"bboxes": [[0.25, 0.5, 0.25, 0.25]], "labels": ["fist"], **fields}


@pytest.fixture
def make_hagrid(tmp_path: Path):
    """Call with {split: {class: {id: entry}}}; every id but those of ``missing`` gets a picture of 40 x 20."""

    def make(
        splits: dict[str, dict[str, dict[str, Any]]], *, missing: tuple[str, ...] = (), name: str = "hagrid"
    ) -> Path:
        root, seed = tmp_path / name, 0
        for split, classes in splits.items():
            for label, entries in classes.items():
                (root / "hagrid_annotations" / split).mkdir(parents=True, exist_ok=True)
                (root / "hagrid_annotations" / split / f"{label}.json").write_text(json.dumps(entries))
                (root / "hagrid_dataset" / label).mkdir(parents=True, exist_ok=True)
                for image_id in entries.keys() - set(missing):
                    seed += 1
                    pixels = np.random.default_rng(seed).integers(0, 256, (20, 40, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(root / "hagrid_dataset" / label / f"{image_id}.jpg")
        return root

    return make


def load(root: Path, split: str = "test", **options: Any):
    return HagridFrames(root=str(root), **options).load_frames(split)


def test_the_hand_of_a_frame(make_hagrid):
    both = entry(bboxes=[[0.25, 0.5, 0.25, 0.25], [0.0, 0.0, 0.5, 0.5]], labels=["fist", "no_gesture"])
    source = HagridFrames(root=str(make_hagrid({"val": {"fist": {"a": entry()}, "palm": {"b": both}}})))
    assert isinstance(source, FrameSource)
    assert source.class_names() == ("fist", "no_gesture")
    test = source.load_frames("test")
    assert test.name == "hagrid/test"
    assert test.ids == ("a", "b")
    assert test.frame(0).image.shape == (20, 40, 3)
    assert test.frame(0).boxes_px.tolist() == [[10, 10, 20, 15]]
    assert test.frame(1).boxes_px.tolist() == [[10, 10, 20, 15], [0, 0, 20, 10]]
    assert test.frame(1).labels.tolist() == [0, 1]
    # a frame is known by its folder; nobody's hand is called palm here
    assert test.frame_labels.tolist() == [0, -1]
    assert test.complete.all()
    assert test.problems == ()


@pytest.mark.parametrize(
    ("fields", "has_landmarks"),
    [
        ({"landmarks": [POINTS], "leading_hand": "right", "leading_conf": 1.0, "user_id": "u"}, True),  # v1
        ({"landmarks": [[]]}, False),
        ({"hand_landmarks": [POINTS], "united_bbox": None, "united_label": None, "meta": None}, True),  # v2
        ({"hand_landmarks": [None], "united_bbox": [None], "united_label": [None], "meta": [None]}, False),
        ({"hand_landmarks": None, "landmarks": [POINTS]}, True),
        ({"hand_landmarks": [POINTS, POINTS]}, False),  # whose are they?
    ],
)
def test_fields_of_all_versions(make_hagrid, fields, has_landmarks: bool):
    test = load(make_hagrid({"val": {"fist": {"a": entry(**fields)}}}))
    assert np.isfinite(test.landmarks_px).all() == has_landmarks
    assert test.labels.tolist() == [0]
    if has_landmarks:
        np.testing.assert_allclose(test.landmarks_px[0], np.array(POINTS) * [40, 20], rtol=1e-6)


def test_frames_that_may_show_a_hand_are_not_complete(make_hagrid):
    entries = {
        "a": {"bboxes": [], "labels": [], "pseudo": True},
        "b": {"bboxes": [], "labels": []},
        "c": {"bboxes": None, "labels": None, "pseudo": True},
        "d": entry(pseudo=True),
        "e": entry(bboxes=[[0.25, 0.5, 0.25, 0.25], [0.5, 0.5, 0.0, 0.1]], labels=["fist", "fist"]),
    }
    test = load(make_hagrid({"val": {"fist": entries}}))
    assert test.complete.tolist() == [False, True, False, True, False]
    assert test.num_hands.tolist() == [0, 0, 0, 1, 1]
    assert test.problems == ("e: its box [0.5, 0.5, 0.0, 0.1] is empty or outside the picture",)


def test_gestures_that_no_box_names_are_those_of_the_files(make_hagrid):
    without = entry(bboxes=[], labels=[], pseudo=True)
    root = make_hagrid({"train": {"fist": {"a": without, "b": without}, "palm": {"c": without}}})
    source = HagridFrames(root=str(root), dev_fraction=0.01)
    assert source.class_names() == ("fist", "no_gesture", "palm")
    train = source.load_frames("train")
    assert train.frame_labels.tolist() == [0, 0, 2]
    assert all(train.frame(row).is_label_only for row in range(3))


def test_boxes_that_nets_found_stand_for_those_of_train(make_hagrid, tmp_path: Path):
    bare = {"bboxes": [], "labels": [], "pseudo": True}
    ids = [name for name in map(str, range(400)) if not dev_slice(name, 0.08)][:2]
    (in_dev,) = [name for name in map(str, range(400)) if dev_slice(name, 0.08)][:1]
    root = make_hagrid({"train": {"fist": dict.fromkeys((*ids, in_dev), bare)}, "val": {"fist": {"a": bare}}})
    found = {"bboxes": [[0.5, 0.5, 0.25, 0.5]], "labels": ["fist"], "complete": False}
    (tmp_path / "boxes.json").write_text(json.dumps({"frames": {ids[0]: found, "a": found}}))
    options = {"pseudo_boxes": str(tmp_path / "boxes.json"), "classes": ("fist", "no_gesture")}
    train = load(root, "train", **options)
    assert train.num_hands.tolist() == [1, 0]
    assert train.frame(0).boxes_px.tolist() == [[20, 10, 30, 20]]
    assert train.frame(0).labels.tolist() == [0]
    assert not train.complete.any()
    assert train.fingerprint != load(root, "train", classes=("fist", "no_gesture")).fingerprint
    assert not load(root, "test", **options).num_hands.any()


def test_labels_that_cannot_be_told_apart_leave_hands_without_a_gesture(make_hagrid):
    two = [[0.25, 0.5, 0.25, 0.25], [0.5, 0.5, 0.2, 0.2]]
    entries = {
        "a": entry(bboxes=two, labels=["fist"]),
        "b": entry(labels=None),
        "c": entry(labels=[None]),
        "d": entry(bboxes=two, labels=["fist", None]),
    }
    test = load(make_hagrid({"val": {"fist": entries}}))
    assert test.labels.tolist() == [-1, -1, -1, -1, 0, -1]
    assert test.problems == ("a: it has 1 labels for 2 boxes, so these gestures are not known",)
    assert test.complete.all()


def test_pictures_that_are_missing_damaged_or_annotated_twice_are_named(make_hagrid):
    root = make_hagrid(
        {"val": {"fist": {"a": entry(), "b": entry(), "c": entry()}, "palm": {"c": entry()}}}, missing=("a",)
    )
    (root / "hagrid_dataset" / "fist" / "b.jpg").write_bytes(b"no")
    test = load(root)
    assert test.ids == ("c",)
    assert [problem.partition(":")[0] for problem in test.problems] == ["a", "b", "c"]
    assert "missing" in test.problems[0]
    assert "not a picture" in test.problems[1]
    assert "in another class" in test.problems[2]


def test_an_id_cannot_lead_out_of_its_folder(make_hagrid, tmp_path: Path):
    root = make_hagrid({"val": {"fist": {"a": entry()}}})
    Image.new("RGB", (40, 20)).save(root / "hagrid_dataset" / "secret.jpg")
    (root / "hagrid_annotations/val/fist.json").write_text(json.dumps({"a": entry(), "../secret": entry()}))
    test = load(root)
    assert test.ids == ("a",)
    assert test.problems == ("../secret: its picture is missing",)


def test_dev_is_cut_out_of_train_by_the_hash_that_crops_are_cut_by(make_hagrid):
    ids = [f"id-{number}" for number in range(60)]
    root = make_hagrid({"train": {"fist": {name: entry() for name in ids}}})
    source = HagridFrames(root=str(root), dev_fraction=0.2)
    train, dev = source.load_frames("train"), source.load_frames("dev")
    assert set(dev.ids) == {name for name in ids if dev_slice(name, 0.2)}
    assert set(train.ids) | set(dev.ids) == set(ids)
    assert not set(train.ids) & set(dev.ids)
    with pytest.raises(ValueError, match="no annotations of 'val', only of train"):
        source.load_frames("test")


def test_the_classes_of_a_model_number_the_hands(make_hagrid):
    root = make_hagrid({"val": {"fist": {"a": entry()}, "ok": {"b": entry(labels=["ok"])}}})
    source = HagridFrames(root=str(root), classes=("ok", "palm"))
    test = source.load_frames("test")
    assert test.classes == source.class_names() == ("ok", "palm")
    assert test.labels.tolist() == [-1, 0]
    assert test.frame_labels.tolist() == [-1, 0]


def test_the_second_load_decodes_nothing(make_hagrid, monkeypatch: pytest.MonkeyPatch):
    splits = {"val": {"fist": {"a": entry()}}}
    root = make_hagrid(splits)
    first = load(root)
    assert isinstance(first.pixels, np.memmap)
    elsewhere = make_hagrid(splits, name="copy")
    monkeypatch.setattr("openautoglm.data.hagrid.write_frames", None)
    assert load(elsewhere).fingerprint == first.fingerprint
    (root / "hagrid_annotations/val/fist.json").write_text(json.dumps({"a": entry(labels=["palm"])}))
    with pytest.raises(TypeError, match="not callable"):
        load(root)


@pytest.mark.parametrize("name", ["手势 数据", "Photos (1) [a]", "a,b=c#d'e"])
def test_awkward_folders(make_hagrid, name: str):
    assert len(load(make_hagrid({"val": {"fist": {"a": entry()}}}, name=name))) == 1


def test_wrong_roots_and_settings(make_hagrid, tmp_path: Path):
    with pytest.raises(ValueError, match=r"no folder .*hagrid_annotations; expected .*hagrid_dataset"):
        load(tmp_path)
    root = make_hagrid({"val": {"fist": {"a": entry()}}}, missing=("a",))
    with pytest.raises(ValueError, match="no frame that can be read: a: its picture is missing"):
        load(root)
    for content, message in (("{", "not readable JSON"), ("[]", "should hold an object"), ('{"a": 3}', "should hold")):
        (root / "hagrid_annotations/val/fist.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            load(root)
    for options, message in (
        ({"dev_fraction": 0.0}, "dev_fraction=0.0"),
        ({"longest_px": 0}, "longest_px=0"),
        ({"test_split": "train"}, "test_split='train'"),
    ):
        with pytest.raises(ValueError, match=message):
            HagridFrames(root=str(root), **options)


@pytest.mark.realdata
def test_hagrid_frames():
    root = os.environ.get("OPENAUTOGLM_TEST_DATA")
    if not root or not Path(root, "hagrid_frames").is_dir():
        pytest.skip("OPENAUTOGLM_TEST_DATA names no folder with hagrid_frames")
    source = HagridFrames(root=str(Path(root, "hagrid_frames")))
    assert len(source.class_names()) == 19
    train, dev, test = (source.load_frames(split) for split in ("train", "dev", "test"))
    assert (len(train) + len(dev), len(test)) == (1336, 171)
    assert (~train.complete).sum() + (~dev.complete).sum() == 131
    assert (len(train.labels) + len(dev.labels), len(test.labels)) == (1385, 203)
    assert not {*train.ids} & {*dev.ids, *test.ids}
    assert np.isfinite(train.landmarks_px).all()
    assert test.complete.all()
    assert (test.frame_labels >= 0).all()
    assert not (*train.problems, *dev.problems, *test.problems)
