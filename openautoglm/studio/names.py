"""Names that people type become names of folders, on every system and nowhere else than below the home."""

from __future__ import annotations

import unicodedata

from openautoglm.runtime.thresholds import UNKNOWN
from openautoglm.studio.refused import RefusedError

_FORBIDDEN = frozenset('/\\:*?"<>|')
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, but part of emoji and of words in Persian and Hindi."""
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
)
_MAX_BYTES = 120


def folder_name(text: str) -> str:
    """The name as a folder is called: one spelling of accents, single spaces.

    Raises:
        RefusedError: no folder can or should be called so.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name:
        raise RefusedError("The name is empty: type one, such as thumbs up.")
    if len(name.encode(errors="replace")) > _MAX_BYTES:
        raise RefusedError("The name is too long: use about forty letters at most.")
    bad = sorted({char for char in name if char in _FORBIDDEN or _is_control(char)})
    if bad:
        shown = " ".join(char for char in bad if not _is_control(char)) or "invisible characters"
        raise RefusedError(f"A name cannot hold {shown}: use letters, digits and spaces.")
    if name.startswith(".") or name.endswith("."):
        raise RefusedError("A name cannot begin or end with a dot.")
    if name.split(".")[0].strip().casefold() in _DEVICES or name.casefold() == "__macosx":
        raise RefusedError(f"{name} means something else to some computers: choose another name.")
    if name.casefold() == UNKNOWN:
        raise RefusedError(
            f"{UNKNOWN} is what the net answers when it is not sure: call the gesture nothing, or other."
        )
    return name


def file_stem(text: str) -> str:
    """The name of an uploaded file without its ending, made fit for a file; it may tell people apart."""
    stem = unicodedata.normalize("NFC", text).rpartition(".")[0] or text
    plain = "".join("_" if char in _FORBIDDEN or _is_control(char) else char for char in stem)
    plain = " ".join(plain.split()).strip(". ")[:40]
    return plain if plain and plain.casefold() not in _DEVICES else "picture"


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in _JOINERS
