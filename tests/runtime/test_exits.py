"""A look ends at the first exit that is sure; what was not needed is not run."""

from __future__ import annotations

import numpy as np
import pytest

from openautoglm import Recognizer
from openautoglm.runtime.exits import DepthExits
from openautoglm.runtime.methods import parts_of_look
from openautoglm.runtime.thresholds import Thresholds

CLASSES = ("fist", "palm")


class FakePart:
    """Answers with these probabilities and, unless it is the last one, a map that tells whose it is."""

    def __init__(self, probabilities, shape, number=None):
        self.input_shape, self.seen = shape, []
        self.answer = {"logits": np.log(np.array([probabilities], np.float32))}
        if number is not None:
            self.answer["map"] = np.full((1, 4, 2, 2), number, np.float32)

    def run_named(self, given):
        assert given.shape == self.input_shape
        self.seen.append(given)
        return self.answer

    def run(self, image):
        return self.run_named(image)["logits"].reshape(-1)


@pytest.fixture
def parts():
    """Sure by 0.7, 0.9 and 0.6; only the last one says palm."""
    picture, inside = (1, 3, 8, 8), (1, 4, 2, 2)
    return (
        FakePart((0.7, 0.3), picture, number=1),
        FakePart((0.9, 0.1), inside, number=2),
        FakePart((0.4, 0.6), inside),
    )


@pytest.mark.parametrize(("sure", "part"), [(0.6, 0), (0.8, 1), (0.95, 2)])
def test_the_first_that_is_sure_answers(parts, sure, part):
    look = DepthExits(parts, sure=sure)
    answer = look.run(np.zeros((1, 3, 8, 8), np.float32))
    assert answer.part == part
    assert np.array_equal(answer.logits, parts[part].answer["logits"][0])
    assert look.is_early(answer) == (part < 2)
    assert [len(one.seen) for one in parts] == [1, part > 0, part > 1]
    for number, one in enumerate(parts[1 : part + 1], start=1):
        assert (one.seen[0] == number).all()


def test_two_parts_are_the_least():
    with pytest.raises(ValueError, match="two parts or more, got 1"):
        DepthExits([FakePart((0.9, 0.1), (1, 3, 8, 8))], sure=0.5)


def test_parts_are_found_by_their_names(parts):
    engines = {"look": "whole", "look_2": parts[1], "glance": "g", "look_1": parts[0], "look_3": parts[2]}
    assert parts_of_look(engines) == parts
    assert parts_of_look({"look": "whole", "glance": "g"}) == ()


def recognizer(parts, **settings):
    whole = FakePart((0.4, 0.6), (1, 3, 8, 8))
    return Recognizer(look=whole, classes=CLASSES, parts=parts, **settings)


def test_a_recogniser_believes_an_exit_from_its_threshold(parts):
    frame = np.zeros((8, 8, 3), np.uint8)
    found = recognizer(parts, thresholds=Thresholds(exit=0.8))
    (hand,) = found.recognize(frame)
    assert (hand.label, hand.score) == ("fist", pytest.approx(0.9))
    assert (found.stats.num_looks, found.stats.num_early) == (1, 1)
    careful = recognizer(parts, thresholds=Thresholds(exit=0.95))
    assert careful.recognize(frame)[0].label == "palm"
    assert (careful.stats.num_looks, careful.stats.num_early) == (1, 0)


def test_temperature_calms_an_exit_but_does_not_keep_it_from_answering(parts):
    found = recognizer(parts, thresholds=Thresholds(exit=0.8), temperature=2.0)
    (hand,) = found.recognize(np.zeros((8, 8, 3), np.uint8))
    assert hand.score == pytest.approx(3 / 4)  # the roots of 0.9 and 0.1 are as 3 to 1


@pytest.mark.parametrize("case", ["no threshold", "switched off"])
def test_without_threshold_or_parts_a_look_goes_to_the_end(parts, case):
    found = recognizer(parts) if case == "no threshold" else recognizer((), thresholds=Thresholds(exit=0.1))
    assert found.recognize(np.zeros((8, 8, 3), np.uint8))[0].label == "palm"
    assert found.stats.num_early == 0
    assert not parts[0].seen
