"""Agreement of logits."""

from __future__ import annotations

import numpy as np
import pytest

from openautoglm.export.parity import compare, compare_logits


def test_literal_values():
    ours = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.25], [3.0, 1.0]], np.float32)
    theirs = np.array([[0.5, 0.0], [0.0, 1.0], [0.25, 0.5], [3.0, 1.0]], np.float32)
    parity = compare_logits(ours, theirs)
    assert (parity.agreement, parity.max_abs_diff, parity.num_samples) == (0.75, 0.5, 4)


def test_runners():
    images = [np.full((1, 3, 2, 2), value, np.float32) for value in (0.0, 1.0)]
    parity = compare(lambda x: x.mean((2, 3)), lambda x: x.mean((2, 3))[0] + 0.125, images)
    assert (parity.agreement, parity.max_abs_diff) == (1.0, 0.125)


def test_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match="one shape"):
        compare_logits(np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="at least one picture"):
        compare(lambda x: x, lambda x: x, [])
