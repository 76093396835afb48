"""Colour of the hand: skin tones, light, shadows between fingers, folds, nails, sleeve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from openautoglm.data.synthetic.heightfield import ABSENT, EMPTY, HeightField
from openautoglm.data.synthetic.surface import ARM, FINGER, PALM, SLEEVE, TIP

Array = NDArray[np.float32]

# Fitzpatrick I to VI: back of the hand, then the palm, which darkens far less.
BACK_TONES = np.array(
    [[247, 218, 200], [236, 198, 172], [217, 172, 140], [188, 138, 105], [141, 96, 70], [84, 56, 44]], np.float32
)
PALM_TONES = np.array(
    [[246, 206, 190], [238, 190, 170], [226, 172, 148], [208, 152, 126], [184, 130, 106], [152, 106, 88]], np.float32
)
NUM_SHADOW_STEPS = 6
AROUND = ((1.0, 0.0), (0.7, 0.7), (0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0), (0.7, -0.7))


@dataclass(frozen=True)
class Skin:
    """One person's skin: sRGB of the back and of the palm, nail colour, how deep the folds look, 0 to 1."""

    back: Array
    palm: Array
    nail: Array
    folds: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Skin:
        """Draw the skin of a new person, evenly over the Fitzpatrick scale."""
        tone = float(rng.uniform(0.0, 5.0))
        tint = rng.normal(0.0, [5.0, 4.0, 5.0])
        back, palm = (np.clip(_between(tones, tone) + tint, 20, 255) for tones in (BACK_TONES, PALM_TONES))
        is_polished = rng.random() < 0.15
        polish = rng.uniform(20, 220, 3)
        nail = polish if is_polished else 0.5 * palm + 0.5 * np.array([240.0, 205.0, 198.0]) * (1.0 - 0.09 * tone)
        return cls(_single(back), _single(palm), _single(nail), float(rng.uniform(0.5, 1.0)))


@dataclass(frozen=True)
class Light:
    """Direction towards the main light (x right, y down, z to the camera), its colour and the ambient one."""

    direction: Array
    color: Array
    ambient: Array
    gloss: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Light:
        """Draw a lamp or window, mostly from above and in front."""
        turn, height = rng.uniform(-np.pi, 0.35 * np.pi), rng.uniform(0.35, 1.35)
        direction = np.array([np.cos(turn) * np.cos(height), np.sin(turn) * np.cos(height), np.sin(height)])
        warmth = rng.normal(0.0, 0.06)
        tint = np.array([1.0 + warmth, 1.0, 1.0 - warmth])
        level, share = rng.uniform(0.7, 1.08), rng.uniform(0.35, 0.75)
        color = tint * level * (1.15 - 0.6 * share)
        ambient = np.array([1.0, 1.0, 1.0 + rng.normal(0, 0.04)]) * level * share
        return cls(_single(direction), _single(color), _single(ambient), float(rng.uniform(0.0, 0.12)))


def _single(values: NDArray[np.float64]) -> Array:
    return np.asarray(values, np.float32)


def _between(tones: Array, tone: float) -> NDArray[np.float64]:
    """A tone of the scale, between its six entries."""
    return np.array([np.interp(tone, np.arange(6), tones[:, channel]) for channel in range(3)])


@dataclass(frozen=True)
class Parts:
    """What each capsule of the field is: kind, palm side in the picture, length and mean half width in pixels."""

    kinds: NDArray[np.int64]
    pads: Array
    lengths_px: Array
    widths_px: Array


def paint(
    field: HeightField,
    parts: Parts,
    skin: Skin,
    light: Light,
    *,
    px_per_mm: float,
    palm_lines: list[NDArray[np.float64]],
    cloth: Array,
    nail: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Shade the field: RGBA with a transparent background."""
    height, width = field.height.shape
    inside = np.flatnonzero(field.height > ABSENT)
    rgba = np.zeros((height * width, 4), np.uint8)
    if not len(inside):
        return rgba.reshape(height, width, 4)
    normals = _normals(field.height, inside)
    open_sky, lit = _occlusion(field.height, light, px_per_mm)
    open_sky, lit = open_sky.reshape(-1)[inside], lit.reshape(-1)[inside]
    part = np.minimum(field.part.reshape(-1)[inside], len(parts.kinds) - 1)
    kind, along = parts.kinds[part], field.along.reshape(-1)[inside]
    pads = parts.pads.T[:, part]
    palmness = normals[0] * pads[0] + normals[1] * pads[1] + normals[2] * pads[2]
    albedo = _albedo(palmness, kind, skin)
    albedo *= 1.0 + 0.045 * _noise(rng, (height, width), 9).reshape(-1)[inside]
    fold = _folds(along, part, palmness, parts, px_per_mm)
    if palm_lines:
        lines = _draw_lines((height, width), palm_lines, px_per_mm).reshape(-1)[inside]
        fold = np.maximum(fold, lines * (kind == PALM) * np.clip(2.0 * palmness - 0.6, 0.0, 1.0))
    fold *= np.float32(skin.folds)
    for channel, depth in enumerate((0.28, 0.42, 0.45)):
        albedo[channel] *= 1.0 - np.float32(depth) * fold
    is_nail = (kind == TIP) & (palmness < -0.66) & (along > 1.0 - 0.62 * nail)
    albedo[:, is_nail] = skin.nail[:, None]
    is_cloth = kind == SLEEVE
    if is_cloth.any():
        weave = 1.0 + 0.12 * _noise(rng, (height, width), 3).reshape(-1)[inside[is_cloth]]
        albedo[:, is_cloth] = cloth[:, None] * weave
    color = _illuminate(albedo, normals, open_sky, lit, light)
    rgba[inside, :3] = np.minimum(color, 255.0).T
    rgba[inside, 3] = 255
    return rgba.reshape(height, width, 4)


def _normals(height: Array, inside: NDArray[np.int64]) -> Array:
    """From the flatter of the two differences on each axis, so that an edge takes no slope from behind it."""
    slopes = []
    for field in (height, height.T):
        step = field[:, 1:] - field[:, :-1]
        size = np.abs(step)
        slope = np.empty_like(height)
        turned = slope if field is height else slope.T
        turned[:, 0], turned[:, -1] = step[:, 0], step[:, -1]
        turned[:, 1:-1] = np.where(size[:, :-1] < size[:, 1:], step[:, :-1], step[:, 1:])
        slopes.append(np.clip(slope.reshape(-1)[inside], -8.0, 8.0))
    length = 1.0 / np.sqrt(slopes[0] * slopes[0] + slopes[1] * slopes[1] + 1.0)
    return np.stack([-slopes[0] * length, -slopes[1] * length, length])


def _occlusion(height: Array, light: Light, px_per_mm: float) -> tuple[Array, Array]:
    """How much sky each point sees, and how much of the main light; both from nearby heights."""
    rows, columns = height.shape
    margin = int(np.ceil(26.0 * px_per_mm)) + 2
    padded = np.full((rows + 2 * margin, columns + 2 * margin), EMPTY, np.float32)
    padded[margin:-margin, margin:-margin] = height

    def neighbour(dx: float, dy: float) -> Array:
        x, y = margin + round(dx), margin + round(dy)
        return padded[y : y + rows, x : x + columns]

    hidden = np.zeros_like(height)
    for i, (dx, dy) in enumerate(AROUND):
        reach = (3.0 if i % 2 else 6.5) * px_per_mm
        rise = neighbour(dx * reach, dy * reach) - height
        rise *= np.float32(0.55 / reach)
        hidden += np.clip(rise, 0.0, 1.0, out=rise)
    shade = np.zeros_like(height)
    x, y, z = light.direction.tolist()
    flat = max(float(np.hypot(x, y)), 1e-3)
    for step in range(1, NUM_SHADOW_STEPS + 1):
        reach = 25.0 * px_per_mm * (step / NUM_SHADOW_STEPS) ** 1.5
        rise = neighbour(x / flat * reach, y / flat * reach) - height
        rise -= np.float32(reach * z / flat + 1.0 * px_per_mm)
        rise *= np.float32(1.0 / (3.0 * px_per_mm))
        np.maximum(shade, np.clip(rise, 0.0, 1.0, out=rise), out=shade)
    return 1.0 - np.minimum(hidden * np.float32(2.0 / len(AROUND)), 0.88), 1.0 - shade


def _albedo(palmness: Array, kind: NDArray[np.int64], skin: Skin) -> Array:
    share = np.clip(palmness * np.float32(1.4) + np.float32(0.45), 0.0, 1.0)
    share *= np.where(kind == ARM, np.float32(0.35), np.float32(1.0))
    albedo = skin.back[:, None] + (skin.palm - skin.back)[:, None] * share
    # Blood shows in the fingertips.
    albedo[1:] *= np.where(kind == TIP, np.float32(0.955), np.float32(1.0))
    return np.asarray(albedo, np.float32)


def _folds(along: Array, part: NDArray[np.uint8], palmness: Array, parts: Parts, px_per_mm: float) -> Array:
    """Dark lines across the pad side of the finger joints, fainter ones over the knuckles."""
    is_tip = parts.kinds == TIP
    near_end = np.where(is_tip[part], along, np.minimum(along, 1.0 - along)) * parts.lengths_px[part]
    near = np.maximum(1.0 - near_end * np.float32(1.0 / (1.3 * px_per_mm)), 0.0)
    side = np.clip(1.6 * palmness - 0.2, 0.0, 1.0) + 0.35 * np.clip(-1.6 * palmness - 0.5, 0.0, 1.0)
    near *= (is_tip | (parts.kinds == FINGER))[part]
    return np.asarray(near * side, np.float32)


def _draw_lines(shape: tuple[int, int], lines: list[NDArray[np.float64]], px_per_mm: float) -> Array:
    canvas = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for line in lines:
        points = [(float(x), float(y)) for x, y in line]
        draw.line(points, fill=255, width=max(1, round(1.4 * px_per_mm)), joint="curve")
    return np.asarray(canvas, np.float32) * np.float32(1.0 / 255.0)


def _noise(rng: np.random.Generator, shape: tuple[int, int], grain: int) -> Array:
    coarse = rng.standard_normal((max(2, shape[0] // grain), max(2, shape[1] // grain)), np.float32)
    return np.asarray(Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _illuminate(albedo: Array, normals: Array, open_sky: Array, lit: Array, light: Light) -> Array:
    direct = normals[0] * light.direction[0] + normals[1] * light.direction[1] + normals[2] * light.direction[2]
    half = light.direction + np.array([0.0, 0.0, 1.0], np.float32)
    half /= np.sqrt(half @ half)
    shine = np.clip(normals[0] * half[0] + normals[1] * half[1] + normals[2] * half[2], 0.0, 1.0)
    shine *= shine
    shine *= shine
    shine *= shine
    # Light wraps round skin a little, and what returns from shadow is red.
    direct = np.clip((direct + 0.2) * np.float32(1.0 / 1.2), 0.0, 1.0) * lit * (0.4 + 0.6 * open_sky)
    ambient = open_sky * (0.72 + 0.28 * normals[2] - 0.12 * normals[1])
    shine *= direct * np.float32(light.gloss)
    for channel, bleed in enumerate((0.10, 0.015, 0.0)):
        color = albedo[channel]
        color *= color * np.float32(1.0 / 65025.0)
        glow = ambient + np.float32(bleed) * (1.0 - open_sky)
        color *= direct * light.color[channel] + glow * light.ambient[channel]
        color += shine
    return np.asarray(np.sqrt(albedo) * np.float32(255.0), np.float32)
