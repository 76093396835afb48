"""Hands come back named, in pixels of the frame, from planted maps."""

from __future__ import annotations

import numpy as np
import pytest

from openautoglm import Hand, Recognizer
from openautoglm.runtime.thresholds import Thresholds

SIZE, CELL, CROP = 192, 8, 64
CLASSES = ("fist", "no_gesture", "palm")


class FakeEngine:
    """Returns what it was given, and keeps what it was shown."""

    runtime, num_threads = "fake", 1

    def __init__(self, size, answers):
        self.input_shape = (1, 3, size, size)
        self.answers = answers
        self.seen = []

    @property
    def output_names(self):
        return tuple(self.answers[0])

    def run_named(self, image):
        assert image.shape == self.input_shape
        assert image.dtype == np.float32
        self.seen.append(image)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]

    def run(self, image):
        return self.run_named(image)["logits"].reshape(-1)


def empty_maps():
    cells = SIZE // CELL
    return {
        "attention": np.full((1, 1, cells, cells), 0.01, np.float32),
        "box": np.ones((1, 4, cells, cells), np.float32),
        "logits": np.zeros((1, len(CLASSES), cells, cells), np.float32),
    }


def plant(maps, box_px, frame_size, *, attention=0.9, logits=(0, 0, 0)):
    """Write a box of the frame into the maps, by the contract between export and runtime."""
    scale = SIZE / max(frame_size)
    fitted = np.array([max(1, round(side * scale)) for side in frame_size])
    offset = (SIZE - fitted) // 2
    corners = np.array(box_px).reshape(2, 2) * fitted / frame_size + offset
    column, row = (corners.mean(axis=0) // CELL).astype(int)
    centre = (np.array([column, row]) + 0.5) * CELL
    maps["attention"][0, 0, row, column] = attention
    maps["box"][0, :, row, column] = [*(centre - corners[0]) / CELL, *(corners[1] - centre) / CELL]
    maps["logits"][0, :, row, column] = logits


def searcher(glances, looks=((0, 0, 9),), **thresholds):
    """A recognizer that glances several times, and its glance."""
    look = FakeEngine(CROP, [{"logits": np.array([logits], np.float32)} for logits in looks])
    glance = FakeEngine(SIZE, glances)
    return Recognizer(look=look, glance=glance, classes=CLASSES, thresholds=Thresholds(**thresholds)), glance


def recognizer(maps, looks=((0, 0, 9),), **thresholds):
    return searcher([maps], looks, **thresholds)[0]


def frame_of(width, height):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("seed", range(40))
def test_a_planted_box_comes_back_to_the_frame(seed):
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(*((20, 400), (400, 4000))[seed % 2], 2))
    least = 1.1 * CELL * max(width, height) / SIZE  # distances are never negative, so a hand is no thinner than a cell
    w, h = random.uniform(least, width), random.uniform(least, height)
    x, y = random.uniform(0, width - w), random.uniform(0, height - h)
    box = (x, y, x + w, y + h)
    maps = empty_maps()
    plant(maps, box, (width, height))
    (hand,) = recognizer(maps).recognize(frame_of(width, height))
    assert hand.box_px == pytest.approx(box, abs=1e-3 + 1e-5 * max(width, height))  # maps are float32
    assert hand.label == "palm"


def test_score_is_attention_times_probability():
    maps = empty_maps()
    plant(maps, (10, 10, 60, 60), (320, 240), attention=0.5)
    (hand,) = recognizer(maps, looks=[np.log([0.2, 0.2, 0.6])]).recognize(frame_of(320, 240))
    assert hand == Hand(label="palm", score=pytest.approx(0.5 * 0.6), box_px=pytest.approx((10, 10, 60, 60)))


def test_temperature_calms_the_look():
    maps = empty_maps()
    plant(maps, (10, 10, 60, 60), (320, 240), attention=1.0)
    look = FakeEngine(CROP, [{"logits": np.array([np.log([0.01, 0.01, 0.98])], np.float32)}])
    calm = Recognizer(look=look, glance=FakeEngine(SIZE, [maps]), classes=CLASSES, temperature=2.0)
    expected = np.sqrt(0.98) / (np.sqrt(0.98) + 2 * np.sqrt(0.01))
    assert calm.recognize(frame_of(320, 240))[0].score == pytest.approx(expected)
    with pytest.raises(ValueError, match="above 0"):
        Recognizer(look=look, classes=CLASSES, temperature=0)


def test_what_resembles_no_gesture_enough_is_unknown():
    """Logits 0, 0, 2: 0.787 sure."""
    maps = empty_maps()
    plant(maps, (20, 20, 60, 60), (192, 192))
    for reject, label in ((None, "palm"), (0.7, "palm"), (0.8, "unknown")):
        (hand,) = recognizer(maps, ((0, 0, 2),), reject=reject).recognize(frame_of(192, 192))
        assert hand.label == label
        assert hand.score == pytest.approx(0.9 * 0.787, abs=1e-3)


def test_a_closer_glance_sets_the_box():
    """Zoom 2 of a 40 px box is a view of 80 px: what lies at its pixel p is at 40 + p * 80 / 192 of the frame."""
    far, near = empty_maps(), empty_maps()
    plant(far, (60, 60, 100, 100), (192, 192), attention=0.4, logits=(0, 0, 1))
    plant(near, (48, 48, 144, 120), (192, 192), attention=0.9, logits=(0, 0, 5))
    glance = FakeEngine(SIZE, [far, near])
    look = FakeEngine(CROP, [{"logits": np.array([[0, 0, 9]], np.float32)}])
    tool = Recognizer(look=look, glance=glance, classes=CLASSES, thresholds=Thresholds(zoom=2.0))
    (hand,) = tool.recognize(frame_of(192, 192))
    assert hand.box_px == pytest.approx((60, 60, 100, 90), abs=0.5)
    assert hand.score == pytest.approx(0.6, abs=1e-3)  # the root of 0.4 * 0.9
    assert (tool.stats.num_zooms, len(glance.seen), len(look.seen)) == (1, 2, 1)


def test_a_glance_of_its_own_size_sees_the_surroundings():
    """As above, but the view of 80 px fills 96 px of a smaller glance with 12 x 12 cells."""
    far = empty_maps()
    plant(far, (60, 60, 100, 100), (192, 192), attention=0.4)
    close = {name: values[..., :12, :12].copy() for name, values in empty_maps().items()}
    close["attention"][0, 0, 5, 5] = 0.9
    close["box"][0, :, 5, 5] = (44 - 24) / 8, (44 - 24) / 8, (72 - 44) / 8, (60 - 44) / 8
    glance, near = FakeEngine(SIZE, [far]), FakeEngine(96, [close])
    look = FakeEngine(CROP, [{"logits": np.array([[0, 0, 9]], np.float32)}])
    tool = Recognizer(look=look, glance=glance, near=near, classes=CLASSES, thresholds=Thresholds(zoom=2.0))
    (hand,) = tool.recognize(frame_of(192, 192))
    assert hand.box_px == pytest.approx((60, 60, 100, 90), abs=0.5)
    assert (len(glance.seen), len(near.seen), len(look.seen)) == (1, 1, 1)


def test_a_hand_that_is_none_from_near_is_hardly_one():
    """Its attention is the root of 0.5 * 0.02, which is 0.1."""
    for hand, num_hands in ((0.05, 1), (0.2, 0)):
        maps = empty_maps()
        plant(maps, (60, 60, 100, 100), (192, 192), attention=0.5)
        look = FakeEngine(CROP, [{"logits": np.array([[0, 0, 9]], np.float32)}])
        glance = FakeEngine(SIZE, [maps, empty_maps()])
        tool = Recognizer(look=look, glance=glance, classes=CLASSES, thresholds=Thresholds(zoom=3.0, hand=hand))
        found = tool.recognize(frame_of(192, 192))
        assert len(found) == len(look.seen) == num_hands
        assert all(one.score == pytest.approx(0.1, abs=1e-3) for one in found)
        assert all(one.box_px == pytest.approx((60, 60, 100, 100), abs=0.5) for one in found)


def searched(*, first, parts, looks=((0, 0, 9),), **thresholds):
    """What is found in a frame of 320 x 240 px that has parts of 192, two along each side."""
    far = empty_maps()
    plant(far, (140, 100, 180, 140), (320, 240), attention=first)
    glances = [far]
    for attention in parts:
        glances.append(empty_maps())
        plant(glances[-1], (20, 20, 60, 50), (192, 192), attention=attention)
    tool, glance = searcher(glances, looks, **thresholds)
    return tool.recognize(frame_of(320, 240)), tool, glance


def test_parts_are_glanced_at_where_no_hand_is_sure():
    """The second part begins at 128 px; what was found in the first is not sure enough either."""
    hands, tool, glance = searched(first=0.4, parts=(0.45, 0.9, 0.8), search=0.5, zoom=None)
    assert [hand.score for hand in hands] == pytest.approx([0.9, 0.45, 0.4], abs=1e-2)
    assert hands[0].box_px == pytest.approx((148, 20, 188, 50), abs=0.5)
    assert hands[1].box_px == pytest.approx((20, 20, 60, 50), abs=0.5)
    assert (tool.stats.num_searched, tool.stats.num_parts, len(glance.seen)) == (1, 2, 3)


@pytest.mark.parametrize(("first", "search"), [(0.6, 0.5), (0.4, None), (0.4, 0.3)])
def test_a_sure_hand_needs_no_search(first, search):
    hands, tool, glance = searched(first=first, parts=(0.9,), search=search)
    assert (len(hands), tool.stats.num_searched, len(glance.seen)) == (1, 0, 1)


def test_where_nothing_is_like_a_hand_nothing_is_searched():
    tool, glance = searcher([empty_maps()], search=0.9)
    assert tool.recognize(frame_of(320, 240)) == []
    assert len(glance.seen) == 1


def test_a_hand_of_two_parts_is_one():
    """Parts begin at 0 and 128 px, so a hand at 140 of one is at 12 of the other."""
    far, left, right = empty_maps(), empty_maps(), empty_maps()
    plant(far, (138, 40, 178, 80), (320, 240), attention=0.4)
    plant(left, (140, 40, 180, 80), (192, 192), attention=0.5)
    plant(right, (12, 40, 52, 80), (192, 192), attention=0.6)
    tool, glance = searcher([far, left, right, empty_maps()], search=0.9)
    (hand,) = tool.recognize(frame_of(320, 240))
    assert hand.score == pytest.approx(0.6, abs=1e-2)
    assert len(glance.seen) == 5


def test_no_hand_no_closer_glance():
    tool = recognizer(empty_maps(), zoom=2.0)
    assert tool.recognize(frame_of(192, 192)) == []
    assert tool.stats.num_zooms == 0


def test_five_hands_best_first():
    maps, boxes = empty_maps(), [(x, 20, x + 40, 70) for x in (10, 70, 130, 190, 250)]
    for box, attention in zip(boxes, (0.5, 0.9, 0.7, 0.6, 0.8), strict=True):
        plant(maps, box, (320, 240), attention=attention)
    # looks follow the attention; the third is unsure
    looks = [(9, 0, 0), (0, 9, 0), (0.1, 0, 0), (0, 0, 9), (0, 0, 9)]
    found = recognizer(maps, looks)
    hands = found.recognize(frame_of(320, 240))
    assert [hand.label for hand in hands] == ["fist", "no_gesture", "palm", "palm", "fist"]
    assert [round(hand.box_px[0]) for hand in hands] == [70, 250, 190, 10, 130]
    assert [hand.score for hand in hands] == sorted((hand.score for hand in hands), reverse=True)
    assert (found.stats.num_frames, found.stats.num_looks, found.stats.num_skipped) == (1, 5, 0)


def test_no_hand_no_look():
    none = recognizer(empty_maps())
    assert none.recognize(frame_of(320, 240)) == []
    assert none.stats.num_looks == 0


def test_two_peaks_of_one_hand_are_one():
    maps = empty_maps()
    for attention, shift in ((0.9, 0), (0.8, 30)):
        plant(maps, (60 + shift, 60, 160 + shift, 160), (320, 240), attention=attention)
    assert [round(hand.box_px[0]) for hand in recognizer(maps).recognize(frame_of(320, 240))] == [60]
    assert len(recognizer(maps, nms_iou=0.9).recognize(frame_of(320, 240))) == 2


def test_thresholds_for_hands():
    maps = empty_maps()
    for x, attention in ((10, 0.9), (100, 0.5), (200, 0.31)):
        plant(maps, (x, 10, x + 50, 60), (320, 240), attention=attention)
    assert len(recognizer(maps).recognize(frame_of(320, 240))) == 3
    assert len(recognizer(maps, hand=0.4).recognize(frame_of(320, 240))) == 2
    few = recognizer(maps, max_hands=1)
    assert [round(hand.box_px[0]) for hand in few.recognize(frame_of(320, 240))] == [10]
    assert few.stats.num_looks == 1


def test_faint_hands_are_returned_and_not_shown():
    maps = empty_maps()
    for x, attention in ((10, 0.9), (100, 0.5), (200, 0.31)):
        plant(maps, (x, 10, x + 50, 60), (320, 240), attention=attention)
    tool = recognizer(maps, show=0.4)
    hands = tool.recognize(frame_of(320, 240))
    assert len(hands) == 3
    assert tool.shown(hands) == hands[:2]
    assert tool.shown(hands, min_score=0.6) == hands[:1]
    assert tool.shown(hands, min_score=0) == recognizer(maps).shown(hands) == hands


def test_early_exit_believes_a_sure_glance():
    maps = empty_maps()
    plant(maps, (10, 10, 60, 60), (320, 240), attention=0.8, logits=np.log([0.9, 0.05, 0.05]))
    plant(maps, (200, 10, 250, 60), (320, 240), attention=0.7, logits=np.log([0.6, 0.2, 0.2]))
    quick = recognizer(maps, sure=0.85)
    first, second = quick.recognize(frame_of(320, 240))
    assert (first.label, first.score) == ("fist", pytest.approx(0.8 * 0.9))
    assert second.label == "palm"
    assert (quick.stats.num_looks, quick.stats.num_skipped) == (1, 1)
    careful = recognizer(maps)
    assert [hand.label for hand in careful.recognize(frame_of(320, 240))] == ["palm", "palm"]
    assert (careful.stats.num_looks, careful.stats.num_skipped) == (2, 0)


def test_the_glance_has_a_say_in_the_name():
    maps = empty_maps()
    plant(maps, (10, 10, 60, 60), (320, 240), attention=0.8, logits=np.log([0.8, 0.1, 0.1]))
    looked = tuple(np.log([0.3, 0.2, 0.5]))

    def named(weight: float):
        (hand,) = recognizer(maps, [looked], glance_weight=weight).recognize(frame_of(320, 240))
        return hand.label, hand.score

    assert named(0.0) == ("palm", pytest.approx(0.8 * 0.5))
    product = np.array([0.3, 0.2, 0.5]) ** 0.75 * np.array([0.8, 0.1, 0.1]) ** 0.25
    assert named(0.25) == ("fist", pytest.approx(0.8 * product.max() / product.sum(), abs=1e-5))


def test_the_look_sees_the_box_with_its_margin():
    frame = frame_of(400, 300)
    frame[100:152, 200:300] = 255
    maps = empty_maps()
    plant(maps, (200, 100, 300, 152), (400, 300))
    found = recognizer(maps, crop_margin=0.14)  # 100 of 128 px, at half size
    found.recognize(frame)
    (crop,) = found._look.seen
    bright = crop[0, 0] > 0.5
    assert (bright.sum(axis=1).max(), bright.sum(axis=0).max()) == (50, 26)
    assert bright[19:45, 7:57].all()


def test_a_known_box_is_named_by_a_look():
    frame = frame_of(400, 300)
    frame[100:152, 200:300] = 255
    known, glance = searcher([empty_maps()], looks=[np.log([0.1, 0.2, 0.7])], crop_margin=0.14)
    hand = known.name_box(frame, np.array([200, 100, 300, 152], np.float32))
    assert hand == Hand(label="palm", score=pytest.approx(0.7), box_px=(200, 100, 300, 152))
    assert (known._look.seen[0][0, 0] > 0.5)[19:45, 7:57].all()
    assert glance.seen == []


def test_a_net_of_crops_sees_a_known_box_without_margin():
    frame = frame_of(400, 300)
    frame[100:164, 200:264] = 255
    look = FakeEngine(CROP, [{"logits": np.zeros((1, 3), np.float32)}])
    Recognizer(look=look, classes=CLASSES).name_box(frame, (200, 100, 264, 164))
    assert (look.seen[0] == 1).all()


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 5, 5, 9), (500, 5, 600, 9), (float("nan"), 0, 5, 5)])
def test_no_such_box(box):
    with pytest.raises(ValueError, match="in a frame of 400 x 300 px, expected x0 < x1"):
        recognizer(empty_maps()).name_box(frame_of(400, 300), box)


def test_a_box_outside_the_frame_is_no_hand():
    maps = empty_maps()
    maps["attention"][0, 0, 0, 12] = 0.9  # in the grey above a wide frame
    assert recognizer(maps).recognize(frame_of(400, 100)) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (64, 48), (8000, 40), (40, 8000)])
def test_frames_of_any_size(size):
    maps = empty_maps()
    plant(maps, (0, 0, *size), size)
    (hand,) = recognizer(maps).recognize(frame_of(*size))
    assert hand.box_px == pytest.approx((0, 0, *size), abs=1e-3)


def test_a_huge_frame():
    maps = empty_maps()
    plant(maps, (1000, 2000, 3000, 4500), (8000, 6000))
    (hand,) = recognizer(maps).recognize(frame_of(8000, 6000))
    assert hand.box_px == pytest.approx((1000, 2000, 3000, 4500), abs=0.1)


def test_a_net_of_crops_names_the_whole_picture():
    look = FakeEngine(CROP, [{"logits": np.array([np.log([0.1, 0.2, 0.7])], np.float32)}])
    crops = Recognizer(look=look, classes=CLASSES)
    assert crops.recognize(frame_of(30, 20)) == [Hand(label="palm", score=pytest.approx(0.7), box_px=(0, 0, 30, 20))]
    assert (crops.stats.num_frames, crops.stats.num_looks) == (1, 1)


def test_thresholds_of_a_config():
    given = {"hand": 0.2, "nms_iou": 0.6, "sure": 0.9, "crop_margin": 0.2, "max_hands": 3}
    assert Thresholds.from_config({"thresholds": given}) == Thresholds(**given)
    assert Thresholds.from_config({}) == Thresholds()
    with pytest.raises(
        ValueError, match=r"sets hnad among its thresholds; known are crop_margin, exit, glance_weight, hand"
    ):
        Thresholds.from_config({"thresholds": {"hnad": 0.2}})
