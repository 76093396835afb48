import pytest

from openautoglm.data import FolderGestures
from openautoglm.data.folder import speaks_of_sides
from openautoglm.data.pool import GivenPictures

pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_folder_may_hold_nothing_out(make_folder):
    root = make_folder({"a": 5, "b": 1})
    data = FolderGestures(root=str(root), image_size=16, dev_fraction=0.0, test_fraction=0.0)
    train = data.load("train")
    assert len(train) == 6
    assert not train.problems
    for split in ("dev", "test"):
        assert not data.holds_out(split)
        assert data.load(split).ids == train.ids


def test_a_test_folder_is_held_out(make_folder):
    root = make_folder({"train/a": 5, "train/b": 4, "test/a": 2, "test/b": 1})
    data = FolderGestures(root=str(root), image_size=16, dev_fraction=0.0, test_fraction=0.0)
    assert data.holds_out("test")
    assert not data.holds_out("dev")
    assert [len(data.load(split)) for split in ("train", "dev", "test")] == [9, 9, 3]


def test_given_pictures_are_a_source(make_folder):
    data = FolderGestures(root=str(make_folder({"a": 20, "b": 20})), image_size=16)
    train, test = data.load("train"), data.load("test")
    given = GivenPictures(splits={"train": train, "dev": test}, mirror=False, name="fold 1")
    assert given.class_names() == ("a", "b")
    assert given.image_size == 16
    assert given.load("dev") is test
    with pytest.raises(ValueError, match="no test, only train, dev"):
        given.load("test")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["left", "fist"], ["left"]),
        (["swipe_Right", "thumb-LEFT", "ok"], ["swipe_Right", "thumb-LEFT"]),
        (["gauche", "左手", "derecha!"], ["gauche", "左手", "derecha!"]),
        (["bright", "cleft", "copyright"], []),
    ],
)
def test_words_for_sides(names, found):
    assert speaks_of_sides(names) == found


def test_mirroring_follows_names_unless_said(make_folder):
    root = str(make_folder({"left": 2, "right": 2}))
    assert not FolderGestures(root=root).mirror
    assert "'left', 'right'" in FolderGestures(root=root).mirror_note
    assert FolderGestures(root=root, mirror=True).mirror
    assert FolderGestures(root=root, mirror=True).mirror_note is None
    other = FolderGestures(root=str(make_folder({"ok": 2, "fist": 2}, name="other")))
    assert other.mirror
    assert "data.mirror=false" in other.mirror_note
