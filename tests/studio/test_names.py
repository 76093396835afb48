"""Names that people type stay below the home and mean the same on every system."""

import pytest

from openautoglm.studio.names import file_stem, folder_name
from openautoglm.studio.refused import RefusedError


@pytest.mark.parametrize(
    ("typed", "folder"),
    [
        ("thumbs up", "thumbs up"),
        ("  two\n spaces \t", "two spaces"),
        ("手势 ok", "手势 ok"),
        ("it's [peace], #1 = ok", "it's [peace], #1 = ok"),
        ("e\u0301", "\u00e9"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("v1.2", "v1.2"),
        ("test", "test"),
    ],
)
def test_what_people_say_is_kept(typed, folder):
    assert folder_name(typed) == folder


LEADING_ELSEWHERE = ("", "  ", ".", "..", "../x", "a/b", "a\\b", "/etc", "C:", "a\0b", "a\u202eb", ".hidden", "end.")
MEANING_ELSE = ("CON", "nul.txt", "com1", "__MACOSX", "Unknown")
UNFIT = ("x" * 121, "手" * 41, "a*", 'a"b', "a|b", "\ud800")


@pytest.mark.parametrize("typed", [*LEADING_ELSEWHERE, *MEANING_ELSE, *UNFIT])
def test_what_no_folder_should_be_called_is_refused_in_one_sentence(typed):
    with pytest.raises(RefusedError) as refused:
        folder_name(typed)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("anna_01.jpg", "anna_01"),
        ("../../evil.png", "_.._evil"),
        ("C:\\pictures\\me.JPG", "C__pictures_me"),
        (".png", "png"),
        ("", "picture"),
        ("nul.png", "picture"),
        ("手 (1).webp", "手 (1)"),
        ("x" * 300, "x" * 40),
    ],
)
def test_names_of_files_lose_what_paths_are_made_of(name, stem):
    assert file_stem(name) == stem
