"""What a column says, apart from how it is written: two spellings of one JSON value are the same content."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String
from sqlalchemy.types import TypeEngine

_CONTAINERS = (dict, list, tuple)
_PLAIN = {str, int, float, bool, type(None)}


def same(stored: Any, derived: Any) -> bool:
    """Whether a column that holds ``stored`` says what ``derived`` says.

    Containers are compared by what is in them; text that holds a JSON container counts as that container. Naive times
    are UTC. Raises TypeError for a derived container that JSON cannot hold.
    """
    stored, derived = _opened(stored), _opened(derived)
    if isinstance(derived, _CONTAINERS) and not _is_plain(derived):
        derived = _as_it_comes_back(derived)
    if isinstance(stored, datetime) and isinstance(derived, datetime):
        return _aware(stored) == _aware(derived)
    if isinstance(stored, _CONTAINERS) and isinstance(derived, _CONTAINERS):
        return _same_json(stored, derived)
    return bool(stored == derived)


def storable(value: Any, type_: TypeEngine[Any], dialect: Dialect) -> Any:
    """A derived value as a column of ``writable`` type takes it: containers become JSON, times UTC."""
    if isinstance(type_, JSON):
        return _opened(value)
    if isinstance(type_, String) and isinstance(value, _CONTAINERS):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(type_, DateTime) and isinstance(value, datetime):
        in_utc = _aware(value)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc
    return value


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


def _is_plain(value: Any) -> bool:
    """Whether a value is as it will be when it comes back from the database. Most are, and need no trip there."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and (type(item) in _PLAIN or _is_plain(item)) for key, item in value.items())
    if kind is list:
        return all(type(item) in _PLAIN or _is_plain(item) for item in value)
    return kind in _PLAIN


def _as_it_comes_back(value: Any) -> Any:
    """A container with keys that are text, and no tuples. Raises TypeError for what JSON cannot hold."""
    return json.loads(json.dumps(value))


def _same_json(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    # In JSON, true is not 1, though Python says that they are equal; NaN is NaN, though Python says that it is not.
    both_bool_or_none = isinstance(one, bool) is isinstance(other, bool)
    return both_bool_or_none and bool(one == other or (one != one and other != other))


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
