"""Names of gestures are drawn in their own letters."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from openautoglm import fonts
from openautoglm.fonts import font_for


def drawn(font, text: str) -> np.ndarray:
    picture = Image.new("L", (200, 40))
    ImageDraw.Draw(picture).text((5, 5), text, fill=255, font=font)
    return np.asarray(picture)


def test_plain_names_keep_the_default():
    assert np.array_equal(drawn(font_for(["fist", "palm"], 14), "fist"), drawn(ImageFont.load_default(14), "fist"))


@pytest.mark.parametrize("name", ["poing fermé", "позвони", "χέρι", "größer"])
def test_letters_differ_from_each_other_and_from_missing_ones(name: str):
    font = font_for(["palm", name], 14)
    letters = [letter for letter in dict.fromkeys(name) if not letter.isspace()]
    pictures = {drawn(font, letter).tobytes() for letter in [*letters, "\uffff"]}
    assert len(pictures) == len(letters) + 1
    assert font.size == 14


def test_without_a_font_that_has_all_the_best_one_is_taken(monkeypatch, tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    monkeypatch.setattr(fonts, "_PLACES", (str(tmp_path),))
    fonts._path_for.cache_clear()
    try:
        font = font_for(["é\ue000"], 12)
        assert not np.array_equal(drawn(font, "é"), drawn(font, "\uffff"))
    finally:
        fonts._path_for.cache_clear()
