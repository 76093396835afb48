"""How well hands are found and named in whole frames: top-1, hand AP50 and mAP50.

Average precision is all-point, at IoU 0.5, over every score that is returned: detections in the order of their scores
each take the box of their frame that they overlap most and that none before has taken; precision is made
non-increasing from the right and integrated over recall (Everingham et al., doi 10.1007/s11263-014-0733-5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.frames import NO_GESTURE, Frame, FrameSet
from openautoglm.runtime.geometry import box_iou
from openautoglm.types import Hand

MOST_HANDS = 10
"""Hands a frame that count, the best-scored ones."""
_IOU = 0.5


@dataclass(frozen=True)
class DetectionScores:
    """What a recogniser gets on a split; None where the split has nothing to measure it on.

    Attributes:
        top1: part of the frames known by a gesture whose best-scored gesture is that one.
        hand_ap50: average precision of hands, whatever they do.
        map50: the same for each gesture, averaged over the gestures that occur.
        num_frames: frames behind ``top1``.
        num_hands: hands behind ``hand_ap50``, all in complete frames.
    """

    top1: float | None
    hand_ap50: float | None
    map50: float | None
    num_frames: int
    num_hands: int


@dataclass(frozen=True)
class ScoredBoxes:
    """What was found in one frame: x0, y0, x1, y1, ``(n, 4)``, and scores ``(n,)``."""

    boxes_px: NDArray[np.float64]
    scores: NDArray[np.float64]


def score_frames(found: Sequence[Sequence[Hand]], frames: FrameSet) -> DetectionScores:
    """Compare what was found with what is there.

    Frames that may show hands without a box tell nothing about boxes and count for ``top1`` alone. A hand of unknown
    gesture counts for ``hand_ap50``; for ``map50`` what was found there is neither right nor wrong.

    Args:
        found: hands of each frame, in pixels of ``frames.frame(row).image``.
        frames: the split.
    """
    if len(found) != len(frames):
        raise ValueError(f"{len(frames)} frames of {frames.name} need as many lists of hands, got {len(found)}")
    best = [sorted(hands, key=lambda hand: -hand.score)[:MOST_HANDS] for hands in found]
    known = np.flatnonzero(frames.frame_labels >= 0)
    right = [gesture_of(best[row]) == frames.classes[frames.frame_labels[row]] for row in known]
    rows = np.flatnonzero(frames.complete)
    truths, hands = [frames.frame(int(row)) for row in rows], [best[row] for row in rows]
    num_hands = sum(len(truth.labels) for truth in truths)
    hand_ap = average_precision([_scored(it, lambda _: True) for it in hands], [truth.boxes_px for truth in truths])
    judged = [_judged(it, truth) for it, truth in zip(hands, truths, strict=True)]
    present = {int(label) for truth in truths for label in truth.labels if label >= 0}
    gestures = sorted(label for label in present if frames.classes[label] != NO_GESTURE)
    per_class = [_class_ap(judged, truths, label, frames.classes[label]) for label in gestures]
    return DetectionScores(
        top1=float(np.mean(right)) if right else None,
        hand_ap50=hand_ap if num_hands else None,
        map50=float(np.mean(per_class)) if per_class else None,
        num_frames=len(known),
        num_hands=num_hands,
    )


@dataclass(frozen=True)
class ShownHands:
    """How many of the hands from a score on are hands, and how many of all hands they are, at IoU 0.5.

    Attributes:
        score: from which hands count.
        precision: share of them that are hands; 1 where none is shown.
        recall: share of the hands that are among them.
    """

    score: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.precision * self.recall / max(1e-12, self.precision + self.recall)


def show_from(found: Sequence[Sequence[Hand]], frames: FrameSet, scores: Sequence[float]) -> tuple[ShownHands, ...]:
    """What is shown from each of some scores on, in the complete frames; nothing where these show no hand.

    Args:
        found: hands of each frame.
        frames: the split.
        scores: to tell it for.
    """
    rows = np.flatnonzero(frames.complete)
    truths = [frames.frame(int(row)).boxes_px for row in rows]
    total = sum(len(boxes) for boxes in truths)
    if not total:
        return ()
    of_hits, hits = _hits([_scored(found[int(row)], lambda _: True) for row in rows], truths)
    shown = []
    for score in scores:
        right = hits[of_hits >= score]
        shown.append(ShownHands(score, float(right.mean()) if len(right) else 1.0, float(right.sum()) / total))
    return tuple(shown)


def average_precision(found: Sequence[ScoredBoxes], truths: Sequence[NDArray[np.floating]]) -> float:
    """All-point average precision at IoU 0.5; 0 where nothing was found or nothing is there.

    Args:
        found: detections of each frame.
        truths: boxes of each frame, ``(m, 4)``.
    """
    total = sum(len(boxes) for boxes in truths)
    _, hits = _hits(found, truths)
    if not total or not len(hits):
        return 0.0
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    recall = hits.cumsum() / total
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _hits(
    found: Sequence[ScoredBoxes], truths: Sequence[NDArray[np.floating]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores of all detections, best first, and which of them took a box."""
    scores = np.concatenate([np.empty(0), *(one.scores for one in found)])
    overlaps = [box_iou(one.boxes_px, boxes) for one, boxes in zip(found, truths, strict=True)]
    places = [(frame, row) for frame, one in enumerate(found) for row in range(len(one.scores))]
    hits = np.zeros(len(scores), bool)
    order = np.argsort(-scores, kind="stable")
    for number, place in enumerate(order):
        frame, row = places[place]
        left = overlaps[frame][row]
        if not len(left):
            continue
        box = len(left) - 1 - int(left[::-1].argmax())
        if left[box] >= _IOU:
            hits[number] = True
            overlaps[frame][:, box] = -1.0
    return scores[order], hits


def gesture_of(hands: Sequence[Hand]) -> str | None:
    """The gesture a frame is taken for, of hands best first; None where there is none."""
    return next((hand.label for hand in hands if hand.label != NO_GESTURE), None)


def _scored(hands: Sequence[Hand], wanted: Callable[[Hand], bool]) -> ScoredBoxes:
    chosen = [hand for hand in hands if wanted(hand)]
    boxes = np.array([hand.box_px for hand in chosen], np.float64).reshape(-1, 4)
    return ScoredBoxes(boxes, np.array([hand.score for hand in chosen], np.float64))


def _judged(hands: Sequence[Hand], truth: Frame) -> list[Hand]:
    """Hands less those that lie on one of unknown gesture."""
    is_known = truth.labels >= 0
    if is_known.all():
        return list(hands)
    overlaps = box_iou(np.array([hand.box_px for hand in hands], np.float64), truth.boxes_px)
    unknown = overlaps[:, ~is_known].max(1)
    other = overlaps[:, is_known].max(1, initial=0.0)
    return [hand for hand, skip in zip(hands, (unknown >= _IOU) & (unknown > other), strict=True) if not skip]


def _class_ap(hands: Sequence[Sequence[Hand]], truths: Sequence[Frame], label: int, name: str) -> float:
    found = [_scored(one, lambda hand: hand.label == name) for one in hands]
    return average_precision(found, [truth.boxes_px[truth.labels == label] for truth in truths])
