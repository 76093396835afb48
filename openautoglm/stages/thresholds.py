"""What counts as a hand and when glances are believed: chosen on dev, for a stated loss of accuracy.

A dev of few frames counts mirrored too, where a mirrored hand keeps its label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from openautoglm.bench.detection import ShownHands
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.stages.frames import SHOWN_FROM, FrameFigures

_HAND = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
_HAND_AT_FIRST = 0.2
"""While zoom and search are chosen: low enough to miss little, and quick."""
_ZOOM = (None, 1.25, 1.5, 2.0, 2.5)
_SEARCH = (None, 0.3, 0.4, 0.5)
_ROUNDS = 2
"""Of zoom, search and what is free: which zoom is best depends on the others."""
_FREE: tuple[dict[str, Any], ...] = (
    *({"crop_margin": margin} for margin in (0.0, 0.05, 0.1, 0.15)),
    *({"glance_weight": weight} for weight in (0.25, 0.5)),
)
_MAX_HANDS = (6, 8)
"""Not fewer: others' frames may show more hands than dev's, and what three save cannot be timed."""
_SURE = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Thresholds and what they do on dev.

    Attributes:
        thresholds: to be stored in the artifact.
        max_loss: accuracy and average precision that the later choices together were allowed to cost.
        top1: of the frames, with no work saved and at the end.
        hand_ap50: the same.
        looks_saved: part of the second looks that the glance made needless.
        zoom: top-1 and hand AP50 with each size of the surroundings that a further glance saw, ``"none"`` without.
        search: the same with each score below which a frame's parts are glanced at, ``"none"`` without.
        looks_early: part of the second looks that end at an early exit.
        exit_top1: of the frames, with every look to the end and with early exits believed; None of a net without any.
        shown: how many hands are shown from ``thresholds.show`` on, and how many of them are hands.
    """

    thresholds: Thresholds
    max_loss: float
    top1: tuple[float | None, float | None]
    hand_ap50: tuple[float | None, float | None]
    looks_saved: float
    zoom: Mapping[str, tuple[float | None, float | None]]
    search: Mapping[str, tuple[float | None, float | None]]
    looks_early: float = 0.0
    exit_top1: tuple[float | None, float | None] | None = None
    shown: ShownHands | None = None


def choose_thresholds(
    recognizer_at: Callable[[Thresholds], Recognizer],
    examine: Callable[[Recognizer], FrameFigures],
    *,
    start: Thresholds,
    max_loss: float,
) -> Chosen:
    """What finds and names most, then thresholds that save work and cost little.

    First, in turn and twice, the zoom, which must gain more than ``max_loss``, because it costs a glance a hand; the
    search in parts of a frame, the rarest that is worth no more than ``max_loss`` less than the best; and what costs
    nothing, the margin of a look's crop and the say of the glance in its answer. Then the highest threshold of a hand,
    the fewest hands of a frame and the score from which hands are shown, by F1: a search goes on at least as long as no
    hand would be shown. At last the lowest certainty of the glance. What saves work may together cost ``max_loss``.

    Args:
        recognizer_at: makes the recogniser with some thresholds.
        examine: its figures on dev.
        start: what is not chosen here.
        max_loss: in hand AP50 and in top-1, against the best threshold of a hand, as many hands as ``start`` allows
            and always looking.
    """
    figures = cache(lambda thresholds: examine(recognizer_at(thresholds)))
    chosen = replace(start, hand=_HAND_AT_FIRST, sure=None)
    for _ in range(_ROUNDS):
        zooms = {zoom: figures(replace(chosen, zoom=zoom)) for zoom in _ZOOM}
        zoom = max(_ZOOM, key=lambda zoom: _worth(zooms[zoom]) + (max_loss if zoom is None else 0.0))
        chosen = replace(chosen, zoom=zoom)
        searches = {search: figures(replace(chosen, search=search)) for search in _SEARCH}
        most = max(map(_worth, searches.values()))
        rarest = next(search for search in _SEARCH if _worth(searches[search]) >= most - max_loss)
        chosen = replace(chosen, search=rarest)
        for change in _FREE:
            chosen = max(chosen, replace(chosen, **change), key=lambda tried: _worth(figures(tried)))
    best, chosen = _fewest(figures, chosen, start.max_hands, max_loss)
    show = _shown_best(figures(chosen))
    if show is not None and chosen.search is not None and chosen.search < show:
        # with other parts searched, what fewer hands cost is another question
        best, chosen = _fewest(figures, replace(chosen, search=show), start.max_hands, max_loss)
    ended = figures(chosen)
    looks_saved = 0.0
    for sure in _SURE:
        recognizer = recognizer_at(replace(chosen, sure=sure))
        found = examine(recognizer)
        skipped = recognizer.stats.num_skipped
        if skipped and _costs(best, found) <= max_loss:
            # of the hands that were found: the exam's looks at true boxes are not part of the work
            looks_saved = skipped / sum(len(hands) for hands in found.hands)
            chosen, ended = replace(chosen, sure=sure), found
            break
    return Chosen(
        thresholds=replace(chosen, show=show),
        max_loss=max_loss,
        top1=(best.scores.top1, ended.scores.top1),
        hand_ap50=(best.scores.hand_ap50, ended.scores.hand_ap50),
        looks_saved=looks_saved,
        zoom=_tried(zooms),
        search=_tried(searches),
        shown=ended.shown_from(show),
    )


def _fewest(
    figures: Callable[[Thresholds], FrameFigures], chosen: Thresholds, max_hands: int, max_loss: float
) -> tuple[FrameFigures, Thresholds]:
    """Figures of the best threshold of a hand with all hands; the highest one and the fewest hands that cost little."""
    chosen = replace(chosen, max_hands=max_hands)
    hands = {hand: figures(replace(chosen, hand=hand)) for hand in _HAND}
    best = max(hands.values(), key=_worth)
    chosen = replace(chosen, hand=max(hand for hand in _HAND if _costs(best, hands[hand]) <= max_loss))
    for fewer in (number for number in _MAX_HANDS if number < max_hands):
        if _costs(best, figures(replace(chosen, max_hands=fewer))) <= max_loss:
            return best, replace(chosen, max_hands=fewer)
    return best, chosen


def choose_frame_exit(
    recognizer_at: Callable[[Thresholds], Recognizer],
    examine: Callable[[Recognizer], FrameFigures],
    *,
    chosen: Chosen,
    max_loss: float,
) -> Chosen:
    """With the lowest certainty from which an early exit is believed, or without one where each costs too much.

    Args:
        recognizer_at: makes the recogniser with some thresholds.
        examine: its figures on dev.
        chosen: the other thresholds.
        max_loss: in top-1, against always looking to the end.
    """
    whole = examine(recognizer_at(chosen.thresholds)).scores.top1
    for sure in _SURE:
        recognizer = recognizer_at(replace(chosen.thresholds, exit=sure))
        figures, stats = examine(recognizer), recognizer.stats
        found = figures.scores.top1
        if stats.num_early and _lost(whole, found) <= max_loss:
            return replace(
                chosen,
                thresholds=recognizer.thresholds,
                looks_early=stats.num_early / stats.num_looks,
                exit_top1=(whole, found),
                shown=figures.shown_from(recognizer.thresholds.show),
            )
    return replace(chosen, exit_top1=(whole, whole))


def _shown_best(figures: FrameFigures) -> float | None:
    """The score from which showing hands is best, by F1; None where dev shows no hand."""
    known = [one for one in figures.shown if one.score in SHOWN_FROM]
    return max(known, key=lambda one: one.f1).score if known else None


def _tried(figures: Mapping[float | None, FrameFigures]) -> dict[str, tuple[float | None, float | None]]:
    return {str(value or "none"): (one.scores.top1, one.scores.hand_ap50) for value, one in figures.items()}


def _worth(figures: FrameFigures) -> float:
    """Mean of top-1, hand AP50 and mAP50, as far as they are known."""
    scores = figures.scores
    known = [value for value in (scores.top1, scores.hand_ap50, scores.map50) if value is not None]
    return sum(known) / max(1, len(known))


def _costs(before: FrameFigures, after: FrameFigures) -> float:
    """The larger of what is lost in top-1 and in hand AP50."""
    scores = before.scores, after.scores
    return max(_lost(*(one.top1 for one in scores)), _lost(*(one.hand_ap50 for one in scores)))


def _lost(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else before - after
