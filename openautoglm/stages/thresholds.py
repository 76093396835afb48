"""What counts as a hand and when the glance is believed: chosen on dev, for a stated loss of accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from openautoglm.runtime.recognizer import Recognizer, Thresholds
from openautoglm.stages.frames import FrameFigures

_HAND = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
_SURE = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Thresholds and what they do on dev.

    Attributes:
        thresholds: to be stored in the artifact.
        max_loss: accuracy and average precision that each of the two choices was allowed to cost.
        top1: of the frames, without and with the glance believed.
        hand_ap50: at the lowest threshold and at the chosen one.
        looks_saved: part of the second looks that the glance made needless.
    """

    thresholds: Thresholds
    max_loss: float
    top1: tuple[float | None, float | None]
    hand_ap50: tuple[float | None, float | None]
    looks_saved: float


def choose_thresholds(
    recognizer_at: Callable[[Thresholds], Recognizer],
    examine: Callable[[Recognizer], FrameFigures],
    *,
    start: Thresholds,
    max_loss: float,
) -> Chosen:
    """The highest threshold of a hand and the lowest certainty of the glance that cost no more than ``max_loss``.

    Args:
        recognizer_at: makes the recogniser with some thresholds.
        examine: its figures on dev.
        start: what is not chosen here.
        max_loss: in hand AP50 for ``hand``, in top-1 for ``sure``; against the lowest threshold and against always
            looking.
    """
    lowest = examine(recognizer_at(replace(start, hand=_HAND[0], sure=None)))
    chosen, figures = replace(start, hand=_HAND[0], sure=None), lowest
    for hand in _HAND[1:]:
        tried = replace(chosen, hand=hand)
        found = examine(recognizer_at(tried))
        if _lost(lowest.scores.hand_ap50, found.scores.hand_ap50) > max_loss:
            break
        if _lost(lowest.scores.top1, found.scores.top1) > max_loss:
            break
        chosen, figures = tried, found
    looked, looks_saved = figures, 0.0
    for sure in _SURE:
        recognizer = recognizer_at(replace(chosen, sure=sure))
        found = examine(recognizer)
        skipped = recognizer.stats.num_skipped
        if skipped and _lost(looked.scores.top1, found.scores.top1) <= max_loss:
            # of the hands that were found: the exam's looks at true boxes are not part of the work
            looks_saved = skipped / sum(len(hands) for hands in found.hands)
            chosen, figures = replace(chosen, sure=sure), found
            break
    return Chosen(
        thresholds=chosen,
        max_loss=max_loss,
        top1=(looked.scores.top1, figures.scores.top1),
        hand_ap50=(lowest.scores.hand_ap50, figures.scores.hand_ap50),
        looks_saved=looks_saved,
    )


def _lost(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else before - after
