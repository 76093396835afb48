"""Overrides to one plain, resolved config; what does not exist is answered with the nearest that does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, Node, OmegaConf

from openautoglm.cli.binding import settings_of, trainer_settings
from openautoglm.cli.overrides import key_of
from openautoglm.cli.recipes import find_groups, register_recipes, shipped_folder

_PLAIN_REFERENCE = re.compile(r"^\$\{([\w.-]+)\}$")


@dataclass(frozen=True)
class Config:
    """A composed command.

    Attributes:
        recipe: chosen recipe, empty for commands without one.
        typed: keys that were typed.
        values: plain data, every reference resolved.
    """

    recipe: str
    typed: tuple[str, ...]
    values: dict[str, Any]


def compose_config(name: str, overrides: Sequence[str]) -> Config:
    """Compose ``configs/NAME.yaml`` with overrides.

    Raises:
        ValueError: a choice or a key that does not exist, or a value that is still missing.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    groups = find_groups(name)
    chosen = [word for word in parsed if _group(word) in groups]
    for word in chosen:
        _check_choice(word, groups[_group(word)])
    base, recipe = _compose(name, [str(word.input_line) for word in chosen])
    words = [str(word.input_line) if word in chosen else _placed(word, base, groups) for word in parsed]
    config = base if len(chosen) == len(parsed) else _compose(name, words)[0]
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ValueError(f"{missing[0]} is not set: add {missing[0]}=… to the command")
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    plain = {str(key): value for key, value in values.items()}
    _drop_left_out(plain, groups.get("stage", ()))
    return Config(recipe, tuple(key_of(word) for word in words), plain)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its dotted key, in order."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nearest(word: str, candidates: Iterable[str]) -> list[str]:
    """Up to three candidates that a person may have meant, best first."""
    scores: dict[str, float] = {}
    for candidate in candidates:
        score = difflib.SequenceMatcher(None, word, candidate).ratio()
        if "." not in word:  # epochs for stages.distill.epochs
            leaf = candidate.rpartition(".")[2]
            score = max(score, 0.95 * difflib.SequenceMatcher(None, word, leaf).ratio())
        scores[candidate] = score
    best = max(scores.values(), default=0.0)
    ranked = sorted(scores, key=lambda candidate: -scores[candidate])
    return [candidate for candidate in ranked if scores[candidate] >= max(0.6, best - 0.05)][:3]


def _compose(name: str, overrides: list[str]) -> tuple[DictConfig, str]:
    register_recipes()
    outer = GlobalHydra.instance().hydra  # a notebook may use Hydra for itself
    try:
        with initialize_config_dir(str(shipped_folder("configs")), job_name="openautoglm", version_base="1.3"):
            config = compose(name, overrides, return_hydra_config=True)
    finally:
        GlobalHydra.instance().hydra = outer
    recipe = OmegaConf.select(config, "hydra.runtime.choices.recipe")
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config, str(recipe or "")


def _drop_left_out(values: dict[str, Any], stages: Sequence[str]) -> None:
    """Forget stages that the recipe changes and ``stage=[…]`` leaves out."""
    for name in stages:
        stage = values.get("stages", {}).get(name)
        if isinstance(stage, dict) and "_target_" not in stage:
            del values["stages"][name]


def _group(word: Override) -> str:
    return str(word.key_or_group)


def _check_choice(word: Override, choices: tuple[str, ...]) -> None:
    value = word.value()
    for name in value if isinstance(value, list) else [value]:
        if name is not None and str(name) not in choices:
            near = nearest(str(name), choices)[:1]
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"there is no {_group(word)}={name}; {hint}choose one of: {', '.join(choices)}")


def _placed(word: Override, base: DictConfig, groups: Mapping[str, tuple[str, ...]]) -> str:
    """The override as Hydra takes it, or a ValueError that names the right key."""
    line, key = str(word.input_line), str(word.key_or_group)
    if word.is_delete() or word.is_add() or word.is_force_add():
        return line
    real = _follow(key, base)
    if real != key:
        line, key = real + line[len(key) :], real
    if _exists(key, base):
        return line
    parent, _, leaf = key.rpartition(".")
    if leaf in _settings_at(parent, base):
        return f"+{line}"  # a setting that the config leaves at its default
    if key == "trainer.max_epochs":
        raise ValueError("there is no setting trainer.max_epochs; each stage has epochs, such as stages.distill.epochs")
    parents = [name.removesuffix("._target_") for name, _ in flatten(_plain(base)) if name.endswith("._target_")]
    known = [name for name, _ in flatten(_plain(base)) if not name.endswith("_target_")]
    known += [f"{parent}.{name}" for parent in (*parents, "trainer") for name in _settings_at(parent, base)]
    near = nearest(key, dict.fromkeys([*known, *groups]))
    hint = f"did you mean {' or '.join(near)}?" if near else "--cfg job prints them all"
    raise ValueError(f"there is no setting {key}; {hint}")


def _follow(key: str, base: DictConfig) -> str:
    """``stages.distill.losses.dkd`` is a reference to ``distill.dkd``: the place where it can be changed."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        head = OmegaConf.select(base, ".".join(parts[: length - 1])) if length > 1 else base
        if not isinstance(head, DictConfig) or parts[length - 1] not in head:
            return key
        node = head._get_node(parts[length - 1])
        content = node._value() if isinstance(node, Node) else None
        reference = _PLAIN_REFERENCE.match(content) if isinstance(content, str) else None
        if reference:
            return _follow(".".join([reference[1], *parts[length:]]), base)
    return key


def _exists(key: str, base: DictConfig) -> bool:
    parent, _, leaf = key.rpartition(".")
    node = OmegaConf.select(base, parent) if parent else base
    return isinstance(node, DictConfig) and leaf in node.keys()  # noqa: SIM118 - `in node` misses what is ???


def _plain(base: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(base, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _settings_at(key: str, base: DictConfig) -> tuple[str, ...]:
    """What may stand below a key although its config does not name it."""
    node = OmegaConf.select(base, key) if key else None
    if not isinstance(node, DictConfig):
        return ()
    if key == "trainer":
        return trainer_settings()
    target = node.get("_target_")
    return settings_of(str(target)) if target else ()
