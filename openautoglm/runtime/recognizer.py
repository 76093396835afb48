"""Recognizer: a frame in, named hands out; numpy and Pillow only.

A net trained on whole frames glances at the small frame, takes the peaks of its attention for hands, glances again at
the surroundings of each if it is told to, which finds the box of a small hand more exactly, and looks at a crop of
each, unless the glance was sure of its name. Where it is sure of no hand, it glances at parts of the frame, in which
small hands are larger. A net trained on crops looks once, at the whole picture. A look ends at an early exit of the net
that is sure, if it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.runtime.engines import Engine, RuntimeName
from openautoglm.runtime.exits import DepthExits, softmax
from openautoglm.runtime.geometry import Box, Placement, letterbox, square_crop
from openautoglm.runtime.glances import Found, Glances, apart, as_box
from openautoglm.runtime.methods import GLANCE, LOOK, NEAR, open_methods, parts_of_look
from openautoglm.runtime.pixels import as_input, as_rgb
from openautoglm.runtime.thresholds import UNKNOWN, Thresholds
from openautoglm.types import Hand
from openautoglm.zoo import store

_TINY = 1e-12
Floats = NDArray[np.float32]


@dataclass(kw_only=True)
class Stats:
    """What a Recognizer has done so far.

    Attributes:
        num_frames: given to it.
        num_looks: second looks done.
        num_skipped: second looks saved, because the glance was sure.
        num_zooms: further glances, at the surroundings of a hand.
        num_searched: frames in which no hand was sure, so that their parts were glanced at.
        num_parts: these glances.
        num_early: second looks that ended at an early exit.
    """

    num_frames: int = 0
    num_looks: int = 0
    num_skipped: int = 0
    num_zooms: int = 0
    num_searched: int = 0
    num_parts: int = 0
    num_early: int = 0


class Recognizer:
    """Finds and names hands.

    Args:
        look: names a crop: RGB to ``logits`` ``(1, k)``.
        classes: names of the k gestures.
        glance: finds hands: the letterboxed frame to ``attention`` ``(1, 1, h, w)`` in [0, 1], ``box``
            ``(1, 4, h, w)``, distances to left, top, right and bottom in cells, and ``logits`` ``(1, k, h, w)``;
            None if the net only knows crops.
        near: the same for the surroundings of a hand, in a size of its own; None uses ``glance``.
        thresholds: what counts as a hand.
        temperature: the look's logits are divided by it, so that scores are calibrated.
        parts: of the look, see ``DepthExits``; none for a net without early exits, or to look to the end.

    Attributes:
        stats: what was done so far.
    """

    def __init__(
        self,
        *,
        look: Engine,
        classes: Sequence[str],
        glance: Engine | None = None,
        near: Engine | None = None,
        thresholds: Thresholds | None = None,
        temperature: float = 1.0,
        parts: Sequence[Engine] = (),
    ) -> None:
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.classes = tuple(classes)
        self.thresholds = thresholds or Thresholds()
        self.temperature = temperature
        self.stats = Stats()
        self._look = look
        self._glances = None if glance is None else Glances(glance, near)
        self._look_size = look.input_shape[-1]
        believed = self.thresholds.exit
        self._exits = DepthExits(parts, sure=believed) if parts and believed is not None else None

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path,
        *,
        runtime: RuntimeName = "executorch",
        num_threads: int = 1,
        early_exit: bool = True,
        search: bool = True,
    ) -> Recognizer:
        """The released model of that name, or that of an artifact's or a run's folder; checksums are verified first.

        Args:
            name_or_folder: such as ``"openautoglm-small"``.
            runtime: who runs it.
            num_threads: threads of the runtime.
            early_exit: whether a look may end at an early exit, if the artifact has one and says when to believe it.
            search: whether parts of a frame are glanced at where no hand is sure, if the artifact says when; that finds
                small hands and takes such a frame about three times as long.

        Raises:
            ValueError: there is no such artifact, a file of it is corrupt, or it has no program for this runtime.
            MissingExtraError: the runtime is not installed.
        """
        artifact = store.find(name_or_folder)
        engines = open_methods(artifact, runtime, num_threads)
        config = artifact.config
        thresholds = Thresholds.from_config(config)
        return cls(
            look=engines[LOOK],
            glance=engines.get(GLANCE),
            near=engines.get(NEAR),
            classes=config["classes"],
            thresholds=thresholds if search else replace(thresholds, search=None),
            temperature=config.get("temperature", 1.0),
            parts=parts_of_look(engines) if early_exit else (),
        )

    @property
    def finds_hands(self) -> bool:
        """Whether it looks for hands; otherwise it takes every picture for the crop of one."""
        return self._glances is not None

    def recognize(self, frame: NDArray[Any]) -> list[Hand]:
        """The hands of a frame, best first, faint ones too: see ``shown``.

        Args:
            frame: upright; RGB, RGBA or grey, ``(h, w, 3)``, ``(h, w, 4)`` or ``(h, w)``; uint8, or floats in [0, 1].

        Returns:
            One Hand a hand, labelled ``no_gesture`` too where the net knows that class, and ``unknown`` where it shows
            none of the gestures; its score is the attention times the probability of the best one. A net that only
            knows crops returns one Hand, as large as the frame.

        Raises:
            ValueError: it is no frame.
        """
        picture = Image.fromarray(as_rgb(frame))
        self.stats.num_frames += 1
        if self._glances is None:
            whole = letterbox(picture.width, picture.height, self._look_size)
            return [self._hand(whole.source_px, self._look_at(picture, whole))]
        found = self._glances.whole(picture, self.thresholds)
        hands = self._recognize_all(picture, self._glances, found)
        if found and not self._is_enough(hands):
            hands = self._search(picture, self._glances, hands)
        return _best_first(hands)

    def shown(self, hands: Iterable[Hand], *, min_score: float | None = None) -> list[Hand]:
        """Those of the hands that are sure enough to be shown to somebody, or acted on.

        Args:
            hands: of ``recognize``.
            min_score: from which they are; None takes ``thresholds.show``.
        """
        least = self.thresholds.show if min_score is None else min_score
        return [hand for hand in hands if least is None or hand.score >= least]

    def name_box(self, frame: NDArray[Any], box_px: Sequence[float] | NDArray[Any]) -> Hand:
        """Name one hand whose box is known, by a look at it; its score is the probability alone.

        Args:
            frame: as for ``recognize``.
            box_px: x0, y0, x1, y1 in pixels of the frame.

        Raises:
            ValueError: it is no frame, or there is no such box in it.
        """
        return self._hand(as_box(box_px), self.probabilities(frame, box_px))

    def probabilities(self, frame: NDArray[Any], box_px: Sequence[float] | NDArray[Any]) -> Floats:
        """How likely each of ``classes`` is for a hand whose box is known, ``(k,)``, by a look at it.

        Arguments and errors as those of ``name_box``.
        """
        picture = Image.fromarray(as_rgb(frame))
        x0, y0, x1, y1 = box = as_box(box_px)
        if not (x0 < x1 and y0 < y1 and 0 <= x0 + x1 <= 2 * picture.width and 0 <= y0 + y1 <= 2 * picture.height):
            raise ValueError(
                f"got the box {box} in a frame of {picture.width} x {picture.height} px, expected x0 < x1 and y0 < y1 "
                "with its middle in the frame"
            )
        return self._look_at(picture, self._crop(picture, box))

    def _search(self, picture: Image.Image, glances: Glances, hands: list[Hand]) -> list[Hand]:
        """The hands and those in parts of the frame, until one is sure."""
        self.stats.num_searched += 1
        for found in glances.parts(picture, self.thresholds):
            self.stats.num_parts += 1
            hands = hands + self._recognize_all(picture, glances, found)
            if self._is_enough(hands):
                break
        hands = _best_first(hands)
        return [hands[index] for index in apart([hand.box_px for hand in hands], self.thresholds)]

    def _is_enough(self, hands: Iterable[Hand]) -> bool:
        """Whether one of the hands is sure, or none has to be."""
        search = self.thresholds.search
        return search is None or any(hand.score >= search for hand in hands)

    def _recognize_all(self, picture: Image.Image, glances: Glances, found: Sequence[Found]) -> list[Hand]:
        """What a glance found, named; seen closer before, if there is a zoom."""
        if self.thresholds.zoom is not None:
            self.stats.num_zooms += len(found)
            found = glances.closer(picture, found, self.thresholds)
        return [self._recognize_one(picture, one) for one in found]

    def _recognize_one(self, picture: Image.Image, found: Found) -> Hand:
        """Believe the glance or look again."""
        sure, glanced = self.thresholds.sure, softmax(found.logits)
        if sure is not None and glanced.max() >= sure:
            self.stats.num_skipped += 1
            return self._hand(found.box_px, glanced, found.attention)
        looked = self._look_at(picture, self._crop(picture, found.box_px))
        if weight := self.thresholds.glance_weight:
            looked = softmax((1 - weight) * np.log(looked + _TINY) + weight * np.log(glanced + _TINY))
        return self._hand(found.box_px, looked, found.attention)

    def _crop(self, picture: Image.Image, box_px: Box) -> Placement:
        margin = self.thresholds.crop_margin if self._glances else 0.0  # nets of crops were trained on tight ones
        return square_crop(box_px, picture.width, picture.height, size=self._look_size, margin=margin)

    def _look_at(self, picture: Image.Image, placement: Placement) -> Floats:
        """Probabilities ``(k,)`` of the gestures in a piece of the frame."""
        self.stats.num_looks += 1
        image = as_input(picture, placement)
        if self._exits is None:
            return softmax(self._look.run(image) / self.temperature)
        answer = self._exits.run(image)
        self.stats.num_early += self._exits.is_early(answer)
        return softmax(answer.logits / self.temperature)

    def _hand(self, box_px: Box, probabilities: Floats, attention: float = 1.0) -> Hand:
        best = int(probabilities.argmax())
        sure, reject = float(probabilities[best]), self.thresholds.reject
        label = UNKNOWN if reject is not None and sure < reject else self.classes[best]
        return Hand(label=label, score=attention * sure, box_px=box_px)


def _best_first(hands: Iterable[Hand]) -> list[Hand]:
    return sorted(hands, key=lambda hand: hand.score, reverse=True)
