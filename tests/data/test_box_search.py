"""Nets that see coloured squares as hands agree on boxes, or do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openautoglm.data.box_search import BoxSearch
from openautoglm.data.frames import Frame
from openautoglm.data.pseudo_boxes import read_boxes, write_boxes
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.types import Hand

CLASSES = ("fist", "no_gesture", "palm")
COLOURS = {"fist": (255, 0, 0), "no_gesture": (0, 255, 0), "palm": (0, 0, 255)}
HEIGHT, WIDTH = 120, 200


class ColourNet:
    """Sees squares of a class's colour, from ``least_share`` of a picture's longer side on."""

    classes, finds_hands = CLASSES, True

    def __init__(self, *, sees: tuple[str, ...] = CLASSES, least_share: float = 0.0, doubt: float = 0.02):
        self.thresholds = Thresholds()
        self.sees, self.least_share, self.doubt = sees, least_share, doubt

    def recognize(self, frame):
        hands = []
        for label in self.sees:
            rows, columns = np.nonzero((frame == COLOURS[label]).all(axis=-1))
            if len(rows):
                box = tuple(float(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
                if max(box[2] - box[0], box[3] - box[1]) >= self.least_share * max(frame.shape):
                    hands.append(Hand(label=label, score=0.8, box_px=box))
        return hands

    def probabilities(self, frame, box_px):
        x0, y0, x1, y1 = (round(edge) for edge in box_px)
        piece = frame[y0:y1, x0:x1].reshape(-1, 3)
        shares = np.array([(piece == COLOURS[label]).all(axis=-1).mean() for label in CLASSES])
        found = shares / max(shares.sum(), 1e-9)
        return (1 - self.doubt) * found + self.doubt / len(CLASSES)


def frame(label: str, *hands: tuple[str, tuple[int, int, int, int]], boxes=(), labels=(), complete=False) -> Frame:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for name, (x0, y0, x1, y1) in hands:
        image[y0:y1, x0:x1] = COLOURS[name]
    return Frame(
        image=image,
        boxes_px=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array([CLASSES.index(name) for name in labels], np.int64),
        landmarks_px=np.full((len(labels), 21, 2), np.nan, np.float32),
        complete=complete,
        label=CLASSES.index(label),
    )


def about(*edges):
    """Within a thirtieth of the frame: a part of it may cut a hand off."""
    return pytest.approx(edges, abs=0.03 * HEIGHT)


def names(found: Frame) -> tuple[str | None, ...]:
    return tuple(None if label < 0 else CLASSES[label] for label in found.labels)


LEFT, RIGHT = (10, 20, 40, 60), (150, 50, 180, 100)


def test_the_hand_with_the_frames_gesture_becomes_its_box():
    search = BoxSearch(spotters=[ColourNet(), ColourNet()], namers=[ColourNet()])
    found = search.improve(frame("palm", ("fist", LEFT), ("palm", RIGHT)))
    assert names(found) == ("palm",)
    assert not found.complete
    assert found.boxes_px[0].tolist() == about(*RIGHT)


def test_nothing_is_believed_that_shows_another_gesture_or_that_looks_doubt():
    assert BoxSearch(spotters=[ColourNet()]).improve(frame("palm", ("fist", LEFT))) is None
    unsure = BoxSearch(spotters=[ColourNet(doubt=0.9)], namers=[ColourNet(doubt=0.9)])
    assert unsure.improve(frame("palm", ("palm", LEFT))) is None


def test_one_glance_is_not_enough():
    """A hand that fills 0.2 of the frame and a third of a part of it: a net that sees large ones only, in one part."""
    lonely = ColourNet(least_share=0.3)
    small = (0, 0, 40, 30)  # in one of the nine parts alone
    search = BoxSearch(spotters=[lonely, ColourNet(sees=())], mirror=False)
    assert search.improve(frame("palm", ("palm", small))) is None
    candidates, num_glances = search.candidates(frame("palm", ("palm", small)).image, in_parts=True)
    assert num_glances == 20
    assert [one.votes for one in candidates] == [1]


def test_small_hands_are_found_in_parts():
    near_sighted = ColourNet(least_share=0.3)
    middle = (80, 45, 120, 75)  # in all nine parts
    search = BoxSearch(spotters=[near_sighted])
    assert not search.candidates(frame("palm", ("palm", middle)).image, in_parts=False)[0]
    assert search.improve(frame("palm", ("palm", middle))).boxes_px[0].tolist() == about(*middle)


def test_a_label_moves_to_the_hand_that_shows_it():
    search = BoxSearch(spotters=[ColourNet()])
    wrong = frame("palm", ("no_gesture", LEFT), ("palm", RIGHT), boxes=[LEFT], labels=["palm"], complete=True)
    found = search.improve(wrong)
    assert names(found) == ("no_gesture", "palm")
    assert found.complete
    assert found.boxes_px.tolist() == [about(*LEFT), about(*RIGHT)]


def test_a_label_without_another_hand_is_taken_back():
    wrong = frame("palm", ("no_gesture", LEFT), boxes=[LEFT], labels=["palm"], complete=True)
    assert names(BoxSearch(spotters=[ColourNet()]).improve(wrong)) == (None,)


def test_of_two_labelled_hands_the_one_without_gesture_is_none():
    boxes = [LEFT, RIGHT]
    both = frame("palm", ("no_gesture", LEFT), ("palm", RIGHT), boxes=boxes, labels=["palm", "palm"], complete=True)
    assert names(BoxSearch(spotters=[ColourNet()]).improve(both)) == ("no_gesture", "palm")


@pytest.mark.parametrize("shown", ["palm", "fist"])
def test_labels_stay_unless_the_hand_shows_no_gesture(shown):
    right = frame("palm", (shown, LEFT), boxes=[LEFT], labels=["palm"], complete=True)
    assert BoxSearch(spotters=[ColourNet()]).improve(right) is None


def test_frames_without_a_label_stay():
    unknown = replace(frame("palm", ("palm", LEFT)), label=-1)
    assert BoxSearch(spotters=[ColourNet()]).improve(unknown) is None


def test_nets_have_to_fit():
    with pytest.raises(ValueError, match="needs a net that finds them"):
        BoxSearch(spotters=[])
    namer = ColourNet()
    namer.finds_hands = False
    with pytest.raises(ValueError, match="finds no hands; give it as a namer"):
        BoxSearch(spotters=[ColourNet(), namer])
    other = ColourNet()
    other.classes = ("a", "b", "c")
    with pytest.raises(ValueError, match="the same gestures: fist, no_gesture, palm, and one knows a, b, c"):
        BoxSearch(spotters=[ColourNet()], namers=[other])


def test_the_file_gives_back_what_was_written(tmp_path):
    found = frame("palm", boxes=[(20, 24, 80, 72)], labels=["palm"])
    unknown = replace(found, labels=np.array([-1]))
    write_boxes(tmp_path / "boxes.json", {"手": unknown, "b": found}, CLASSES, {"sure": 0.9})
    entry = {"bboxes": [[0.1, 0.2, 0.3, 0.4]], "labels": [None], "complete": False}
    assert read_boxes(tmp_path / "boxes.json") == {"手": entry, "b": {**entry, "labels": ["palm"]}}


@pytest.mark.parametrize("text", ["", "[]", '{"frames": []}', '{"frames": {"a": {"bboxes": []}}}', "\x00"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(ValueError, match=r"is no file of boxes.*give the boxes\.json that recipe=box_frames leaves"):
        read_boxes(tmp_path / "boxes.json")
    with pytest.raises(ValueError, match="is no file of boxes"):
        read_boxes(tmp_path / "missing.json")
