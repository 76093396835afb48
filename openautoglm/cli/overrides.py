"""Command lines of people to overrides of Hydra: paths as they are, sweeps spread out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ValueType
from hydra.errors import HydraException

PATH_KEYS = frozenset({"resume", "artifact", "init", "json", "out", "home"})
_PATH_LEAVES = frozenset(
    {"root", "path", "folder", "file", "photo_classifier", "pruned", "pseudo_boxes", "reference", "spotter"}
)


@dataclass(frozen=True)
class Options:
    """A command line, taken apart.

    Attributes:
        overrides: ``key=value`` as Hydra reads them, paths quoted and absolute.
        typed: the same as they came.
        show_help: ``--help``.
        show_config: ``--cfg job``: print what would run.
        sweep: ``-m``.
    """

    overrides: tuple[str, ...]
    typed: tuple[str, ...] = ()
    show_help: bool = False
    show_config: bool = False
    sweep: bool = False


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its overrides, and those that set it apart from the others."""

    overrides: tuple[str, ...]
    setting: str
    seed: int | None


def parse_arguments(argv: Sequence[str]) -> Options:
    """Split flags from overrides and make every value digestible."""
    typed: list[str] = []
    flags: set[str] = set()
    rest = iter(argv)
    for word in rest:
        if word in ("-h", "--help", "-m", "--multirun"):
            flags.add(word.lstrip("-")[0])
        elif word in ("-c", "--cfg"):
            if next(rest, None) != "job":
                raise ValueError("--cfg wants the word job behind it: --cfg job")
            flags.add("c")
        elif word.startswith("-"):
            raise ValueError(f"{word} is no option: there are --help, -m and --cfg job; settings are typed key=value")
        else:
            typed.append(word)
    overrides = tuple(digestible(word) for word in typed)
    return Options(overrides, tuple(typed), show_help="h" in flags, show_config="c" in flags, sweep="m" in flags)


def digestible(word: str) -> str:
    """Quote what Hydra's grammar would refuse or split; paths become absolute where they exist."""
    if word.startswith("~"):  # ~key deletes
        return word
    key, separator, value = word.partition("=")
    if not separator or not key:
        raise ValueError(f"{word!r} is no setting: type key=value")
    if is_path_key(key):
        return f"{key}={value}" if value in ("null", "???") else f"{key}={quote(_path(key.lstrip('+'), value))}"
    for readable in (word, f"{key}={quote(value)}"):
        try:
            OverridesParser.create().parse_override(readable)
        except HydraException:
            continue
        return readable
    raise ValueError(f"{word!r} is no setting: type key=value, such as seed=1")


def is_path_key(key: str) -> bool:
    """Whether the values of this key are paths, taken as they are."""
    key = key.lstrip("+")
    return key in PATH_KEYS or ("." in key and key.rpartition(".")[2] in _PATH_LEAVES)


def quote(text: str) -> str:
    r"""A literal string in Hydra's grammar: ``${`` stays text, ``'`` and closing backslashes are escaped."""
    text = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    text = re.sub(r"(\\+)('|$)", lambda found: found[1] * 2 + found[2], text)
    return "'" + text.replace("'", r"\'") + "'"


def _path(key: str, value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and not Path(value).exists():
        value = value[1:-1]  # quoted for Hydra by someone who knows it
    if not value:
        raise ValueError(f"{key}= is empty: type a path behind it")
    path = Path(value).expanduser()
    # A name (init=openautoglm-small, a data set of the hub) stays a name.
    if key in ("json", "out") or (path.exists() and key != "resume"):
        return str(path.absolute())
    return str(path) if value[0] == "~" else value


def refuse_sweep(overrides: Sequence[str]) -> None:
    """Without ``-m``, ``seed=0,1`` is a mistake."""
    for parsed in OverridesParser.create().parse_overrides(list(overrides)):
        if parsed.is_sweep_override():
            raise ValueError(f"{parsed.input_line} names several values: put -m before it to run them all")


def spread(overrides: Sequence[str]) -> list[Job]:
    """All combinations of the values, the first key slowest."""
    choices: list[list[str]] = []
    varying: list[bool] = []
    for parsed in OverridesParser.create().parse_overrides(list(overrides)):
        varying.append(parsed.is_sweep_override())
        if not varying[-1]:
            choices.append([str(parsed.input_line)])
            continue
        if parsed.value_type is ValueType.GLOB_CHOICE_SWEEP:
            raise ValueError(f"{parsed.input_line}: name the values one by one, with commas between them")
        key = parsed.get_key_element()
        choices.append([f"{key}={value}" for value in parsed.sweep_string_iterator()])
    jobs = []
    for words in itertools.product(*choices):
        apart = [word for word, varies in zip(words, varying, strict=True) if varies and not word.startswith("seed=")]
        seeds = [word.partition("=")[2] for word in words if word.startswith("seed=")]
        seed = int(seeds[-1]) if seeds and re.fullmatch(r"-?\d+", seeds[-1]) else None
        jobs.append(Job(words, " ".join(apart), seed))
    return jobs


def take(overrides: Sequence[str], key: str) -> tuple[str | None, tuple[str, ...]]:
    """The last value of a key, None if it is not there or null, and the other overrides."""
    parser = OverridesParser.create()
    mine = [word for word in overrides if word.startswith(f"{key}=")]
    value = parser.parse_override(mine[-1]).value() if mine else None
    return None if value is None else str(value), tuple(word for word in overrides if word not in mine)


def key_of(word: str) -> str:
    """What an override speaks of."""
    return word.partition("=")[0].lstrip("+~")
