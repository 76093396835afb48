"""Hands for frames that are known by a gesture alone: what several nets agree on becomes a box.

Spotters glance at the frame, mirrored too, and where it has no box at parts of it; all nets look at what was found. It
is believed where enough of the glances saw it and the looks together name the frame's gesture. Answers over many views
as labels: Data Distillation (Radosavovic et al., arXiv 1712.04440); what differs: there are several nets, and the
frame's gesture is known and has to be met.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.frames import NO_GESTURE, Frame
from openautoglm.runtime.geometry import Box, box_iou
from openautoglm.runtime.peaks import suppress
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.tensors import UNLABELLED

_FAINT = 0.04
"""Attention of what may be a hand."""
_MOST, _FOLLOWED = 8, 10
"""Hands of one glance, and of all glances together, that are looked at."""
_PARTS = (0.0, 0.5, 1.0)
"""Where the parts of a frame lie along its sides, from its start to its end."""
_PART = 0.6
"""A part's sides, in sides of the frame."""
_ONE_HAND, _SAME, _APART = 0.4, 0.5, 0.2
"""Overlap (IoU) up to which boxes are two hands, from which they say the same, and below which they are apart."""
_LEAST_PX = 6
_TINY = 1e-4


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What may be a hand.

    Attributes:
        box_px: mean of the boxes that say the same, weighted by their scores.
        score: the best one's.
        votes: how many glances saw it.
        probabilities: of the classes, ``(k,)``: the geometric mean over all looks.
    """

    box_px: Box
    score: float
    votes: int
    probabilities: NDArray[np.float64]


class BoxSearch:
    """Looks for hands with several nets.

    Args:
        spotters: find hands; at least one. Their thresholds are lowered.
        namers: name crops only, beside the spotters.
        mirror: whether a mirrored hand keeps its label.
        least_votes: share of the glances that see a hand, two at least.
        likely: least probability of the frame's gesture for a hand without a rival.
        sure: the same where a box is contradicted.

    Raises:
        ValueError: there is no spotter, one finds no hands, or the nets know different classes.
    """

    def __init__(
        self,
        *,
        spotters: Sequence[Recognizer],
        namers: Sequence[Recognizer] = (),
        mirror: bool = True,
        least_votes: float = 0.2,
        likely: float = 0.6,
        sure: float = 0.9,
    ) -> None:
        if not spotters:
            raise ValueError("a search for hands needs a net that finds them, such as openautoglm-small")
        self.classes = spotters[0].classes
        for net in (*spotters, *namers):
            if net.classes != self.classes:
                raise ValueError(
                    f"all nets of a search have to know the same gestures: {', '.join(self.classes)}, "
                    f"and one knows {', '.join(net.classes)}"
                )
        if any(not net.finds_hands for net in spotters):
            raise ValueError("a net among the spotters knows crops only and finds no hands; give it as a namer")
        for net in spotters:
            net.thresholds = replace(net.thresholds, hand=_FAINT, max_hands=_MOST, sure=None, search=None)
        self._spotters, self._namers = tuple(spotters), tuple(namers)
        self._flips = (False, True) if mirror else (False,)
        self.least_votes, self.likely, self.sure = least_votes, likely, sure

    def improve(self, frame: Frame) -> Frame | None:
        """A frame that is known by a label with better boxes and labels, None where its own stay.

        A frame without a box gets that of the likeliest hand with its gesture, and stays incomplete. A hand with the
        frame's label that the looks call ``no_gesture`` hands it on to another one, or has no label any more.

        Args:
            frame: labelled in ``classes``.
        """
        if frame.label == UNLABELLED:
            return None
        return self._correct(frame) if len(frame.boxes_px) else self._find(frame)

    def candidates(self, image: NDArray[np.uint8], *, in_parts: bool) -> tuple[list[Candidate], int]:
        """What may be hands in a picture, the best first, and how many glances it had.

        Args:
            image: RGB, ``(h, w, 3)``.
            in_parts: glance at nine overlapping parts of it too, for small hands.
        """
        views = list(_views(*image.shape[:2], in_parts=in_parts))
        seen = [
            (hand.score, _moved(hand.box_px, (x0, y0), x1 - x0 if flip else None))
            for x0, y0, x1, y1 in views
            for flip in self._flips
            for picture in [_flipped(image[y0:y1, x0:x1], flip)]
            for spotter in self._spotters
            for hand in spotter.recognize(picture)
        ]
        seen.sort(key=lambda one: -one[0])
        scores, boxes = np.array([score for score, _ in seen]), np.array([box for _, box in seen]).reshape(-1, 4)
        found = []
        for row in suppress(boxes, max_iou=_ONE_HAND, max_count=_FOLLOWED):
            alike = box_iou(boxes[row], boxes)[0] > _SAME
            box = np.average(boxes[alike], axis=0, weights=scores[alike])
            if min(box[2:] - box[:2]) >= _LEAST_PX:
                box_px = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
                found.append(
                    Candidate(
                        box_px=box_px,
                        score=float(scores[row]),
                        votes=int(alike.sum()),
                        probabilities=self._named(image, box_px),
                    )
                )
        return found, len(views) * len(self._flips) * len(self._spotters)

    def _find(self, frame: Frame) -> Frame | None:
        found, num_glances = self.candidates(frame.image, in_parts=True)
        named = self._showing(frame, found, num_glances, self.likely)
        if not named:
            return None
        best = max(named, key=lambda one: one.score * one.probabilities[frame.label])
        return _with_hands(frame, [best.box_px], [frame.label], complete=False)

    def _correct(self, frame: Frame) -> Frame | None:
        if NO_GESTURE not in self.classes:
            return None
        found, num_glances = self.candidates(frame.image, in_parts=False)
        nothing = self.classes.index(NO_GESTURE)
        boxes, labels = list(frame.boxes_px), frame.labels.tolist()
        rivals = [
            one
            for one in self._showing(frame, found, num_glances, self.sure)
            if box_iou(np.array(one.box_px), frame.boxes_px).max() < _APART
        ]
        changed = False
        for row in np.flatnonzero(frame.labels == frame.label):
            overlaps = box_iou(frame.boxes_px[row], np.array([one.box_px for one in found]))[0]
            if overlaps.max(initial=0) < _SAME:
                continue
            shown = found[int(overlaps.argmax())].probabilities
            if shown.argmax() != nothing or shown[nothing] < self.sure:
                continue
            changed = True
            labels[row] = nothing
            if rivals:
                boxes.append(np.array(max(rivals, key=lambda one: one.score).box_px, np.float32))
                labels.append(frame.label)
            elif (frame.labels == frame.label).sum() == 1:
                labels[row] = UNLABELLED
        return _with_hands(frame, boxes, labels, complete=frame.complete) if changed else None

    def _showing(self, frame: Frame, found: Sequence[Candidate], num_glances: int, likely: float) -> list[Candidate]:
        """Candidates that enough glances saw and that show the frame's gesture."""
        least = max(2.0, self.least_votes * num_glances)
        seen = [one for one in found if one.votes >= least]
        return [
            one
            for one in seen
            if one.probabilities.argmax() == frame.label and one.probabilities[frame.label] >= likely
        ]

    def _named(self, image: NDArray[np.uint8], box_px: Box) -> NDArray[np.float64]:
        """Probabilities of the classes, by all looks."""
        width = image.shape[1]
        looks = [
            net.probabilities(picture, box)
            for flip in self._flips
            for picture, box in [(_flipped(image, flip), _moved(box_px, (0, 0), width if flip else None))]
            for net in (*self._namers, *self._spotters)
        ]
        mean = np.exp(np.log(np.maximum(looks, _TINY)).mean(axis=0, dtype=np.float64))
        found: NDArray[np.float64] = mean / mean.sum()
        return found


def _with_hands(
    frame: Frame, boxes_px: Sequence[Box | NDArray[np.float32]], labels: Sequence[int], *, complete: bool
) -> Frame:
    return replace(
        frame,
        boxes_px=np.array(boxes_px, np.float32),
        labels=np.array(labels, np.int64),
        landmarks_px=np.full((len(labels), 21, 2), np.nan, np.float32),
        complete=complete,
    )


def _views(height: int, width: int, *, in_parts: bool) -> Iterator[tuple[int, int, int, int]]:
    """The whole picture and, if asked for, overlapping parts: x0, y0, x1, y1 in pixels."""
    yield 0, 0, width, height
    for down in _PARTS if in_parts else ():
        for along in _PARTS:
            x, y = int(along * (1 - _PART) * width), int(down * (1 - _PART) * height)
            yield x, y, x + int(_PART * width), y + int(_PART * height)


def _flipped(image: NDArray[np.uint8], flip: bool) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[:, ::-1] if flip else image)


def _moved(box_px: Box, by: tuple[int, int], flipped_width: int | None) -> Box:
    """A box of a view in the picture, mirrored back within the view's width if that is given."""
    x0, y0, x1, y1 = box_px
    if flipped_width is not None:
        x0, x1 = flipped_width - x1, flipped_width - x0
    return x0 + by[0], y0 + by[1], x1 + by[0], y1 + by[1]
