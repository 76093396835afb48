"""An engine that remembers answers as the engine does, and asks it once a picture."""

from __future__ import annotations

import numpy as np
import pytest

from openautoglm.runtime.engines import Method
from openautoglm.stages.remembered import remembered


class Counting(Method):
    runtime, num_threads, input_shape, output_names = "eager", 1, (1, 3, 4, 4), ("mean", "twice")

    def __init__(self) -> None:
        self.num_asked = 0

    def _compute(self, image):
        self.num_asked += 1
        return {"mean": image.mean((2, 3)), "twice": 2 * image}


def pictures(count):
    return np.random.default_rng(0).random((count, 1, 3, 4, 4), np.float32)


def test_each_picture_is_computed_once():
    engine, other = Counting(), Counting()
    known = remembered({"glance": engine, "near": other})["glance"]
    for image in (*pictures(3), *pictures(3)):
        for name, value in engine._compute(image).items():
            np.testing.assert_array_equal(known.run_named(image)[name], value)
    assert engine.num_asked == 6 + 3  # six of the comparison
    assert (known.input_shape, known.output_names, known.runtime) == ((1, 3, 4, 4), ("mean", "twice"), "eager")
    assert other.num_asked == 0


def test_a_view_is_the_picture_that_it_shows():
    engine = Counting()
    known = remembered({"look": engine})["look"]
    image = pictures(1)[0]
    known.run_named(image)
    known.run_named(image.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2))
    assert engine.num_asked == 1
    known.run_named(image.transpose(0, 1, 3, 2))
    assert engine.num_asked == 2


def test_where_no_room_is_left_it_computes_again():
    engines = {"look": Counting(), "near": Counting()}
    answer = 4 * (3 + 3 * 16)
    known = remembered(engines, most_bytes=2 * answer)
    first, second, third = pictures(3)
    known["look"].run_named(first)
    known["near"].run_named(first)  # now it is full
    for _ in range(2):
        known["look"].run_named(first)
        known["near"].run_named(second)
        known["look"].run_named(third)
    assert (engines["look"].num_asked, engines["near"].num_asked) == (3, 3)


def test_a_wrong_picture_is_refused_as_ever():
    with pytest.raises(ValueError, match="float32 picture of shape"):
        remembered({"look": Counting()})["look"].run_named(np.zeros((1, 3, 8, 8), np.float32))
