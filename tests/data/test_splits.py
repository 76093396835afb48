import numpy as np
import pytest

from openautoglm.data.base import ImageSet
from openautoglm.data.splits import align_classes, dev_slice, hash_position, match_classes


def test_position_is_the_first_digits_of_sha1():
    # sha1("abc") = a9993e36...
    assert hash_position("abc") == 0xA9993E36 / 2**32
    assert dev_slice("abc", 0.67)
    assert not dev_slice("abc", 0.66)


def test_slices_have_their_size():
    assert abs(sum(dev_slice(f"id {row}", 0.08) for row in range(20000)) / 20000 - 0.08) < 0.006


def test_match_classes_names_what_differs():
    match_classes(["a", "b"], ("a", "b"))
    with pytest.raises(ValueError, match=r"lacks 'b'; the model does not know 'c'"):
        match_classes(["a", "c"], ["a", "b"])
    with pytest.raises(ValueError, match="another order"):
        match_classes(["b", "a"], ["a", "b"])
    with pytest.raises(ValueError, match="and 2 more"):
        match_classes([], [str(number) for number in range(10)])


def pictures(classes: tuple[str, ...], labels: list[int]) -> ImageSet:
    count = len(labels)
    return ImageSet(
        name="mine/test",
        classes=classes,
        images=np.zeros((count, 2, 2, 3), np.uint8),
        labels=np.array(labels, np.int64),
        ids=tuple(map(str, range(count))),
        fingerprint="",
    )


def test_labels_are_numbered_like_the_models():
    aligned = align_classes(pictures(("palm", "fist", "unused"), [0, 1, 1, -1]), ("fist", "ok", "palm"))
    assert aligned.labels.tolist() == [2, 0, 0, -1]
    assert aligned.classes == ("fist", "ok", "palm")


def test_unknown_class_is_refused():
    with pytest.raises(ValueError, match="does not know: 'palm'"):
        align_classes(pictures(("palm", "fist"), [0, 1]), ("fist", "ok"))
