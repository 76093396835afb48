import numpy as np
import pytest
from PIL import Image

from openautoglm.data.base import ImageSet
from openautoglm.data.people import NumberedPeople, person_of_each


def pictures(names: list[str], labels: list[int]) -> ImageSet:
    return ImageSet(
        name="x",
        classes=("0", "1", "2"),
        images=np.zeros((len(labels), 4, 4, 3), np.uint8),
        labels=np.array(labels),
        ids=tuple(names),
        fingerprint="",
    )


def test_a_person_ends_where_the_class_does_not_increase():
    """Numbers 10, 11, 12 show 0, 1, 2; 13 and 14 show 0 and 2; 15 shows 2 again."""
    found = person_of_each(
        pictures(
            ["2/IMG_12.JPG", "0/IMG_10.JPG", "1/IMG_11.JPG", "2/IMG_14.JPG", "0/IMG_13.JPG", "2/IMG_15.JPG"],
            [2, 0, 1, 2, 0, 2],
        )
    )
    assert found.tolist() == [0, 0, 0, 1, 1, 2]


def test_a_name_without_a_number_is_refused():
    with pytest.raises(ValueError, match=r"hand\.jpg has no number"):
        person_of_each(pictures(["0/hand.jpg"], [0]))


def test_people_are_apart_and_every_picture_is_in_one_split(tmp_path):
    """Ten people show two classes each: the first of five is test, the second dev."""
    for person in range(10):
        for label in range(2):
            path = tmp_path / str(label) / f"IMG_{2 * person + label}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (40, 40), (20 * person, 100 * label, 0)).save(path)
    source = NumberedPeople(root=str(tmp_path), image_size=32)
    seen = {split: source.load(split) for split in ("train", "dev", "test")}
    assert sorted(seen["test"].ids) == ["0/IMG_0.png", "0/IMG_10.png", "1/IMG_1.png", "1/IMG_11.png"]
    assert sorted(seen["dev"].ids) == ["0/IMG_12.png", "0/IMG_2.png", "1/IMG_13.png", "1/IMG_3.png"]
    assert len(seen["train"]) == 12
    assert len({part.fingerprint for part in seen.values()}) == 3


def test_a_folder_that_has_splits_is_refused(tmp_path):
    for part in ("train", "test"):
        for label in range(2):
            for number in range(2):
                path = tmp_path / part / str(label) / f"{2 * number + label}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (40, 40), (50 * number, 90 * label, 60 * len(part))).save(path)
    with pytest.raises(ValueError, match="data=folder reads such a folder"):
        NumberedPeople(root=str(tmp_path)).load("train")
