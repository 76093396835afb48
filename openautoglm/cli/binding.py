"""A config is bound to constructors before anything is built or read; only classes of openautoglm are called."""

from __future__ import annotations

import difflib
import importlib
import inspect
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

_RESERVED = frozenset({"_target_"})
_STAGES_DECIDE = frozenset(
    {"max_epochs", "default_root_dir", "logger", "callbacks", "enable_progress_bar", "enable_model_summary"}
    | {"num_sanity_val_steps", "log_every_n_steps"}
)
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", type(None): "null"}


@dataclass(frozen=True)
class _Fault:
    key: str
    sentence: str


def find_class(target: str, key: str = "_target_") -> type:
    """The class behind a ``_target_``; anything outside openautoglm, and anything but a class, is refused."""
    module_name, _, class_name = target.rpartition(".")
    found: object = None
    if module_name == "openautoglm" or module_name.startswith("openautoglm."):
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ModuleNotFoundError as error:
            if not f"{module_name}.".startswith(f"{error.name}."):  # the module is there, what it needs is not
                raise
    if not inspect.isclass(found) or found.__module__.partition(".")[0] != "openautoglm":
        raise ValueError(f"{key}: {target!r} is no class of openautoglm, and nothing else is built from a config")
    return found


def settings_of(target: str) -> tuple[str, ...]:
    """Names that a class takes."""
    return tuple(inspect.signature(find_class(target)).parameters)


def trainer_settings() -> tuple[str, ...]:
    """Arguments of ``lightning.Trainer`` that a stage does not set itself."""
    from lightning import Trainer

    return tuple(name for name in inspect.signature(Trainer).parameters if name not in _STAGES_DECIDE)


def check_trainer(values: Mapping[str, Any]) -> None:
    """Refuse what ``lightning.Trainer`` does not take or a stage decides."""
    known = trainer_settings()
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean trainer.{near[0]}?" if near else "see lightning.Trainer for what there is"
            raise ValueError(f"trainer.{name} is no setting of a training; {hint}")


def check_config(values: Any, first: Collection[str] = ()) -> None:
    """Bind every ``_target_`` below ``values`` to its signature.

    Args:
        values: plain data.
        first: keys that were typed; what is wrong with them is told before anything else.

    Raises:
        ValueError: an argument that is unknown, missing, or of another kind than its annotation.
    """
    faults = list(_faults(values, ""))
    if faults:
        raise ValueError(next((fault for fault in faults if fault.key in first), faults[0]).sentence)


def check_value(value: object, annotation: object, key: str) -> None:
    """Refuse a plain value that its annotation rules out; what is not plain is left to the constructor."""
    if not _fits(value, annotation):
        raise ValueError(f"{key}={_show(value)}: expected {_describe(annotation)}")


def build(values: Any) -> Any:
    """Build every ``_target_`` from the inside out.

    Plain data in, no second look for ``${``: a folder may be called that.
    """
    if isinstance(values, list):
        return [build(value) for value in values]
    if not isinstance(values, Mapping):
        return values
    built = {name: build(value) for name, value in values.items() if name not in _RESERVED}
    if "_target_" not in values:
        return built
    found = find_class(str(values["_target_"]))
    annotations = _annotations(found)
    return found(**{name: _as_float(value, annotations.get(name)) for name, value in built.items()})


def _as_float(value: Any, annotation: object) -> Any:
    """``temperature=4`` means 4.0."""
    choices = get_args(annotation) or (annotation,)
    return float(value) if type(value) is int and float in choices and int not in choices else value


def _faults(values: Any, key: str) -> Iterator[_Fault]:
    if isinstance(values, Mapping):
        if "_target_" in values:
            yield from _call_faults(values, key)
        for name, value in values.items():
            yield from _faults(value, _below(key, str(name)))
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from _faults(value, f"{key}[{number}]")


def _call_faults(values: Mapping[str, Any], key: str) -> Iterator[_Fault]:
    try:
        found = find_class(str(values["_target_"]), _below(key, "_target_"))
    except ValueError as error:
        yield _Fault(_below(key, "_target_"), str(error))
        return
    parameters = inspect.signature(found).parameters
    annotations = _annotations(found)
    for name, value in values.items():
        place = _below(key, name)
        if name not in parameters and name not in _RESERVED:
            near = difflib.get_close_matches(name, parameters, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(parameters)}"
            yield _Fault(place, f"{place} is no setting of {found.__name__}; {hint}")
        is_part = isinstance(value, Mapping) and "_target_" in value
        if not is_part and not _fits(value, annotations.get(name, Any)):
            yield _Fault(place, f"{place}={_show(value)}: expected {_describe(annotations[name])}")
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in values:
            place = _below(key, name)
            yield _Fault(place, f"{place} is not set: {found.__name__} needs it, add {place}=… to the command")


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _annotations(found: type) -> dict[str, Any]:
    """Resolved annotations of the constructor; a name imported for type checkers only leaves all unchecked."""
    try:
        return typing.get_type_hints(vars(found).get("__init__", found))
    except (NameError, TypeError):
        return {}


def _fits(value: object, annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in get_args(annotation))
    if origin is Literal:
        return value in get_args(annotation)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in (bool, str, type(None), None):
        return isinstance(value, annotation or type(None))
    if inspect.isclass(origin) and isinstance(value, int | float | str):
        return False  # a word where a list or a mapping belongs
    return value is not None or annotation in (Any, object)


def _describe(annotation: object) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_describe(choice) for choice in get_args(annotation)))
    if get_origin(annotation) is Literal:
        return " or ".join(_show(choice) for choice in get_args(annotation))
    if isinstance(annotation, type) and annotation in _WORDS:
        return _WORDS[annotation]
    origin = get_origin(annotation)
    if inspect.isclass(origin):
        return "a mapping" if issubclass(origin, Mapping) else "a list in brackets"
    return "null" if annotation is None else getattr(annotation, "__name__", str(annotation))


def _show(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
