"""What a recogniser takes for a hand, when it believes a glance, and what it calls unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

UNKNOWN = "unknown"
"""Label of a hand whose gesture is none of the net's; its score is that of the gesture it resembles most."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What counts as a hand; ``"thresholds"`` of config.json.

    Attributes:
        hand: attention from which a peak is a hand.
        nms_iou: intersection over union up to which two boxes are two hands.
        sure: probability of a gesture from which the glance is believed and the look saved; None always looks.
        glance_weight: say of the glance in the name of a hand that is looked at: the probabilities of look and glance,
            to the powers ``1 - glance_weight`` and ``glance_weight``, are multiplied (Hinton, Training Products of
            Experts, 2002). 0 asks the look alone.
        crop_margin: added on every side of a crop, as a share of the box's longer side.
        max_hands: hands of a frame at most.
        zoom: side of the surroundings that a further glance sees, in sides of the first glance's box; that glance then
            sets the box. None believes the first.
        search: score from which a hand is sure, ``no_gesture`` too. Where the glance saw something and no hand is,
            overlapping parts of the frame are glanced at in turn, until one is. None believes the whole frame.
        show: score from which a hand is worth showing: from there on hands are found and false ones avoided best (F1).
            Weaker ones are returned too, best first; ``Recognizer.shown`` leaves them out. None shows all.
        reject: probability below which a hand shows none of the gestures and is labelled ``UNKNOWN``; None names
            every hand.
        exit: probability of a gesture from which an early exit of the look is believed; None always looks to the end.
    """

    hand: float = 0.3
    nms_iou: float = 0.5
    sure: float | None = None
    glance_weight: float = 0.0
    crop_margin: float = 0.1
    max_hands: int = 10
    zoom: float | None = None
    search: float | None = None
    show: float | None = None
    reject: float | None = None
    exit: float | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Thresholds:
        """Those of a config.json; defaults where it says nothing."""
        given = config.get("thresholds") or {}
        known = {field.name for field in fields(cls)}
        if unknown := sorted(given.keys() - known):
            raise ValueError(
                f"config.json sets {', '.join(unknown)} among its thresholds; known are {', '.join(sorted(known))}"
            )
        return cls(**given)
