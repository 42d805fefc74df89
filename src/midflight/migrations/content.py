"""What a column says, apart from how it is written: two spellings of one JSON value are the same content."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String
from sqlalchemy.types import TypeEngine

_CONTAINERS = (dict, list, tuple)
_TEXT = {str}
_PLAIN = {str, int, float, bool, type(None)}


def same(stored: Any, derived: Any) -> bool:
    """Whether a column that holds ``stored`` says what ``derived`` says.

    Containers are compared by what is in them; text that holds a JSON container counts as that container. Naive times
    are UTC. Raises TypeError for a derived container that JSON cannot hold.
    """
    stored, derived = _opened(stored), _opened(derived)
    if isinstance(derived, _CONTAINERS):
        content = derived if _is_plain(derived) else _as_it_comes_back(derived)
        return isinstance(stored, _CONTAINERS) and _same_json(stored, content)
    if isinstance(stored, datetime) and isinstance(derived, datetime):
        return _aware(stored) == _aware(derived)
    return bool(stored == derived)


def storing(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """What makes of a derived value what a column of ``writable`` type takes: containers become JSON, times UTC."""
    if isinstance(type_, JSON):
        return _opened
    if isinstance(type_, String):
        return _closed
    if isinstance(type_, DateTime):
        return _naive if dialect.name == "sqlite" else _in_utc
    return _unchanged


def writable(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type to write a column of this type with: None is NULL there, also where it might be JSON's null."""
    if not isinstance(type_, JSON):
        return type_
    same_type = copy.copy(type_)
    same_type.none_as_null = True
    return same_type


def _opened(value: Any) -> Any:
    """The container that a text holds, or the value itself."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _closed(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, _CONTAINERS) else value


def _in_utc(value: Any) -> Any:
    return _aware(value) if isinstance(value, datetime) else value


def _naive(value: Any) -> Any:
    return _aware(value).replace(tzinfo=None) if isinstance(value, datetime) else value


def _unchanged(value: Any) -> Any:
    return value


def _is_plain(value: Any) -> bool:
    """Whether a value is as it will be when it comes back from the database. Most are, and need no trip there."""
    kind = type(value)
    if kind is dict:
        return _TEXT.issuperset(map(type, value)) and _are_plain(value.values())
    return _are_plain(value) if kind is list else kind in _PLAIN


def _are_plain(values: Collection[Any]) -> bool:
    return _PLAIN.issuperset(map(type, values)) or all(map(_is_plain, values))


def _as_it_comes_back(value: Any) -> Any:
    """A container with keys that are text, and no tuples. Raises TypeError for what JSON cannot hold."""
    return json.loads(json.dumps(value))


def _same_json(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(map(_same_json, one.values(), map(other.__getitem__, one)))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    # In JSON, true is not 1, though Python says that they are equal; NaN is NaN, though Python says that it is not.
    both_bool_or_none = isinstance(one, bool) is isinstance(other, bool)
    return both_bool_or_none and bool(one == other or (one != one and other != other))


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
