import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.annotated import split_of
from openautoglm.data.boxes import BoxFrames
from openautoglm.data.frames import FrameSource
from openautoglm.data.paths import path_below
from openautoglm.data.splits import hash_position
from openautoglm.data.voc import parse_xml

pytestmark = pytest.mark.usefixtures("own_cache")
CATEGORIES = [{"id": 7, "name": "palm"}, {"id": 0, "name": "fist"}]
BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>
<annotation><filename>&lol2;</filename></annotation>"""


def draw(path: Path, seed: int, width: int = 40, height: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def coco(numbers: Iterable[int], *, folder: str = "", **changes: Any) -> dict[str, Any]:
    """A fist in every picture, beside it a palm in every second one."""
    images = [{"id": n, "file_name": f"{folder}{n:03d}.png", "width": 40, "height": 20} for n in numbers]
    hands = [{"image_id": image["id"], "category_id": 0, "bbox": [10, 10, 10, 5]} for image in images]
    hands += [{"image_id": image["id"], "category_id": 7, "bbox": [0, 0, 20, 10]} for image in images[1::2]]
    return {"images": images, "annotations": hands, "categories": CATEGORIES, **changes}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def xml(width: int = 40, height: int = 20) -> str:
    box = "<bndbox><xmin>11</xmin><ymin>11</ymin><xmax>20</xmax><ymax>15</ymax></bndbox>"
    return (
        f"<annotation><filename>../../secret.png</filename><size><width>{width}</width><height>{height}</height></size>"
        f"<object><name>fist</name>{box}</object></annotation>"
    )


@pytest.fixture(
    params=["coco", "coco beside", "coco 2017", "coco roboflow", "yolo", "yolo roboflow", "voc", "voc flat"]
)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One train picture and one test picture, a fist at 10, 10, 20, 15 in each."""
    root = tmp_path / "data set [1]"
    for number, split in enumerate(("train", "test")):
        line = "1 0.375 0.625 0.25 0.25\n"
        if request.param == "coco":
            draw(root / split / f"{number:03d}.png", number)
            write(root / f"{split}.json", coco([number]))
        elif request.param == "coco beside":
            draw(root / f"{split}-{number:03d}.png", number)
            write(root / f"{split}.json", coco([number], folder=f"{split}-"))
        elif request.param == "coco 2017":
            draw(root / f"{split}2017" / f"{number:03d}.png", number)
            write(root / "annotations" / f"instances_{split}2017.json", coco([number]))
            write(root / "annotations" / f"captions_{split}2017.json", {"images": [], "annotations": []})
        elif request.param == "coco roboflow":
            draw(root / split / f"{number:03d}.png", number)
            write(root / split / "_annotations.coco.json", coco([number]))
        elif request.param == "yolo":
            draw(root / "images" / split / f"{number:03d}.png", number)
            write(root / "labels" / split / f"{number:03d}.txt", line)
            write(root / "data.yaml", "path: /elsewhere\nnames: [palm, fist]\n")
        elif request.param == "yolo roboflow":
            draw(root / split / "images" / f"{number:03d}.png", number)
            write(root / split / "labels" / f"{number:03d}.txt", line)
            write(root / "data.yaml", "names: {0: palm, 1: fist}\n")
        elif request.param == "voc":
            draw(root / "JPEGImages" / f"{number:03d}.png", number)
            write(root / "Annotations" / f"{number:03d}.xml", xml())
            write(root / "ImageSets" / "Main" / f"{split}.txt", f"{number:03d}\n")
        else:
            draw(root / split / f"{number:03d}.png", number)
            write(root / split / f"{number:03d}.xml", xml())
    return root


def test_every_layout_gives_the_same_hand(layout: Path):
    source = BoxFrames(root=str(layout), dev_fraction=1e-6)
    assert isinstance(source, FrameSource)
    assert source.class_names() == ("fist",)
    test = source.load_frames("test")
    assert len(test) == len(source.load_frames("train")) == 1
    expected = np.random.default_rng(1).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    assert (test.frame(0).image == expected).all()
    np.testing.assert_allclose(test.frame(0).boxes_px, [[10, 10, 20, 15]], rtol=1e-6)
    assert test.labels.tolist() == [0]
    assert test.frame_labels.tolist() == [0]
    assert test.complete.all()
    assert test.problems == ()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    root = tmp_path / "coco"
    for number in range(60):
        draw(root / "images" / f"{number:03d}.png", number)
    write(root / "annotations.json", coco(range(60)))
    return root


def test_categories_are_gestures_or_only_hands(many: Path):
    named, hands = BoxFrames(root=str(many)), BoxFrames(root=str(many), labels="hand")
    assert named.class_names() == ("fist", "palm")
    assert hands.class_names() == ()
    train = named.load_frames("train")
    two = int(np.flatnonzero(train.num_hands == 2)[0])
    assert train.frame(two).labels.tolist() == [0, 1]
    assert train.frame_labels[two] == -1  # neither is the frame's
    assert set(hands.load_frames("train").labels) == {-1}
    assert hands.load_frames("train").num_hands.tolist() == train.num_hands.tolist()
    other = BoxFrames(root=str(many), classes=("ok", "palm")).load_frames("train")
    assert other.frame(two).labels.tolist() == [-1, 1]


def test_a_frame_is_known_by_its_gesture_whatever_the_idle_hands_do(tmp_path: Path):
    draw(tmp_path / "images" / "000.png", 0)
    draw(tmp_path / "images" / "001.png", 1)
    categories = [{"id": 0, "name": "fist"}, {"id": 7, "name": "no_gesture"}]
    write(tmp_path / "test.json", coco([0, 1], categories=categories))
    test = BoxFrames(root=str(tmp_path)).load_frames("test")
    assert test.labels.tolist() == [0, 0, 1]
    assert test.frame_labels.tolist() == [0, 0]


def test_without_named_splits_the_hash_of_the_name_decides(many: Path):
    source = BoxFrames(root=str(many), dev_fraction=0.2, test_fraction=0.3)
    parts = {split: source.load_frames(split).ids for split in ("train", "dev", "test")}
    assert sum(map(len, parts.values())) == 60
    for split, low, high in (("test", 0, 0.3), ("dev", 0.3, 0.5), ("train", 0.5, 1)):
        assert parts[split]
        assert all(low <= hash_position(name) < high for name in parts[split])


def test_a_val_split_is_the_figure_and_dev_is_cut_out_of_train(many: Path):
    (many / "annotations.json").unlink()
    write(many / "train.json", coco(range(50)))
    write(many / "valid.json", coco(range(50, 60)))
    source = BoxFrames(root=str(many))
    assert len(source.load_frames("test")) == 10
    assert len(source.load_frames("train")) + len(source.load_frames("dev")) == 50


def test_a_picture_that_two_splits_hold_is_only_measured(many: Path):
    (many / "annotations.json").unlink()
    write(many / "train.json", coco(range(50)))
    write(many / "test.json", coco(range(45, 60)))
    source = BoxFrames(root=str(many))
    assert len(source.load_frames("test")) == 15
    train, dev = source.load_frames("train"), source.load_frames("dev")
    assert len(train) + len(dev) == 45
    assert sum("the same picture is in test" in problem for problem in (*train.problems, *dev.problems)) == 5


def test_what_coco_says_that_cannot_be_used_is_named(tmp_path: Path):
    for number in range(4):
        draw(tmp_path / "images" / f"{number:03d}.png", number)
    content = coco(range(5))
    content["annotations"] = [
        {"image_id": 0, "category_id": 0, "bbox": [10, 10, 10, 5], "iscrowd": 1},
        {"image_id": 0, "category_id": 3, "bbox": [10, 10, 10, 5]},
        {"image_id": 0, "category_id": 0, "bbox": [10, 10]},
        {"image_id": 0, "category_id": 0, "bbox": [10, 10, 0, 5]},
        {"image_id": 0, "category_id": 0},
        {"image_id": 0, "category_id": 0, "bbox": [10, 10, 10, 5]},
    ]
    content["images"][2]["width"] = 80
    content["images"][3]["height"] = 0
    write(tmp_path / "test.json", content)
    test = BoxFrames(root=str(tmp_path)).load_frames("test")
    assert test.ids == ("images/000.png", "images/001.png")
    assert test.num_hands.tolist() == [1, 0]
    assert test.complete.tolist() == [False, True]
    text = "\n".join(test.problems)
    for reason in (
        "a crowd", "category 3", "[10, 10] is not four numbers", "'fist' is empty", "None is not four numbers",
        "002.png: its annotation is for 80 x 20 px", "003.png: its annotation has no width and height",
        "004.png: its picture is missing",
    ):  # fmt: skip
        assert reason in text
    assert len(test.problems) == 8


def test_what_yolo_says_that_cannot_be_used_is_named(tmp_path: Path):
    draw(tmp_path / "images" / "val" / "a.jpg", 0)
    draw(tmp_path / "images" / "val" / "empty.jpg", 1)
    draw(tmp_path / "images" / "val" / "odd.jpg", 2)
    lines = "0 0.5 0.5 0.2 0.2\n1.0 0.5 0.5 0.2 0.2\n\n0 0.1 0.2\nnan 0.5 0.5 0.1 0.1\n1 nan 0.5 0.1 0.1\n"
    write(tmp_path / "labels" / "val" / "a.txt", lines)
    write(tmp_path / "labels" / "val" / "odd.txt", "hand")
    write(tmp_path / "labels" / "classes.txt", "fist\n")
    test = BoxFrames(root=str(tmp_path)).load_frames("test")
    assert test.classes == ("1", "fist")
    assert test.labels.tolist() == [1, 0]
    assert test.complete.tolist() == [False, True, False]  # a picture without a text file shows nothing
    assert [problem.partition(" is ")[0] for problem in test.problems] == [
        "images/val/a.jpg: line 4 of its text file", "images/val/a.jpg: line 5 of its text file",
        "images/val/a.jpg: its box of '1'", "images/val/odd.jpg: line 1 of its text file",
    ]  # fmt: skip


def test_what_voc_says_that_cannot_be_used_is_named(tmp_path: Path):
    contents = {
        "bomb": BOMB,
        "cut": xml()[:80],
        "flat": xml(width=0),
        "other": xml(width=80),
        "good": xml(),
        "lost": xml(),
    }
    contents["half"] = xml().replace("xmax", "xmost")
    for number, (name, content) in enumerate(contents.items()):
        if name != "lost":
            draw(tmp_path / "test" / f"{name}.png", number)
        write(tmp_path / "test" / f"{name}.xml", content)
    test = BoxFrames(root=str(tmp_path)).load_frames("test")
    assert test.ids == ("test/good.png", "test/half.png")
    assert test.complete.tolist() == [True, False]
    reasons = {Path(problem.partition(":")[0]).stem: problem for problem in test.problems}
    assert "refused: it declares entities" in reasons["bomb"]
    assert "damaged" in reasons["cut"]
    assert "without the size" in reasons["flat"]
    assert "for 80 x 20 px" in reasons["other"]
    assert "has no xmin" in reasons["half"]
    assert "missing" in reasons["lost"]


def test_entities_are_refused_wherever_they_are_declared():
    for declared in ("<!ENTITY a 'b'>", "<!ENTITY % a 'b'>", "<!ENTITY a SYSTEM 'file:///etc/passwd'>"):
        with pytest.raises(ValueError, match="entities"):
            parse_xml(f"<!DOCTYPE x [{declared}]><x/>".encode())
    assert parse_xml(b"<x><y> 1 </y></x>").findtext("y") == " 1 "


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "/secret.png", "..\\secret.png", "C:\\s.png"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="lies outside"):
        path_below(tmp_path, name)
    draw(tmp_path / "images" / "000.png", 0)
    content = coco([0, 1])
    content["images"][1]["file_name"] = name
    write(tmp_path / "test.json", content)
    with pytest.raises(ValueError, match="lies outside"):
        BoxFrames(root=str(tmp_path)).load_frames("test")


def test_windows_names_are_understood(tmp_path: Path):
    assert path_below(tmp_path, "train\\a.png") == tmp_path / "train" / "a.png"


def test_words_for_splits():
    assert split_of("images", "train2017") == "train"
    assert split_of("instances_val2017") == "dev"
    assert split_of("Valid") == "dev"
    assert split_of("my_testing_set") is None
    assert split_of("test-dev") == "test"


def test_pictures_outside_of_the_splits_are_left_out(tmp_path: Path):
    for number in range(60):
        draw(tmp_path / "images" / ("test", "train", "rest")[number % 3] / f"{number}.png", number)
    write(tmp_path / "labels" / "test" / "0.txt", "0 0.5 0.5 0.2 0.2")
    train = BoxFrames(root=str(tmp_path), labels="hand").load_frames("train")
    assert {Path(name).parent.name for name in train.ids} == {"train"}
    assert sum("neither train, val nor test" in problem for problem in train.problems) == 20


def test_wrong_roots_and_settings(tmp_path: Path):
    for place, message in ((tmp_path / "none", "no folder"), (tmp_path, "no boxes in a known form; expected COCO")):
        with pytest.raises(ValueError, match=message):
            BoxFrames(root=str(place)).class_names()
    write(tmp_path / "train.json", "{")
    with pytest.raises(ValueError, match="not readable JSON"):
        BoxFrames(root=str(tmp_path)).class_names()
    write(tmp_path / "train.json", coco([0]))
    with pytest.raises(ValueError, match=r"none of the pictures of train.json is there \(000.png"):
        BoxFrames(root=str(tmp_path)).class_names()
    draw(tmp_path / "000.png", 0)
    with pytest.raises(ValueError, match="test of boxes has no frame"):
        BoxFrames(root=str(tmp_path)).load_frames("test")
    for options, message in (
        ({"dev_fraction": 0.9}, "dev_fraction=0.9"),
        ({"labels": "gesture"}, "labels='gesture'"),
        ({"longest_px": 0}, "longest_px=0"),
    ):
        with pytest.raises(ValueError, match=message):
            BoxFrames(root=str(tmp_path), **options)
    (tmp_path / "train.json").unlink()
    draw(tmp_path / "images" / "a.png", 0)
    write(tmp_path / "labels" / "a.txt", "")
    write(tmp_path / "data.yaml", "names: !!python/object/apply:os.system [ls]")
    with pytest.raises(ValueError, match="not readable YAML"):
        BoxFrames(root=str(tmp_path)).class_names()


@pytest.mark.realdata
def test_hands_detection():
    root = os.environ.get("OPENAUTOGLM_TEST_DATA")
    if not root or not Path(root, "hands_detection").is_dir():
        pytest.skip("OPENAUTOGLM_TEST_DATA names no folder with hands_detection")
    source = BoxFrames(root=str(Path(root, "hands_detection")), labels="hand")
    train, dev, test = (source.load_frames(split) for split in ("train", "dev", "test"))
    assert (len(train) + len(dev), len(test)) == (1245, 312)
    assert len(train.labels) + len(dev.labels) == 1381
    assert not (*train.problems, *dev.problems, *test.problems)
