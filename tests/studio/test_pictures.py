"""Only pictures come in, by their content, and only their pixels stay."""

import io

import numpy as np
import pytest
from PIL import Image

from openautoglm.studio.pictures import LONGEST_PX, decode_picture, encode_jpeg
from openautoglm.studio.refused import RefusedError


def encoded(picture: Image.Image, kind: str, **settings) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_common_formats_are_read(kind):
    assert decode_picture(encoded(Image.new("RGB", (30, 20), (200, 30, 30)), kind)).shape == (20, 30, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"],
)
def test_other_files_are_refused(content):
    with pytest.raises(RefusedError):
        decode_picture(content)


def test_formats_that_call_other_programs_are_refused():
    with pytest.raises(RefusedError, match="not a picture that can be read"):
        decode_picture(encoded(Image.new("RGB", (8, 8)), "EPS"))


def test_half_a_picture_is_refused():
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)), "PNG")
    with pytest.raises(RefusedError, match="cannot be read"):
        decode_picture(whole[: len(whole) // 2])


def test_bombs_are_refused():
    bomb = encoded(Image.new("1", (12_000, 12_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(RefusedError, match="more pixels than a photograph has"):
        decode_picture(bomb)


def test_photographs_are_turned_upright_shrunk_and_forget_where_they_were_taken():
    photo = Image.new("RGB", (2000, 1000), (10, 200, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "camera of Anna"
    pixels = decode_picture(encoded(photo, "JPEG", exif=exif))
    assert pixels.shape == (LONGEST_PX, LONGEST_PX // 2, 3)
    stored = encode_jpeg(pixels)
    assert b"Anna" not in stored
    assert not Image.open(io.BytesIO(stored)).getexif()
