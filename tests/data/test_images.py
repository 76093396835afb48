import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.images import decode, load_square
from openautoglm.types import PADDING


def png(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def test_padded_not_stretched():
    square = load_square(png(Image.new("RGB", (40, 20), (255, 0, 0))), 20)
    assert square.shape == (20, 20, 3)
    assert square.dtype == np.uint8
    assert (square[:5] == PADDING).all()
    assert (square[15:] == PADDING).all()
    assert (square[5:15] == (255, 0, 0)).all()


def test_square_picture_of_the_right_size_is_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    assert (load_square(png(Image.fromarray(pixels)), 12) == pixels).all()


def test_shrinking_does_not_alias():
    stripes = np.zeros((90, 90, 3), np.uint8)
    stripes[:, ::2] = 255
    small = load_square(png(Image.fromarray(stripes)), 10)
    assert np.ptp(small[1:-1, 1:-1].astype(int)) < 30
    assert abs(float(small.mean()) - 127.5) < 10


@pytest.mark.parametrize(("tag", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_exif_rotation(tag: int, corner: tuple[int, int]):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :4] = 255  # upper left as stored
    exif = Image.Exif()
    exif[0x0112] = tag
    upright = decode(png(Image.fromarray(pixels), exif=exif))
    assert upright[corner].tolist() == [255, 255, 255]
    assert (upright > 128).sum() == 16 * 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "HSV"])
def test_every_mode_becomes_rgb(mode: str):
    grey = Image.new("L", (6, 6), 255)
    if mode == "I;16":
        picture = Image.fromarray(np.full((6, 6), 65535, np.uint16))
    elif mode == "I":
        picture = Image.fromarray(np.full((6, 6), 65535, np.int32))
    elif mode == "F":
        picture = Image.fromarray(np.full((6, 6), 1.0, np.float32))
    else:
        picture = grey.convert("RGB").convert(mode)
    kind = "PNG" if mode in ("1", "L", "LA", "P", "RGBA", "I;16") else "TIFF"
    if mode == "HSV":
        picture, kind = grey, "GIF"
    rgb = decode(png(picture, kind))
    assert rgb.shape == (6, 6, 3)
    assert (rgb >= 250).all()


def test_sixteen_bits_keep_their_middle():
    picture = Image.fromarray(np.full((4, 4), 32896, np.uint16))
    assert decode(png(picture)).tolist() == np.full((4, 4, 3), 128).tolist()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_grey(mode: str):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0)).convert(mode)
    assert (decode(png(clear)) == PADDING).all()


def test_transparent_palette_entry_is_grey():
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    assert (decode(png(picture, transparency=0)) == PADDING).all()


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 255, 255), (0, 0, 0))]
    assert (decode(png(frames[0], "GIF", save_all=True, append_images=frames[1:])) == 255).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture"),
        (b"hello", "not a picture"),
        (png(Image.effect_noise((64, 64), 50), "JPEG")[:600], "truncated"),
        (png(Image.effect_noise((64, 64), 50))[:500], "."),
    ],
)
def test_damaged_picture_says_why(content: bytes, reason: str):
    with pytest.raises(ValueError, match=reason):
        load_square(content, 16)


def test_bomb_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match="more pixels"):
        load_square(png(Image.new("L", (11, 11))), 16)


def test_missing_file_and_thin_picture(tmp_path: Path):
    with pytest.raises(ValueError, match="No such file"):
        load_square(tmp_path / "none.png", 16)
    thin = load_square(png(Image.new("RGB", (1000, 1), (9, 9, 9))), 16)
    assert (thin == 9).any()


def test_heic_names_what_it_needs(tmp_path, monkeypatch):
    from openautoglm.data import images

    path = tmp_path / "photo.HEIC"
    path.write_bytes(b"anything")
    images._reads_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match=r"openautoglm\[heic\]"):
        load_square(path, 32)
    images._reads_heif.cache_clear()


def test_heic_is_read_where_a_library_reads_it(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    path = tmp_path / "photo.heic"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(path)
    found = load_square(path, 32)
    assert abs(found[16, 16].astype(int) - (200, 30, 30)).max() < 12
