import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.data import FolderGestures

pytestmark = pytest.mark.usefixtures("own_cache")
SPLITS = ("train", "dev", "test")


def source(root: Path, **options) -> FolderGestures:
    return FolderGestures(root=str(root), image_size=16, **options)


def test_class_folders_are_cut_class_by_class(make_folder):
    data = source(make_folder({"palm": 20, "好 手": 40, "it's (1) [ok]": 10}))
    assert data.class_names() == ("it's (1) [ok]", "palm", "好 手")
    parts = {split: data.load(split) for split in SPLITS}
    counts = {split: np.bincount(part.labels).tolist() for split, part in parts.items()}
    assert counts == {"train": [7, 15, 30], "dev": [1, 2, 4], "test": [2, 3, 6]}
    ids = [name for part in parts.values() for name in part.ids]
    assert len(set(ids)) == 70
    assert all(
        name.split("/")[0] == parts["train"].classes[label]
        for part in parts.values()
        for name, label in zip(part.ids, part.labels, strict=True)
    )
    assert not parts["train"].problems


def test_split_is_the_same_elsewhere_and_another_by_seed(make_folder):
    root = make_folder({"a": 30, "b": 30})
    shutil.copytree(root, root.parent / "copy")
    one, two = source(root).load("test"), source(root.parent / "copy").load("test")
    assert one.ids == two.ids
    assert one.fingerprint == two.fingerprint
    assert source(root, seed=1).load("test").ids != one.ids


def test_split_folders(make_folder):
    root = make_folder({"train/a": 5, "train/b": 4, "val/a": 2, "val/b": 1, "test/b": 3, "extra/x": 2})
    data = source(root)
    assert data.class_names() == ("a", "b")
    assert {split: np.bincount(data.load(split).labels, minlength=2).tolist() for split in SPLITS} == {
        "train": [5, 4],
        "dev": [2, 1],
        "test": [0, 3],
    }
    assert "extra/ is neither" in data.load("train").problems[0]


def test_dev_is_cut_from_train_where_it_has_no_folder(make_folder):
    data = source(make_folder({"train/a": 20, "train/b": 20, "test/a": 3, "test/b": 3}))
    assert [len(data.load(split)) for split in SPLITS] == [36, 4, 6]
    assert all(name.startswith("train/") for name in data.load("dev").ids)


def test_val_is_the_figure_where_there_is_no_test(make_folder):
    data = source(make_folder({"train/a": 20, "train/b": 20, "validation/a": 3, "validation/b": 3}))
    assert all(name.startswith("validation/") for name in data.load("test").ids)
    assert all(name.startswith("train/") for name in data.load("dev").ids)
    assert "val/ is read for the figure" in data.load("train").problems[0]


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_root_with_one_split_is_enough_to_measure(make_folder, name: str):
    data = source(make_folder({f"{name}/b": 3, f"{name}/c": 2}), classes=("a", "b", "c"))
    test = data.load("test")
    assert test.classes == ("a", "b", "c")
    assert np.bincount(test.labels, minlength=3).tolist() == [0, 3, 2]
    with pytest.raises(ValueError, match="no pictures for train, only for"):
        data.load("train")


def test_unknown_class_folder_is_refused(make_folder):
    with pytest.raises(ValueError, match="no class of the model: 'c'"):
        source(make_folder({"test/b": 3, "test/c": 2}), classes=("a", "b")).load("test")


def test_a_class_may_be_called_test(make_folder):
    assert source(make_folder({"test": 4, "train": 4})).class_names() == ("test", "train")


def test_small_classes_are_named(make_folder, caplog: pytest.LogCaptureFixture):
    data = source(make_folder({"one": 1, "two": 2, "three": 3}))
    parts = {split: data.load(split) for split in SPLITS}
    labels = {split: [part.classes[label] for label in part.labels] for split, part in parts.items()}
    assert sorted(labels["train"]) == ["one", "three", "two"]
    assert sorted(labels["dev"]) == ["three", "two"]
    assert labels["test"] == ["three"]
    assert "class 'one' has one picture to train on and is not in dev and test: add pictures" in parts["train"].problems
    assert "class 'two' has 2 pictures to train on and is not in test: add pictures" in parts["train"].problems
    assert "class 'one'" in caplog.text


def test_unreadable_files_are_counted_and_others_ignored(make_folder, caplog: pytest.LogCaptureFixture):
    root = make_folder({"a": 10, "b": 10, "empty": 0})
    (root / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    (root / "a" / "phone.HEIC").write_bytes(b"")
    (root / "a" / "notes.txt").write_text("x")
    (root / "a" / ".hidden.png").write_text("x")
    (root / ".git").mkdir()
    (root / "readme.md").write_text("x")
    parts = [source(root).load(split) for split in SPLITS]
    assert sum(map(len, parts)) == 20
    problems = [problem for part in parts for problem in part.problems]
    assert sorted(problem.split(":")[0] for problem in problems) == [
        "a/broken.jpg",
        "a/phone.HEIC",
        "empty/ holds no pictures",
    ]
    assert "left out of" in caplog.text


def test_modes_and_rotation_reach_the_set(make_folder):
    root = make_folder({"a": 6, "b": 6})
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("L", (32, 16), 255)
    picture.save(root / "a" / "turned.jpg", exif=exif)
    data = source(root)
    sets = [data.load(split) for split in SPLITS]
    (turned,) = [part.images[part.ids.index("a/turned.jpg")] for part in sets if "a/turned.jpg" in part.ids]
    assert (turned[:, :3] == 128).all()  # upright it is 16 x 32, so the padding is left and right
    assert (turned[:, 5:11] > 250).all()


def test_copies_stay_in_one_split(make_folder):
    root = make_folder({"train/a": 20, "train/b": 20, "val/a": 3, "val/b": 3, "test/a": 3, "test/b": 3})
    shutil.copy(root / "test/a/000.png", root / "train/a/again.png")
    shutil.copy(root / "train/b/001.png", root / "train/b/twice.png")
    data = source(root)
    assert len(data.load("train")) == 40
    assert "test/a/000.png" in data.load("test").ids
    assert "train/a/again.png: the same picture as test/a/000.png, left out" in data.load("train").problems
    assert "train/b/twice.png: the same picture as train/b/001.png, left out" in data.load("train").problems


def test_a_picture_in_two_classes_is_left_out(make_folder):
    root = make_folder({"a": 10, "b": 10})
    shutil.copy(root / "a/003.png", root / "b/other.png")
    data = source(root)
    assert sum(len(data.load(split)) for split in SPLITS) == 19
    assert any("a/003.png and b/other.png" in problem for problem in data.load("train").problems)


def test_wrong_roots(make_folder, tmp_path: Path):
    with pytest.raises(ValueError, match="there is no folder"):
        source(tmp_path / "none").load("train")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        source(tmp_path / "file").load("train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no pictures in class folders; expected"):
        source(tmp_path / "empty").class_names()
    with pytest.raises(ValueError, match=r"one class only .'a'."):
        source(make_folder({"a": 9}, "single")).load("train")
    with pytest.raises(ValueError, match="no pictures for dev, only for 'train'"):
        source(make_folder({"a": 1, "b": 1}, "sparse")).load("dev")


def test_class_without_a_readable_picture_is_refused(make_folder):
    root = make_folder({"a": 6, "b": 0})
    for number in range(3):
        (root / "b" / f"{number}.jpg").write_bytes(b"x" * number)
    with pytest.raises(ValueError, match="no readable training picture of 'b'"):
        source(root).load("train")


def test_fractions():
    with pytest.raises(ValueError, match="leave nothing to train on"):
        FolderGestures(root=".", dev_fraction=0.5, test_fraction=0.5)
