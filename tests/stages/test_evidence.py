"""Figures over groups of classes."""

from dataclasses import replace

import numpy as np
import pytest

from openautoglm.data.base import ImageSet
from openautoglm.stages.evidence import group_accuracy
from openautoglm.stages.verify import Verify

LABELS = np.array([0, 0, 1, 1, 1, 2])
IMAGES = ImageSet(
    name="x",
    classes=("fist", "palm", "ok"),
    images=np.zeros((6, 2, 2, 3), np.uint8),
    labels=LABELS,
    ids=tuple("abcdef"),
    fingerprint="0",
)


def test_group_accuracy_counts_only_its_classes():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 2, 0]]  # right: 1 of 2, 2 of 3, 0 of 1
    groups = group_accuracy({"large": ["fist", "palm"], "rare": ["ok"]}, logits, IMAGES)
    assert [(group.name, group.top1, group.num_samples) for group in groups] == [("large", 0.6, 5), ("rare", 0.0, 1)]


def test_a_group_without_pictures_has_no_figure():
    images = replace(IMAGES, labels=np.zeros(6, np.int64))
    (group,) = group_accuracy({"rare": ["ok"]}, np.eye(3, dtype=np.float32)[LABELS], images)
    assert (group.top1, group.num_samples) == (None, 0)


def test_a_class_that_the_data_lacks_is_refused():
    class FakeRun:
        class source:
            @staticmethod
            def class_names():
                return ("fist", "palm")

    with pytest.raises(ValueError, match=r"stages\.verify\.groups\.rare names four; the data has fist, palm"):
        Verify(groups={"rare": ["fist", "four"]})(FakeRun())
