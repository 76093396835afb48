"""Augmentation of whole batches on the CPU, without state.

The random numbers of a picture are a hash of (seed, epoch, row, how often the row was shown before): neither the
batch it sits in nor what was drawn earlier matters, which is what makes a resumed run equal to an uninterrupted one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from openautoglm.data.draws import Draws, generator, uniform
from openautoglm.types import PADDING

_NUM_DRAWS = 48
_LUMA = (0.299, 0.587, 0.114)
_COARSE = (0.25, 0.33, 0.45, 0.6)
_NOISE_MARGIN_PX = 32


def to_float(images: NDArray[np.uint8]) -> Tensor:
    """``(b, h, w, 3)`` uint8 to ``(b, 3, h, w)`` in [0, 1], as at evaluation."""
    # a copy: memory-mapped pictures are read-only, which tensors cannot be
    moved = np.array(rearrange(images, "b h w c -> b c h w"), np.float32, order="C")
    return torch.from_numpy(moved).div_(255.0)


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What may happen to a training picture. ``prob_*`` are probabilities, ranges are symmetric unless given as two.

    Attributes:
        enabled: False leaves pictures as they are.
        scale: size of the content; below 1 shows more context, above 1 cuts into it.
        aspect: relative change of width to height.
        rotate_deg: largest rotation.
        shear_deg: largest shear.
        translate: largest shift, as a part of the side.
        prob_mirror: mirrored, where the source says that a mirrored picture keeps its label.
        brightness: relative change.
        contrast: relative change about mid-grey.
        saturation: relative change.
        channel_gain: relative change of each colour on its own.
        hue_deg: largest turn about the grey axis.
        gamma: exponent between ``1 / (1 + gamma)`` and ``1 + gamma``.
        prob_grey: without colour.
        prob_coarse: down to 0.25 to 0.6 of the resolution and up again.
        prob_blur: blurred, as by focus or motion.
        blur_px: largest standard deviation.
        prob_noise: with noise.
        noise: largest standard deviation, of a range of 1.
        prob_erase: with a rectangle covered.
        erase: largest side of the rectangle, as a part of the picture's.
        prob_background: padding filled with a colour or with another picture, half each, instead of grey.
    """

    enabled: bool = True
    scale: tuple[float, float] = (0.7, 1.15)
    aspect: float = 0.1
    rotate_deg: float = 15.0
    shear_deg: float = 8.0
    translate: float = 0.08
    prob_mirror: float = 0.5
    brightness: float = 0.35
    contrast: float = 0.35
    saturation: float = 0.4
    channel_gain: float = 0.12
    hue_deg: float = 12.0
    gamma: float = 0.4
    prob_grey: float = 0.08
    prob_coarse: float = 0.25
    prob_blur: float = 0.15
    blur_px: float = 1.6
    prob_noise: float = 0.25
    noise: float = 0.06
    prob_erase: float = 0.25
    erase: float = 0.4
    prob_background: float = 0.5

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"scale={list(self.scale)} should be two positive numbers, the smaller first")

    def __call__(
        self,
        images: NDArray[np.uint8],
        *,
        index: NDArray[np.int64],
        draw: NDArray[np.int64],
        seed: int,
        epoch: int,
        mirror: bool = True,
        pool: NDArray[np.uint8] | None = None,
    ) -> Tensor:
        """Augment ``(b, h, w, 3)`` pictures to ``(b, 3, h, w)`` in [0, 1].

        Args:
            images: the pictures.
            index: row of each in its set.
            draw: how often that row was shown before in this epoch.
            seed: of the run.
            epoch: of the run.
            mirror: whether mirroring keeps the labels.
            pool: pictures that may serve as background, such as the whole set; None leaves colours.
        """
        if not self.enabled:
            return to_float(images)
        u = Draws(uniform(seed, epoch, index, draw, num=_NUM_DRAWS))
        image = self._gamma(images, u)
        image = self._move(image, images, u, mirror=mirror, pool=pool)
        image = self._colour(image, u)
        self._coarse(image, u)
        self._blur(image, u)
        self._erase(image, u)
        self._noise(image, u)
        return image.clamp_(0.0, 1.0)

    def develop(
        self, images: NDArray[np.uint8], *, index: NDArray[np.int64], draw: NDArray[np.int64], seed: int, epoch: int
    ) -> Tensor:
        """Change light, colour and sharpness alone: nothing moves and nothing is covered, so boxes stay true."""
        if not self.enabled:
            return to_float(images)
        u = Draws(uniform(seed, epoch, index, draw, num=_NUM_DRAWS))
        image = self._colour(self._gamma(images, u), u)
        self._coarse(image, u)
        self._blur(image, u)
        self._noise(image, u)
        return image.clamp_(0.0, 1.0)

    def _gamma(self, images: NDArray[np.uint8], u: Draws) -> Tensor:
        """A table of 256 values a picture does the exponent and the change of type at once."""
        exponent = (1.0 + self.gamma) ** u.symmetric()
        table = (np.arange(256) / 255.0)[None] ** exponent[:, None]
        # grey stays grey, so that padding looks as it does at evaluation
        table = (table * (PADDING / 255.0 / table[:, PADDING])[:, None]).clip(0, 1).astype(np.float32)
        planes = np.empty(images.shape, np.float32)
        for row, picture in enumerate(images):
            np.take(table[row], picture, out=planes[row], mode="clip")
        return rearrange(torch.from_numpy(planes), "b h w c -> b c h w").contiguous()

    def _move(
        self, image: Tensor, images: NDArray[np.uint8], u: Draws, *, mirror: bool, pool: NDArray[np.uint8] | None
    ) -> Tensor:
        """One affine resampling; what it uncovers is grey, a colour or another picture."""
        inverse = self._inverse(u, mirror)
        grid = _grid(inverse, image.shape[-1])
        grey = PADDING / 255.0
        moved = F.grid_sample(image - grey, grid, padding_mode="zeros", align_corners=False).add_(grey)
        fill, colour, donor, as_picture = u.next(), u.block(3), u.next(), u.next()
        rows = np.flatnonzero(fill < self.prob_background)
        if len(rows):
            ground = np.broadcast_to(colour[rows, None, None, :], (len(rows), *images.shape[1:])).astype(np.float32)
            if pool is not None:
                other = np.flatnonzero(as_picture[rows] < 0.5)
                ground[other] = pool[(donor[rows[other]] * len(pool)).astype(np.int64)] / np.float32(255)
            outside = _outside(grid[rows], content_boxes(images[rows]))
            behind = rearrange(torch.from_numpy(ground), "b h w c -> b c h w")
            moved[rows] = torch.where(outside[:, None], behind, moved[rows])
        return moved

    def _inverse(self, u: Draws, mirror: bool) -> Tensor:
        """Output to input coordinates, both in [-1, 1]: ``(b, 2, 3)``."""
        low, high = self.scale
        scale = low + (high - low) * u.next()
        aspect = np.exp(self.aspect * u.symmetric() / 2)
        angle = np.deg2rad(self.rotate_deg) * u.symmetric()
        shear = np.tan(np.deg2rad(self.shear_deg) * u.symmetric())
        shift = 2 * self.translate * np.stack([u.symmetric(), u.symmetric()], axis=1)
        flip = np.where(u.next() < (self.prob_mirror if mirror else 0.0), -1.0, 1.0)
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
        skew = np.zeros_like(turn)
        skew[:, 0, 0], skew[:, 0, 1], skew[:, 1, 1] = flip / (scale * aspect), shear / scale, aspect / scale
        linear = turn @ skew
        offset = -(linear @ shift[:, :, None])
        return torch.from_numpy(np.concatenate([linear, offset], axis=2).astype(np.float32))

    def _colour(self, image: Tensor, u: Draws) -> Tensor:
        """Brightness, contrast, saturation, hue and gains as one 3 x 3 matrix a picture."""
        bright = 1.0 + self.brightness * u.symmetric()
        contrast = 1.0 + self.contrast * u.symmetric()
        saturation = np.where(u.next() < self.prob_grey, 0.0, 1.0 + self.saturation * u.symmetric())
        gain = 1.0 + self.channel_gain * (2 * u.block(3) - 1)
        hue = np.deg2rad(self.hue_deg) * u.symmetric()
        third, root = np.full((3, 3), 1 / 3), np.sqrt(1 / 3)
        cross = root * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
        cos, sin = np.cos(hue)[:, None, None], np.sin(hue)[:, None, None]
        turn = cos * np.eye(3) + sin * cross + (1 - cos) * third
        grey = np.broadcast_to(np.array(_LUMA), (3, 3))
        mix = saturation[:, None, None] * (np.eye(3) - grey) + grey
        matrix = (bright * contrast)[:, None, None] * (mix @ turn) * gain[:, None, :]
        offset = np.broadcast_to((0.5 * (1 - contrast))[:, None, None], (len(hue), 3, 1))
        matrix_t, offset_t = torch.from_numpy(matrix.astype(np.float32)), torch.from_numpy(offset.astype(np.float32))
        flat = torch.baddbmm(offset_t, matrix_t, rearrange(image, "b c h w -> b c (h w)"))
        return rearrange(flat, "b c (h w) -> b c h w", h=image.shape[2])

    def _coarse(self, image: Tensor, u: Draws) -> None:
        chosen, level = u.next() < self.prob_coarse, (u.next() * len(_COARSE)).astype(np.int64)
        side = image.shape[-1]
        for number, part in enumerate(_COARSE):
            rows = np.flatnonzero(chosen & (level == number))
            if len(rows):
                small = F.interpolate(image[rows], size=max(4, round(side * part)), mode="area")
                image[rows] = F.interpolate(small, size=side, mode="bilinear", align_corners=False)

    def _blur(self, image: Tensor, u: Draws) -> None:
        """A 7 x 7 Gaussian of two widths at any angle: round is focus, narrow is motion."""
        chosen, wide, narrow, angle = u.next() < self.prob_blur, u.next(), u.next(), np.pi * u.next()
        rows = np.flatnonzero(chosen)
        if not len(rows):
            return
        y, x = np.mgrid[-3:4, -3:4]
        cos, sin = np.cos(angle[rows, None, None]), np.sin(angle[rows, None, None])
        along, across = x * cos + y * sin, y * cos - x * sin
        widest = 0.4 + (self.blur_px - 0.4) * wide[rows, None, None]
        narrowest = 0.3 + (widest - 0.3) * narrow[rows, None, None]
        kernel = np.exp(-((along / widest) ** 2 + (across / narrowest) ** 2) / 2)
        kernel /= kernel.sum((1, 2), keepdims=True)
        weight = torch.from_numpy(np.repeat(kernel[:, None], 3, axis=0).astype(np.float32))
        planes = F.pad(rearrange(image[rows], "b c h w -> 1 (b c) h w"), (3, 3, 3, 3), mode="replicate")
        blurred = F.conv2d(planes, weight, groups=len(weight))
        image[rows] = rearrange(blurred, "1 (b c) h w -> b c h w", c=3)

    def _erase(self, image: Tensor, u: Draws) -> None:
        chosen, place, size, colour = u.next() < self.prob_erase, u.block(2), u.block(2), u.block(3)
        side = image.shape[-1]
        lengths = np.rint(side * (0.1 + (self.erase - 0.1) * size)).astype(np.int64)
        starts = (place * (side - lengths + 1)).astype(np.int64)
        for row in np.flatnonzero(chosen):
            (top, left), (height, width) = starts[row], lengths[row]
            patch = torch.from_numpy(colour[row].astype(np.float32))
            image[row, :, top : top + height, left : left + width] = patch[:, None, None]

    def _noise(self, image: Tensor, u: Draws) -> None:
        """Windows of a fixed field of noise: drawing new Gaussians would cost more than all the rest."""
        chosen, amount, layer, place = u.next() < self.prob_noise, u.next(), u.next(), u.block(2)
        side = image.shape[-1]
        field = _noise_field(side + _NOISE_MARGIN_PX)
        layers, starts = (layer * len(field)).astype(np.int64), (place * (_NOISE_MARGIN_PX + 1)).astype(np.int64)
        for row in np.flatnonzero(chosen):
            top, left = starts[row]
            window = field[layers[row], :, top : top + side, left : left + side]
            image[row].add_(window, alpha=float(self.noise * amount[row]))


@lru_cache(maxsize=4)
def _noise_field(side: int) -> Tensor:
    return torch.from_numpy(generator(side).standard_normal((8, 3, side, side), dtype=np.float32))


def content_boxes(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What of each picture is not padding: x0, y0, x1, y1 in [-1, 1]."""
    used = rearrange(images, "b h w c -> b h (w c)") != PADDING
    sides = []
    for line in (rearrange(used.any(axis=1), "b (w c) -> b w c", c=3).any(axis=2), used.any(axis=2)):
        length = line.shape[1]
        filled = line.any(axis=1)
        start, stop = np.where(filled, line.argmax(1), 0), np.where(filled, length - line[:, ::-1].argmax(1), length)
        sides.append((2 * start / length - 1, 2 * stop / length - 1))
    (left, right), (top, bottom) = sides
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)


def _grid(inverse: Tensor, side: int) -> Tensor:
    """Sampling positions ``(b, h, w, 2)`` of an affine map ``(b, 2, 3)``; a third of ``F.affine_grid``'s time."""
    centres = (2 * torch.arange(side) + 1) / side - 1
    across = inverse[:, None, :, 0] * centres[:, None]
    down = inverse[:, None, :, 1] * centres[:, None] + inverse[:, None, :, 2]
    return across[:, None] + down[:, :, None]


def _outside(grid: Tensor, boxes: NDArray[np.float32]) -> Tensor:
    """Where a sampling grid ``(b, h, w, 2)`` reads from outside the boxes: ``(b, h, w)``."""
    left, top, right, bottom = torch.from_numpy(boxes[:, :, None, None]).unbind(1)
    x, y = grid.unbind(-1)
    return (x < left) | (x > right) | (y < top) | (y > bottom)
