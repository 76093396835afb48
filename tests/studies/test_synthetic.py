"""The yardsticks of the study measure what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from openautoglm.cli.study import main
from openautoglm.data.base import ImageSet
from openautoglm.studies.synthetic import logistic_regression, tight_crops

QUIET = Console(quiet=True)


def colours(count: int, seed: int) -> ImageSet:
    """Red, green or blue pictures with noise."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 3
    images = random.integers(0, 100, (count, 40, 40, 3), dtype=np.uint8)
    images[np.arange(count), :, :, labels] += 60
    return ImageSet("colours", ("r", "g", "b"), images, labels, tuple(map(str, range(count))), "x")


def test_logistic_regression_learns_what_is_linear():
    pytest.importorskip("sklearn")
    assert logistic_regression(colours(60, 0), colours(30, 1), console=QUIET) == 1.0


def test_logistic_regression_learns_nothing_from_shuffled_labels():
    pytest.importorskip("sklearn")
    train = colours(60, 0)
    shuffled = replace(train, labels=np.random.default_rng(2).permutation(train.labels))
    assert logistic_regression(shuffled, colours(300, 1), console=QUIET) < 0.7


def test_tight_crops_cut_by_the_box_and_pad():
    images = np.zeros((1, 40, 40, 3), np.uint8)
    images[0, 10:20, 5:35] = 200
    found = replace(colours(3, 0).take([0]), images=images, boxes_px=np.array([[5, 10, 35, 20]], np.float32))
    crop = tight_crops(found, 30).images[0]
    assert crop.shape == (30, 30, 3)
    assert (crop[12:18] == 200).all()  # the box, 30 x 10, in the middle
    assert (crop[:8] == 128).all()  # padding
    assert (crop[22:] == 128).all()


def test_help_and_unknown_study(capsys):
    assert main(["--help"]) == 0
    assert "synthetic" in capsys.readouterr().out
    assert main(["study=fusoin"]) == 2
    assert "there is no study=fusoin" in capsys.readouterr().err
