"""Peaks, the boxes they predict, and one box a hand."""

from __future__ import annotations

import numpy as np
import pytest

from openautoglm.runtime.peaks import decode_boxes, find_peaks, suppress


def cells(attention, threshold=0.3):
    rows, columns = find_peaks(np.array(attention, np.float32), threshold)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def test_peaks_strongest_first():
    attention = [
        [0.9, 0.1, 0.0, 0.4],
        [0.5, 0.2, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.2, 0.0, 0.0, 0.95],
    ]
    assert cells(attention) == [(3, 3), (0, 0), (0, 3)]  # the corners count, 0.5 has a better neighbour
    assert cells(attention, 0.92) == [(3, 3)]
    assert cells(attention, 0.96) == []


def test_the_threshold_itself_is_enough():
    assert cells([[0.0, 0.5]], 0.5) == [(0, 1)]


@pytest.mark.parametrize("seed", range(10))
def test_peaks_are_those_that_a_loop_finds(seed):
    attention = np.random.default_rng(seed).integers(0, 6, (9, 12)).astype(np.float32) / 5  # with ties
    expected = {
        (row, column)
        for row in range(9)
        for column in range(12)
        if attention[row, column] >= 0.6
        and attention[row, column] == attention[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].max()
    }
    found = cells(attention, 0.6)
    assert set(found) == expected
    assert len(found) == len(expected)
    strengths = [attention[cell] for cell in found]
    assert strengths == sorted(strengths, reverse=True)


def test_boxes_reach_from_the_middle_of_the_cell():
    distances = np.zeros((4, 6, 6), np.float32)
    distances[:, 1, 4] = 1, 0.5, 0.25, 2  # left, top, right, bottom
    distances[:, 5, 0] = -3, 0, 1, 0  # noise below nothing is nothing
    boxes = decode_boxes(distances, np.array([1, 5]), np.array([4, 0]), size=48)
    np.testing.assert_allclose(boxes, [[28, 8, 38, 28], [4, 44, 12, 44]])


BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [20, 0, 30, 10], [5, 5, 5, 9], [0, 0, 4, 4]], float)


def test_suppression():
    # of the first box, the second shares 0.8, the third exactly 0.5; the fifth is empty
    assert suppress(BOXES, max_iou=0.5, max_count=10) == [0, 2, 3, 5]
    assert suppress(BOXES, max_iou=0.49, max_count=10) == [0, 3, 5]
    assert suppress(BOXES, max_iou=0.9, max_count=10) == [0, 1, 2, 3, 5]
    assert suppress(BOXES, max_iou=0.5, max_count=2) == [0, 2]
    assert suppress(BOXES[:0], max_iou=0.5, max_count=2) == []
