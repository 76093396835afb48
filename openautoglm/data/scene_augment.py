"""How training looks at a frame: zoom, place, turn, mirror, light; and at a hand, as uneven as a glance's boxes are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.frames import Frame
from openautoglm.data.transforms import Augment
from openautoglm.data.views import Map, view_map

_ELSEWHERE = (0.05, 0.4)
"""Sides of what a glance may take for a hand, as parts of the frame's longer side."""


@dataclass(frozen=True, kw_only=True)
class SceneAugment:
    """What may happen to a frame and to the crops of its hands.

    Attributes:
        zoom: size of the frame against the letterbox of inference; below 1 it is smaller and surrounded by grey.
        rotate_deg: largest rotation of a frame or a crop.
        prob_turned: rotated at all; the others are resized as they are at inference.
        prob_mirror: mirrored, where the source says that a mirrored hand keeps its label.
        prob_keep_hand: the picture shows at least one hand whole, if there is one and it fits; a frame without boxes
            that is known by a gesture is always shown whole.
        crop_margin: context round a hand in a crop on each side, as a part of the box's longer side.
        crop_shift: largest shift of a crop's middle, as a part of the box's longer side.
        near_zoom: side of a closer view, in sides of the hand's box.
        near_shift: largest shift of its middle, as a part of the box's longer side.
        prob_elsewhere: a closer view shows any place of the frame, where a glance may have erred, instead of a hand.
        light: changes of light, colour and sharpness; its geometry is not used.
    """

    zoom: tuple[float, float] = (0.5, 2.0)
    rotate_deg: float = 10.0
    prob_turned: float = 0.5
    prob_mirror: float = 0.5
    prob_keep_hand: float = 0.9
    crop_margin: tuple[float, float] = (-0.05, 0.3)
    crop_shift: float = 0.1
    near_zoom: tuple[float, float] = (1.1, 2.2)
    near_shift: float = 0.25
    prob_elsewhere: float = 0.3
    light: Augment = field(default_factory=lambda: Augment(prob_coarse=0.1, blur_px=1.0))

    def __post_init__(self) -> None:
        ranges = (("zoom", self.zoom), ("crop_margin", self.crop_margin), ("near_zoom", self.near_zoom))
        for name, (low, high) in ranges:
            least = -0.5 if name == "crop_margin" else 0
            if not least < low <= high:
                raise ValueError(f"{name}={[low, high]} should be two numbers above {least}, the smaller first")

    def view(self, frame: Frame, size: int, rng: np.random.Generator, *, mirror: bool) -> Map:
        """Choose what a picture of ``size`` pixels shows of a frame."""
        height, width = frame.image.shape[:2]
        # a hand that may be anywhere must not be cut off
        low, high = np.log(np.minimum(self.zoom, 1.0) if frame.is_label_only else self.zoom)
        pitch = max(width, height) / size / float(np.exp(rng.uniform(low, high)))
        reach, whole = pitch * size, np.array([width, height], np.float64)
        # the frame lies inside the picture, or the picture inside the frame
        slack = np.abs(whole - reach) / 2
        low_px, high_px = whole / 2 - slack, whole / 2 + slack
        keep, chosen, place = rng.random() < self.prob_keep_hand, rng.random(), rng.random(2)
        if keep and len(frame.boxes_px):
            box = frame.boxes_px[int(chosen * len(frame.boxes_px))].astype(np.float64)
            least, most = np.maximum(low_px, box[2:] - reach / 2), np.minimum(high_px, box[:2] + reach / 2)
            # a hand that is larger than the picture is seen in part
            fits = least <= most
            low_px = np.where(fits, least, (box[:2] + box[2:]) / 2)
            high_px = np.where(fits, most, low_px)
        return view_map(
            middle_px=low_px + place * (high_px - low_px),
            pitch=pitch,
            size=size,
            angle=self._angle(rng),
            mirror=self._mirrored(rng, mirror),
        )

    def crop(self, box_px: NDArray[np.float32], size: int, rng: np.random.Generator, *, mirror: bool) -> Map:
        """Choose what a crop of ``size`` pixels shows round a hand."""
        middle_px, longer = _middle_and_side(box_px)
        shift = self.crop_shift * longer * rng.uniform(-1.0, 1.0, 2)
        pitch = longer * (1 + 2 * float(rng.uniform(*self.crop_margin))) / size
        return view_map(
            middle_px=middle_px + shift,
            pitch=pitch,
            size=size,
            angle=self._angle(rng),
            mirror=self._mirrored(rng, mirror),
        )

    def near(self, frame: Frame, size: int, rng: np.random.Generator, *, mirror: bool) -> Map:
        """Choose what a closer view of ``size`` pixels shows: the surroundings of a hand, or any place."""
        whole = np.array(frame.image.shape[1::-1], np.float64)
        elsewhere, chosen = rng.random() < self.prob_elsewhere, rng.random()
        if len(frame.boxes_px) and not elsewhere:
            middle_px, longer = _middle_and_side(frame.boxes_px[int(chosen * len(frame.boxes_px))])
        else:
            longer = float(whole.max() * np.exp(rng.uniform(*np.log(_ELSEWHERE))))
            middle_px = whole * rng.random(2)
        shift = self.near_shift * longer * rng.uniform(-1.0, 1.0, 2)
        zoom = float(np.exp(rng.uniform(*np.log(self.near_zoom))))
        return view_map(
            middle_px=middle_px + shift,
            pitch=longer * zoom / size,
            size=size,
            angle=self._angle(rng),
            mirror=self._mirrored(rng, mirror),
        )

    def _angle(self, rng: np.random.Generator) -> float:
        turned, share = rng.random() < self.prob_turned, float(rng.uniform(-1.0, 1.0))
        return float(np.deg2rad(self.rotate_deg)) * share if turned else 0.0

    def _mirrored(self, rng: np.random.Generator, mirror: bool) -> bool:
        return bool(rng.random() < self.prob_mirror) and mirror


def _middle_and_side(box_px: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Of a box: its middle, x and y, and its longer side, a pixel at least."""
    corners = box_px.astype(np.float64).reshape(2, 2)
    return corners.mean(0), max(float((corners[1] - corners[0]).max()), 1.0)
