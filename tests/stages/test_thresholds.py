"""Thresholds are chosen for what they may cost, by a dev set made up here."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from openautoglm.bench.detection import DetectionScores, ShownHands
from openautoglm.runtime.recognizer import Stats
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.stages.frames import FrameFigures
from openautoglm.stages.thresholds import Chosen, choose_frame_exit, choose_thresholds

TIMES = {"latency_ms": 1.0, "mean_latency_ms": 1.0, "searched": 0.0}


def world(ap_at, top1_at):
    """A recogniser whose figures follow from its thresholds."""

    def recognizer_at(thresholds):
        skipped = 0 if thresholds.sure is None else round(100 * (1 - thresholds.sure))
        return SimpleNamespace(thresholds=thresholds, stats=Stats(num_skipped=skipped))

    def examine(recognizer):
        limits = recognizer.thresholds
        scores = DetectionScores(
            top1=top1_at(limits.sure), hand_ap50=ap_at(limits.hand), map50=None, num_frames=100, num_hands=100
        )
        return FrameFigures(hands=((object(),),) * 100, scores=scores, top1_gold_box=None, **TIMES)

    return recognizer_at, examine


def test_highest_hand_and_lowest_sure_that_cost_little():
    chosen = choose_thresholds(
        *world(lambda hand: 0.9 - max(0.0, hand - 0.2), lambda sure: 0.9 if sure is None or sure >= 0.8 else 0.8),
        start=Thresholds(crop_margin=0.2),
        max_loss=0.06,
    )
    assert chosen.thresholds.hand == 0.25
    assert chosen.thresholds.sure == 0.8
    assert chosen.thresholds.crop_margin == 0.2
    assert chosen.looks_saved == 0.2
    assert chosen.top1 == (0.9, 0.9)


def freely(worth):
    """Figures that follow from the crop's margin and the glance's say alone."""

    def examine(recognizer):
        limits = recognizer.thresholds
        found = worth.get((limits.crop_margin, limits.glance_weight), 0.5)
        scores = DetectionScores(top1=0.9, hand_ap50=0.8, map50=found, num_frames=100, num_hands=100)
        return FrameFigures(hands=((object(),),) * 100, scores=scores, top1_gold_box=None, **TIMES)

    recognizer_at, _ = world(lambda hand: 0.9, lambda sure: 0.9)
    return recognizer_at, examine


def test_what_costs_nothing_is_changed_where_it_gains():
    gains = {(0.05, 0.0): 0.6, (0.15, 0.0): 0.55, (0.05, 0.5): 0.7, (0.15, 0.5): 0.9}
    chosen = choose_thresholds(*freely(gains), start=Thresholds(), max_loss=0.0).thresholds
    assert (chosen.crop_margin, chosen.glance_weight) == (0.15, 0.5)  # 0.05 without the glance, 0.15 with it
    same = choose_thresholds(*freely({}), start=Thresholds(), max_loss=0.0).thresholds
    assert (same.crop_margin, same.glance_weight) == (0.1, 0.0)


def test_all_that_saves_work_costs_no_more_than_was_said_together():
    recognizer_at, examine = world(lambda hand: 0.9, lambda sure: 0.9)

    def both(recognizer):
        """Top-1 that both thresholds cost."""
        figures, limits = examine(recognizer), recognizer.thresholds
        top1 = 0.9 - max(0.0, limits.hand - 0.2) - (0.0 if limits.sure is None else 0.1 * (1 - limits.sure))
        return replace(figures, scores=replace(figures.scores, top1=top1))

    chosen = choose_thresholds(recognizer_at, both, start=Thresholds(), max_loss=0.0601).thresholds
    assert (chosen.hand, chosen.sure) == (0.25, 0.9)  # 0.05 and 0.01


def zooming(gain):
    """Figures that a further glance changes by so much."""

    def examine(recognizer):
        found = 0.6 + (gain if recognizer.thresholds.zoom == 2.5 else 0.0)
        scores = DetectionScores(top1=found, hand_ap50=found, map50=None, num_frames=100, num_hands=100)
        return FrameFigures(hands=((object(),),) * 100, scores=scores, top1_gold_box=None, **TIMES)

    recognizer_at, _ = world(lambda hand: 0.9, lambda sure: 0.9)
    return recognizer_at, examine


def test_zoom_is_taken_where_it_gains_more_than_it_may_cost():
    chosen = choose_thresholds(*zooming(0.2), start=Thresholds(), max_loss=0.01)
    assert chosen.thresholds.zoom == 2.5
    assert chosen.zoom == {
        "none": (0.6, 0.6), "1.25": (0.6, 0.6), "1.5": (0.6, 0.6), "2.0": (0.6, 0.6), "2.5": (0.8, 0.8),
    }  # fmt: skip
    assert choose_thresholds(*zooming(0.005), start=Thresholds(), max_loss=0.01).thresholds.zoom is None


def searching(gains):
    """Figures that a search in parts changes by so much."""

    def examine(recognizer):
        found = 0.6 + gains.get(recognizer.thresholds.search, 0.0)
        scores = DetectionScores(top1=found, hand_ap50=found, map50=None, num_frames=100, num_hands=100)
        return FrameFigures(hands=((object(),),) * 100, scores=scores, top1_gold_box=None, **TIMES)

    recognizer_at, _ = world(lambda hand: 0.9, lambda sure: 0.9)
    return recognizer_at, examine


@pytest.mark.parametrize(
    ("gains", "search"),
    [
        ({0.3: 0.1, 0.4: 0.195, 0.5: 0.2}, 0.4),
        ({0.3: 0.1, 0.4: 0.15, 0.5: 0.2}, 0.5),
        ({0.5: 0.005}, None),
        ({}, None),
    ],
)
def test_the_rarest_search_that_gains_about_the_most(gains, search):
    chosen = choose_thresholds(*searching(gains), start=Thresholds(), max_loss=0.01)
    assert chosen.thresholds.search == search
    assert chosen.search["none"] == (0.6, 0.6)
    assert chosen.top1[0] == pytest.approx(0.6 + gains.get(search, 0.0))


def test_a_glance_that_always_costs_too_much_is_never_believed():
    chosen = choose_thresholds(
        *world(lambda hand: 0.9, lambda sure: 0.9 if sure is None else 0.5), start=Thresholds(), max_loss=0.005
    )
    assert chosen.thresholds.sure is None
    assert chosen.looks_saved == 0.0


def test_lowest_certainty_of_an_exit_that_costs_little():
    def recognizer_at(thresholds):
        early = 0 if thresholds.exit is None else round(100 * (1 - thresholds.exit))
        return SimpleNamespace(thresholds=thresholds, stats=Stats(num_looks=100, num_early=early))

    def examine(recognizer):
        sure = recognizer.thresholds.exit
        top1 = 0.9 if sure is None else 0.9 - 0.1 * (1 - sure)
        scores = DetectionScores(top1=top1, hand_ap50=0.8, map50=None, num_frames=100, num_hands=100)
        return FrameFigures(hands=((object(),),) * 100, scores=scores, top1_gold_box=None, **TIMES)

    before = Chosen(
        thresholds=Thresholds(hand=0.25), max_loss=0.06, top1=(0.9, 0.9), hand_ap50=(0.8, 0.8), looks_saved=0.0,
        zoom={}, search={},
    )  # fmt: skip
    chosen = choose_frame_exit(recognizer_at, examine, chosen=before, max_loss=0.0205)
    assert chosen.thresholds == Thresholds(hand=0.25, exit=0.8)
    assert (chosen.looks_early, chosen.exit_top1) == (0.2, (0.9, pytest.approx(0.88)))
    none = choose_frame_exit(recognizer_at, examine, chosen=before, max_loss=-1.0)
    assert (none.thresholds, none.looks_early) == (Thresholds(hand=0.25), 0.0)


def test_hands_are_shown_from_the_score_of_the_best_f1():
    recognizer_at, examine = world(lambda hand: 0.9, lambda sure: 0.9)
    of = ((0.0, 0.1, 1.0), (0.4, 0.7, 0.9), (0.5, 0.8, 0.85), (0.47, 0.99, 0.99), (0.8, 1.0, 0.1))
    shown = tuple(ShownHands(*one) for one in of)  # 0.47 is not among those to choose from

    def told(recognizer):
        return replace(examine(recognizer), shown=shown)

    chosen = choose_thresholds(recognizer_at, told, start=Thresholds(), max_loss=0.0)
    assert chosen.thresholds.show == 0.5
    assert chosen.shown == shown[2]
    unknown = choose_thresholds(recognizer_at, examine, start=Thresholds(), max_loss=0.0)
    assert (unknown.thresholds.show, unknown.shown) == (None, None)


@pytest.mark.parametrize(
    ("gains", "search"), [({0.3: 0.2, 0.5: 0.21}, 0.5), ({0.5: 0.2}, 0.5), ({}, None)], ids=["raised", "same", "none"]
)
def test_a_search_goes_on_as_long_as_no_hand_would_be_shown(gains, search):
    recognizer_at, examine = searching(gains)

    def told(recognizer):
        """Showing is best from 0.5 on, whatever the search."""
        recall = 0.8 + gains.get(recognizer.thresholds.search, 0.0) / 2
        return replace(examine(recognizer), shown=(ShownHands(0.4, 0.7, 0.7), ShownHands(0.5, 0.8, recall)))

    chosen = choose_thresholds(recognizer_at, told, start=Thresholds(), max_loss=0.19)
    gain = gains.get(search, 0.0)
    assert (chosen.thresholds.search, chosen.thresholds.show) == (search, 0.5)
    assert chosen.shown.recall == pytest.approx(0.8 + gain / 2)
    assert chosen.top1 == pytest.approx((0.6 + gain, 0.6 + gain))


def test_what_a_threshold_of_hands_costs_is_asked_again_after_a_longer_search():
    recognizer_at, examine = searching({0.3: 0.2, 0.5: 0.2})

    def told(recognizer):
        """Hands above 0.25 cost nothing at a rare search, and too much at the one of the score to show."""
        found, thresholds = examine(recognizer), recognizer.thresholds
        if thresholds.search == 0.5 and thresholds.hand > 0.25:
            found = replace(found, scores=replace(found.scores, hand_ap50=found.scores.hand_ap50 - 0.02))
        return replace(found, shown=(ShownHands(0.5, 0.8, 0.8),))

    chosen = choose_thresholds(recognizer_at, told, start=Thresholds(), max_loss=0.01)
    assert (chosen.thresholds.search, chosen.thresholds.hand) == (0.5, 0.25)
    assert chosen.hand_ap50 == pytest.approx((0.8, 0.8))
