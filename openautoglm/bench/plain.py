"""Builds dataclasses from parsed JSON by their type hints; errors name the place in the file."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def build(cls: type[T], plain: Any, place: str = "") -> T:
    """Build ``cls`` from a dict. Unknown keys go to its field ``extra``, if it has one; null means the default."""
    if not isinstance(plain, dict):
        raise ValueError(f"{place or 'the file'} should hold an object, found {_named(plain)}")
    hints, known = get_type_hints(cls), {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for name, item in known.items():
        if name == "extra":
            continue
        value = plain.get(name)
        if value is not None:
            arguments[name] = _convert(hints[name], value, f"{place}.{name}" if place else name)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"{place or 'the file'} lacks {name!r}, which every {cls.__name__} has")
    if "extra" in known:
        arguments["extra"] = {key: value for key, value in plain.items() if key not in known}
    return cls(**arguments)


def _convert(hint: Any, value: Any, place: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _convert(next(arg for arg in args if arg is not type(None)), value, place)
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{place} should be one of {', '.join(map(repr, args))}, found {value!r}")
        return value
    if origin is tuple:
        return _convert_tuple(args, value, place)
    if origin is dict:
        _expect(value, dict, place)
        return {str(key): _convert(args[1], item, f"{place}.{key}") for key, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, place)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _expect(value, hint, place)
    return value


def _convert_tuple(args: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _expect(value, list, place)
    items = (args[0],) * len(value) if args[-1] is Ellipsis else args
    if len(items) != len(value):
        raise ValueError(f"{place} should hold {len(items)} values, found {len(value)}")
    return tuple(_convert(hint, item, f"{place}[{i}]") for i, (hint, item) in enumerate(zip(items, value, strict=True)))


def _expect(value: Any, kind: type, place: str) -> None:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{place} should be {_NAMES.get(kind, kind.__name__)}, found {_named(value)}")


def _named(value: Any) -> str:
    return _NAMES.get(type(value), type(value).__name__)


_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
