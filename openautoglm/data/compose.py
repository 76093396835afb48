"""Frames made of hand crops: pasted with soft edges onto places without hands, or over the hands of other frames.

Every box is known. Over a hand, arm and body go on as they do in life; context decides whether pasting helps (Dvornik
et al., arXiv 1807.07428). Patches without a hand are pasted in the same way, so that an edge alone says nothing.
Four such frames in one show people far away.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.data.base import ImageSet
from openautoglm.data.draws import generator
from openautoglm.data.frames import NUM_LANDMARKS, Frame, FrameSet
from openautoglm.data.mosaic import SIDE, join_frames
from openautoglm.data.synthetic.backdrop import draw_backdrop
from openautoglm.data.synthetic.skin import BACK_TONES
from openautoglm.data.transforms import content_boxes

_ASPECTS = ((4, 3), (3, 4), (1, 1))
_NUM_BACKDROPS, _BACKDROP_PX = 128, 256
_MOST_PATCHES = 2
_SMALLEST_PART = 0.2
"""Of a frame's sides: a strip beside its hands that is narrower is no background."""
_MOST_OVERLAP = 0.05
_COVER = (1.0, 1.25)
"""Side of a crop over a hand, in sides of its box."""
Edges = tuple[float, float, float, float]
_TRIES = 8
_CELL = (0.4, 1.0)
"""Longer side of a cell of a mosaic, as a part of ``longest_px``: far hands are small and soft."""
_PROB_BARE = 0.25
_OWN = 0.7
"""Frames with hands that come from the first source, which the net is for; the rest from all others."""
_MASK_PX = 64
_SOFT = (0.03, 0.05, 0.08)
"""Widths of the soft edge, as parts of a crop's sides."""


class Composer:
    """Composes frames; what a frame shows follows from the crops and the generator it is given.

    Args:
        crops: tight hand crops. Their ``boxes_px`` say where the hand is; without these, it is all but the padding.
        grounds: frames whose places without hands serve as backgrounds, and whose hands are covered by crops, most of
            the latter from the first; incomplete ones do not.
        longest_px: longer side of a composed frame.
        hand: longer side of a hand, as a part of ``longest_px``: the smallest and the largest.
        prob_backdrop: drawn backgrounds instead of frames; all of them where no frame has room.
        prob_swap: crops take the places of hands, where frames with hands were given.
        prob_mosaic: up to four frames of that kind are shown in one.
    """

    def __init__(
        self,
        *,
        crops: ImageSet,
        grounds: Sequence[FrameSet],
        longest_px: int = 384,
        hand: tuple[float, float] = (0.08, 0.6),
        prob_backdrop: float = 0.35,
        prob_swap: float = 0.5,
        prob_mosaic: float = 0.0,
    ) -> None:
        if not 0 < hand[0] <= hand[1] <= 1:
            raise ValueError(f"hand={list(hand)} should be two parts of the frame's longer side, the smaller first")
        self.crops = crops
        self.longest_px = longest_px
        self.hand = hand
        self.prob_backdrop = prob_backdrop
        self.prob_swap = prob_swap
        self.prob_mosaic = prob_mosaic
        self._grounds = [(frames, int(row)) for frames in grounds for row in np.flatnonzero(frames.complete)]
        peopled = [(frames, row) for frames, row in self._grounds if frames.num_hands[row]]
        self._own = [place for place in peopled if place[0] is grounds[0]]
        self._others = [place for place in peopled if place[0] is not grounds[0]]

    def __call__(self, rows: Sequence[int], rng: np.random.Generator) -> Frame:
        """Paste the crops of some rows; one that finds no room is left out."""
        if self._own or self._others:
            if self.prob_mosaic and rng.random() < self.prob_mosaic:
                return self._mosaic(rows, rng)
            if rng.random() < self.prob_swap:
                return self._swapped(rows, rng)
        width, height = self._shape(rng, self.longest_px)
        canvas = self._ground(rng, width, height)
        for _ in range(int(rng.integers(_MOST_PATCHES + 1))):
            side = self._side(rng)
            patch = self._ground(rng, side, max(1, round(side * float(rng.uniform(0.5, 1.0)))))
            _paste(canvas, patch, rng, [])
        boxes: list[Edges] = []
        labels: list[int] = []
        for row in rows:
            box = _paste(canvas, self._hand(row, self._side(rng)), rng, boxes)
            if box is not None:
                boxes.append(box)
                labels.append(int(self.crops.labels[row]))
        return _composed(canvas, boxes, labels)

    def _mosaic(self, rows: Sequence[int], rng: np.random.Generator) -> Frame:
        """Frames with hands in one, some of their hands covered by crops; at least one cell holds a frame."""
        longer = SIDE * self.longest_px * float(np.exp(rng.uniform(*np.log(_CELL))))
        width, height = self._shape(rng, longer)
        num_cells = SIDE**2
        is_bare = (rng.random(num_cells) < _PROB_BARE) & (np.arange(num_cells) != rng.integers(num_cells))
        crops = iter(rows)
        frames = [None if bare else self._swapped(list(islice(crops, 1)), rng) for bare in is_bare]
        return join_frames(self._ground(rng, width, height), frames, rng)

    def _shape(self, rng: np.random.Generator, longest_px: float) -> tuple[int, int]:
        """Width and height of a frame of some aspect."""
        shape = np.array(_ASPECTS[int(rng.integers(len(_ASPECTS)))])
        width, height = (int(v) for v in np.rint(longest_px * shape / shape.max()))
        return width, height

    def _swapped(self, rows: Sequence[int], rng: np.random.Generator) -> Frame:
        """A frame whose hands are covered by crops, as far as these reach."""
        frames, row = self._pick_peopled(rng)
        frame = frames.frame(row)
        scale = self.longest_px / max(frame.image.shape[:2])
        height, width = (max(1, round(side * scale)) for side in frame.image.shape[:2])
        canvas = Image.fromarray(frame.image).resize((width, height), Image.Resampling.BILINEAR)
        boxes: list[Edges] = [tuple(box) for box in (scale * frame.boxes_px).tolist()]
        labels: list[int] = frame.labels.tolist()
        for row, place in zip(rows, rng.permutation(len(boxes)), strict=False):
            x0, y0, x1, y1 = boxes[place]
            side = max(4, round(max(x1 - x0, y1 - y0) * float(rng.uniform(*_COVER))))
            piece = self._hand(row, side)
            left, top = round((x0 + x1 - piece.width) / 2), round((y0 + y1 - piece.height) / 2)
            box = (left, top, left + piece.width, top + piece.height)
            others = [other for number, other in enumerate(boxes) if number != place]
            if min(left, top) < 0 or box[2] > width or box[3] > height or not _is_apart(box, others):
                continue
            canvas.paste(piece, (left, top), _mask(piece, rng))
            boxes[place], labels[place] = box, int(self.crops.labels[row])
        return _composed(canvas, boxes, labels)

    def _pick_peopled(self, rng: np.random.Generator) -> tuple[FrameSet, int]:
        """A frame with hands, mostly one of the first source."""
        places = self._own if self._own and (not self._others or rng.random() < _OWN) else self._others
        return places[int(rng.integers(len(places)))]

    def _side(self, rng: np.random.Generator) -> int:
        low, high = np.log(self.hand)
        return max(4, round(self.longest_px * float(np.exp(rng.uniform(low, high)))))

    def _hand(self, row: int, side: int) -> Image.Image:
        """A crop without its padding, its longer side as asked for."""
        image = np.asarray(self.crops.images[row])
        if self.crops.boxes_px is not None:
            box = self.crops.boxes_px[row].astype(np.float64)
        else:
            box = (content_boxes(image[None])[0].astype(np.float64) + 1) / 2 * np.tile(image.shape[1::-1], 2)
        size = box[2:] - box[:2]
        width, height = (max(2, round(float(v))) for v in size * side / size.max())
        corners = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        return Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=corners)

    def _ground(self, rng: np.random.Generator, width: int, height: int) -> Image.Image:
        """A background of some size: part of a frame that shows no hand, or a drawn one."""
        drawn = rng.random() < self.prob_backdrop
        if self._grounds and not drawn:
            frames, row = self._grounds[int(rng.integers(len(self._grounds)))]
            frame = frames.frame(row)
            if free := _free_part(frame, rng):
                x0, y0, x1, y1 = free
                return _cover(Image.fromarray(np.ascontiguousarray(frame.image[y0:y1, x0:x1])), rng, width, height)
        return _cover(Image.fromarray(_backdrop(int(rng.integers(_NUM_BACKDROPS)))), rng, width, height)


def _free_part(frame: Frame, rng: np.random.Generator) -> tuple[int, int, int, int] | None:
    """The whole frame, or one of the strips beside all its hands; None if all are narrow."""
    height, width = frame.image.shape[:2]
    if not len(frame.boxes_px):
        return 0, 0, width, height
    x0, y0 = (max(0, int(v)) for v in np.floor(frame.boxes_px[:, :2].min(0)))
    x1, y1 = (int(v) for v in np.ceil(frame.boxes_px[:, 2:].max(0)))
    strips = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
    sides = np.array([(right - left, bottom - top) for left, top, right, bottom in strips])
    areas = np.where((sides >= _SMALLEST_PART * np.array([width, height])).all(1), sides.prod(1), 0)
    if not areas.any():
        return None
    return strips[int(rng.choice(len(strips), p=areas / areas.sum()))]


def _cover(image: Image.Image, rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Cut a random part of the right shape and scale it."""
    scale = max(width / image.width, height / image.height)
    scale = max(scale, float(rng.uniform(0.5, 1.0)))
    part_width, part_height = min(width / scale, image.width), min(height / scale, image.height)
    left, top = rng.random(2) * (image.width - part_width, image.height - part_height)
    box = (float(left), float(top), float(left + part_width), float(top + part_height))
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _paste(canvas: Image.Image, piece: Image.Image, rng: np.random.Generator, others: Sequence[Edges]) -> Edges | None:
    """Put a piece where it covers no other one; its box, or None if there is no room."""
    mask = _mask(piece, rng)
    room = np.array(canvas.size) - piece.size
    if (room < 0).any():
        return None
    for place in rng.random((_TRIES, 2)):
        left, top = (int(v) for v in place * (room + 1))
        box = (left, top, left + piece.width, top + piece.height)
        if _is_apart(box, others):
            canvas.paste(piece, (left, top), mask)
            return box
    return None


def _composed(canvas: Image.Image, boxes: Sequence[Edges], labels: Sequence[int]) -> Frame:
    return Frame(
        image=np.asarray(canvas),
        boxes_px=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        landmarks_px=np.full((len(boxes), NUM_LANDMARKS, 2), np.nan, np.float32),
        complete=True,
    )


def _mask(piece: Image.Image, rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(_soft_mask(_SOFT[int(rng.integers(len(_SOFT)))])).resize(piece.size)


def _is_apart(box: Edges, others: Sequence[Edges]) -> bool:
    return all(_shared(box, other) <= _MOST_OVERLAP for other in others)


def _shared(one: Edges, two: Edges) -> float:
    """Common part of the smaller box."""
    width, height = min(one[2], two[2]) - max(one[0], two[0]), min(one[3], two[3]) - max(one[1], two[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    return max(0, width) * max(0, height) / smaller


@lru_cache(maxsize=len(_SOFT))
def _soft_mask(soft: float) -> NDArray[np.uint8]:
    places = (np.arange(_MASK_PX) + 0.5) / _MASK_PX
    ramp = np.clip(np.minimum(places, 1 - places) / soft, 0.0, 1.0)
    smooth = ramp * ramp * (3 - 2 * ramp)
    return np.rint(255 * smooth[:, None] * smooth[None, :]).astype(np.uint8)


@lru_cache(maxsize=_NUM_BACKDROPS)
def _backdrop(number: int) -> NDArray[np.uint8]:
    """One of a fixed set: drawing a new one for each frame would cost more than all the rest."""
    rng = generator(number)
    return np.asarray(draw_backdrop(rng, _BACKDROP_PX, BACK_TONES[int(rng.integers(len(BACK_TONES)))]))
