"""Whatever somebody calls a frame becomes RGB bytes, or is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from openautoglm.runtime.geometry import letterbox
from openautoglm.runtime.pixels import as_input, as_rgb

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]


def test_rgb_bytes_are_not_copied():
    assert np.shares_memory(as_rgb(RGB), RGB)
    assert as_rgb(RGB).shape == (5, 7, 3)


@pytest.mark.parametrize(
    "frame",
    [
        RGB.astype(np.int64),
        RGB.astype(np.uint16),
        RGB / 255,
        (RGB / 255).astype(np.float32),
        (RGB / 255).astype(">f8"),
        np.asfortranarray(RGB),
        np.repeat(np.repeat(RGB, 2, axis=0), 2, axis=1)[::2, ::2],
        RGB[:, ::-1][:, ::-1],
        np.dstack([RGB, np.full((5, 7), 255, np.uint8)]),
        np.dstack([RGB / 255, np.ones((5, 7))]),
    ],
)
def test_what_is_clearly_a_frame(frame):
    frame.flags.writeable = False
    rgb = as_rgb(frame)
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, RGB)
    Image.fromarray(rgb)


@pytest.mark.parametrize("frame", [GREY, GREY[:, :, None], GREY / 255])
def test_grey(frame):
    np.testing.assert_array_equal(as_rgb(frame), np.dstack([GREY] * 3))
    assert np.asarray(Image.fromarray(as_rgb(frame))).shape == (5, 7, 3)


def test_black_and_white():
    assert as_rgb(GREY > 100).max() == 255
    np.testing.assert_array_equal(as_rgb(GREY > 100)[:, :, 0] == 255, GREY > 100)


def test_transparency_lies_on_grey():
    frame = np.zeros((1, 3, 4), np.uint8)
    frame[0, :, 3] = 0, 51, 255
    frame[0, 1, :3] = 255
    assert as_rgb(frame)[0, :, 0].tolist() == [128, round(0.2 * 255 + 0.8 * 128), 0]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_that_rounding_put_beside_the_range(kind):
    assert as_rgb(np.array([[-1e-4, 1 + 5e-4]], kind))[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (RGB.astype(float), "expected floats in .0, 1."),
        (RGB / 255 - 0.5, "values from -0.5"),
        (RGB.astype(np.int32) * 100, "expected 0 to 255"),
        (RGB.astype(np.int8) - np.int8(1), "int8 values from -"),
        (np.where(RGB > 200, np.nan, RGB / 255), "NaN"),
        (np.where(RGB > 200, np.inf, RGB / 255), "NaN or infinity"),
        (np.zeros((0, 7, 3), np.uint8), "empty frame"),
        (np.zeros((5, 7, 0), np.uint8), r"shape \(5, 7, 0\)"),
        (RGB.transpose(2, 0, 1), "channels last"),
        (RGB[None], "one frame at a time"),
        (np.zeros((5, 7, 2), np.uint8), r"shape \(5, 7, 2\)"),
        (np.zeros((), np.uint8), r"shape \(\)"),
        (np.full((5, 7), "a"), "dtype <U1"),
        (np.full((5, 7), None), "dtype object"),
        (np.ones((5, 7), complex), "dtype complex128"),
        (Image.fromarray(RGB), "numpy array .h, w, 3., got Image"),
        (RGB.tolist(), "got list"),
        (None, "got NoneType"),
    ],
)
def test_refused(frame, sentence):
    with pytest.raises(ValueError, match=sentence):
        as_rgb(frame)


def test_input_of_a_program():
    image = as_input(Image.fromarray(RGB), letterbox(7, 5, 7))
    assert (image.shape, image.dtype) == ((1, 3, 7, 7), np.float32)
    np.testing.assert_array_equal(image[0, :, 1:6], RGB.transpose(2, 0, 1) / np.float32(255))
    assert (image[0, :, [0, 6]] == np.float32(128 / 255)).all()


def test_a_quick_input_is_the_mean_of_whole_pixels_where_the_frame_is_twice_as_large():
    frame = np.random.default_rng(1).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    quick, careful = (as_input(Image.fromarray(frame), letterbox(48, 64, 32), quick=quick) for quick in (True, False))
    mean = frame.reshape(32, 2, 24, 2, 3).mean(axis=(1, 3)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(quick[0, :, :, 4:28], mean, atol=0.51 / 255)
    assert (quick[0, :, :, :4] == careful[0, :, :, :4]).all()
    assert np.abs(quick - careful).mean() > 1 / 255  # a wider filter
