import numpy as np
import pytest

from openautoglm.data.groups import find_groups, fold_of_each


@pytest.mark.parametrize(
    ("names", "found_by", "numbers"),
    [
        (["a/person1_x.jpg", "b/person1_y.jpg", "a/Person2.jpg", "b/person2-3.jpg"], "person", [0, 0, 1, 1]),
        (["a/session_1/0.jpg", "b/session_1/1.jpg", "a/session 2/0.jpg", "b/session 2/1.jpg"], "sess", [0, 0, 1, 1]),
        (["a/anna/1.jpg", "b/anna/2.jpg", "a/bo/1.jpg", "b/bo/9.jpg"], "folders", [0, 0, 1, 1]),
        (["train/a/anna/1.jpg", "train/b/anna/2.jpg", "train/a/bo/1.jpg", "train/b/bo/9.jpg"], "folders", [0, 0, 1, 1]),
        (["a/anna_01.jpg", "b/anna_02.jpg", "a/bo (1).jpg", "b/bo (2).jpg"], "file names", [0, 0, 1, 1]),
    ],
)  # fmt: skip
def test_names_tell_people_apart(names, found_by, numbers):
    groups = find_groups(names, np.array([0, 1, 0, 1]))
    assert found_by in groups.found_by
    assert groups.numbers.tolist() == numbers
    assert groups.num_groups == 2


@pytest.mark.parametrize(
    "names",
    [
        ["a/001.jpg", "b/002.jpg", "a/003.jpg", "b/004.jpg"],  # counters
        ["a/IMG_1.jpg", "b/IMG_2.jpg", "a/IMG_3.jpg", "b/IMG_4.jpg"],  # one prefix for all
        ["a/a_1.jpg", "b/b_1.jpg", "a/a_2.jpg", "b/b_2.jpg"],  # named after the class
        ["a/x/1.jpg", "b/y/1.jpg", "a/x/2.jpg", "b/y/2.jpg"],  # a folder a class
    ],
)
def test_names_that_tell_nothing(names):
    groups = find_groups(names, np.array([0, 1, 0, 1]))
    assert groups.found_by is None
    assert groups.numbers.tolist() == [0, 1, 2, 3]


def test_folds_keep_groups_whole_and_classes_even():
    names = [f"{label}/person{person}_{take}.jpg" for label in "abc" for person in range(10) for take in range(2)]
    labels = np.repeat(np.arange(3), 20)
    groups = find_groups(names, labels)
    fold = fold_of_each(groups, labels, num_folds=5, seed=0)
    assert all(len(set(fold[groups.numbers == group])) == 1 for group in range(10))
    counts = np.array([np.bincount(labels[fold == number], minlength=3) for number in range(5)])
    assert (counts == 4).all()
    assert fold_of_each(groups, labels, num_folds=5, seed=1).tolist() != fold.tolist()


def test_single_pictures_are_spread_class_by_class():
    labels = np.array([0] * 5 + [1] * 5)
    groups = find_groups([f"{label}/{row}.jpg" for row, label in enumerate(labels)], labels)
    fold = fold_of_each(groups, labels, num_folds=5, seed=0)
    assert all(sorted(labels[fold == number]) == [0, 1] for number in range(5))


def test_one_fold_is_refused():
    groups = find_groups(["a/1.jpg", "b/2.jpg"], np.array([0, 1]))
    with pytest.raises(ValueError, match="num_folds=1"):
        fold_of_each(groups, np.array([0, 1]), num_folds=1, seed=0)
