"""A point of the frame lies where the map says, there and back; nothing is stretched."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.images import pad_square
from openautoglm.runtime.geometry import letterbox, parts_of_frame, square_crop
from openautoglm.runtime.pixels import as_input
from openautoglm.types import PADDING


@pytest.mark.parametrize("size", [(640, 480), (427, 320), (64, 64), (33, 500), (1, 1), (8000, 3), (1920, 1080)])
def test_frames_are_prepared_as_in_training(size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    image = as_input(picture, letterbox(*size, 96))
    trained_on = pad_square(picture, 96).transpose(2, 0, 1)[None] / np.float32(255)
    np.testing.assert_array_equal(image, trained_on)


def test_letterbox_and_back():
    placement = letterbox(640, 480, 160)
    assert placement.target_px == (0, 20, 160, 140)
    boxes = np.array([[0, 20, 160, 140], [10, 30, 20.5, 40], [-50, 0, 80, 170]], float)
    expected = [[0, 0, 640, 480], [40, 40, 82, 80], [0, 0, 320, 480]]  # what lies outside the frame is cut off
    np.testing.assert_allclose(placement.to_frame(boxes), expected)


def measure(image):
    """Middle and sides (x, y, width, height) of the one red rectangle on black, by its moments, in pixels."""
    redness = (image[0, 0] - image[0, 2]).astype(float)  # none in grey and black
    across, down = redness.sum(axis=0), redness.sum(axis=1)
    middle = [float((side * (np.arange(len(side)) + 0.5)).sum() / side.sum()) for side in (across, down)]
    # a rectangle fully seen somewhere reaches 1, so the sum over its strongest line is its length
    return (*middle, float(down.max()), float(across.max()))


@pytest.mark.parametrize("seed", range(20))
def test_a_rectangle_is_found_where_it_was_painted(seed):
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(64, 1500, 2))
    sides = random.integers(max(width, height) // 5, max(width, height) // 2, 2)
    w, h = (int(min(side, limit - 2)) for side, limit in zip(sides, (width, height), strict=True))
    x, y = int(random.integers(1, width - w)), int(random.integers(1, height - h))
    frame = np.zeros((height, width, 3), np.uint8)
    frame[y : y + h, x : x + w, 0] = 255
    placement = letterbox(width, height, 192)
    middle_x, middle_y, seen_width, seen_height = measure(as_input(Image.fromarray(frame), placement))
    seen = np.array([[middle_x - seen_width / 2, middle_y - seen_height / 2,
                      middle_x + seen_width / 2, middle_y + seen_height / 2]])  # fmt: skip
    error_px = np.abs(placement.to_frame(seen)[0] - (x, y, x + w, y + h))
    assert error_px.max() <= 0.1 * max(1.0, max(width, height) / 192)  # a tenth of a pixel of the smaller picture


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
def test_a_crop_shows_the_box_in_its_middle_unstretched(margin):
    frame = np.zeros((400, 600, 3), np.uint8)
    frame[150:250, 200:360, 0] = 255
    placement = square_crop((200, 150, 360, 250), 600, 400, size=80, margin=margin)
    x, y, width, height = measure(as_input(Image.fromarray(frame), placement))
    assert (x, y) == pytest.approx((40, 40), abs=0.02)
    assert width == pytest.approx(80 / (1 + 2 * margin), abs=0.6)
    assert height / width == pytest.approx(100 / 160, abs=0.01)


def test_a_crop_is_grey_outside_the_frame():
    frame = np.full((100, 100, 3), 255, np.uint8)
    placement = square_crop((80, 0, 100, 40), 100, 100, size=40, margin=0.0)
    image = as_input(Image.fromarray(frame), placement)
    assert placement.source_px == (70.0, 0.0, 100.0, 40.0)
    assert (image[..., :30] == 1).all()
    assert (image[..., 30:] == np.float32(PADDING / 255)).all()


@pytest.mark.parametrize("frame_size", [(1, 1), (8000, 1), (1, 8000), (3, 2)])
@pytest.mark.parametrize("size", [1, 7, 96])
def test_crops_of_the_smallest_and_thinnest_frames(frame_size, size):
    width, height = frame_size
    white = Image.new("RGB", frame_size, (255, 255, 255))
    for box in ((0, 0, width, height), (0, 0, min(width, 0.01), min(height, 0.01)), (width - 1e-3, 0, width, height)):
        image = as_input(white, square_crop(box, width, height, size=size, margin=0.1))
        assert image.shape == (1, 3, size, size)
        assert image.max() == 1


@pytest.mark.parametrize("frame_size", [(8000, 1), (1, 8000)])
def test_a_frame_thinner_than_a_pixel_lies_in_the_middle(frame_size):
    white = Image.new("RGB", frame_size, (255, 255, 255))
    image = as_input(white, square_crop((0, 0, *frame_size), *frame_size, size=96, margin=0.1))
    shown = np.argwhere(image[0, 0] == 1) + 0.5
    assert shown.mean(axis=0) == pytest.approx((48, 48), abs=1)


@pytest.mark.parametrize("seed", range(50))
def test_every_crop_keeps_its_scale(seed):
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(20, 5000, 2))
    xs, ys = np.sort(random.uniform(0, width, 2)), np.sort(random.uniform(0, height, 2))
    side = max(xs[1] - xs[0], ys[1] - ys[0], 1) * 1.2
    placement = square_crop((xs[0], ys[0], xs[1], ys[1]), width, height, size=96, margin=0.1)
    source, target = np.array(placement.source_px), np.array(placement.target_px)
    assert (source >= 0).all()
    assert (source <= (width, height) * 2).all()
    pitch = (source[2:] - source[:2]) / (target[2:] - target[:2])
    whole = np.array([width, height]) >= 2 * side / 96  # the frame is thicker than an input pixel
    np.testing.assert_allclose(pitch[whole], side / 96, rtol=1e-6)
    middle = source[:2] + (48 - target[:2]) * pitch
    np.testing.assert_allclose(middle[whole], np.array([xs.mean(), ys.mean()])[whole], atol=side / 96 * 1e-3)


@pytest.mark.parametrize(
    ("frame_size", "num_parts"), [((300, 300), 4), ((400, 300), 4), ((500, 290), 2), ((20, 900), 2)]
)
def test_parts_show_the_whole_frame_larger(frame_size, num_parts):
    """But for what is less than a pixel of the input."""
    width, height = frame_size
    pitch = 0.6 * max(frame_size) / 96
    parts = parts_of_frame(width, height, size=96)
    shown = np.zeros((height, width), bool)
    for part in parts:
        x0, y0, x1, y1 = part.source_px
        shown[round(y0) : round(y1), round(x0) : round(x1)] = True
        left, _, right, _ = part.target_px
        assert (x1 - x0) / (right - left) == pytest.approx(pitch)
    rows, columns = shown.any(axis=1), shown.any(axis=0)
    assert shown[np.ix_(rows, columns)].all()
    assert height - rows.sum() <= 2 * pitch
    assert width - columns.sum() <= 2 * pitch
    assert rows[round(pitch) : -round(pitch)].all()
    assert len(parts) == num_parts
    tops = [part.source_px[1] for part in parts]
    assert tops == sorted(tops)
