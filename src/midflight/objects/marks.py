"""Marks: how the account of an object says what has changed in it. They travel with the object.

``host``                  it was assigned, or what it holds was changed in place: all of it is to be kept
``disks.*``               it was not assigned, but an object inside has changed; which has an account of its own
``metadata["tier"]``      of a dict with text for keys, only what lies at this path was set or removed
``*``                     the object is new: nothing is kept of it yet
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from typing import Any

INSIDE = ".*"
NEW = "*"

Path = tuple[str, ...]


def field_of(mark: str) -> str:
    """The name of the field that a mark speaks of; of NEW, none."""
    return mark.partition("[")[0].partition(".")[0] if mark != NEW else ""


def at(name: str, path: Path) -> str:
    """The mark of one path in a field; without a path, of all of it."""
    return name + json.dumps(path, separators=(",", ":")) if path else name


def path_of(mark: str) -> Path:
    """The path in its field that a mark speaks of; none for all of it, or where a peer sent what no mark looks like."""
    try:
        return tuple(map(str, json.loads(mark[mark.index("[") :])))
    except ValueError:
        return ()


def of_fields(marks: Iterable[str], names: Container[str]) -> set[str]:
    """The marks of these fields, and that of a new object."""
    return {mark for mark in marks if mark == NEW or field_of(mark) in names}


def differing(value: Any, before: Any) -> Iterator[Path]:
    """The paths at which two values differ: into dicts with text for keys, as deep as both have them."""
    if not (_has_paths(value) and _has_paths(before)):
        yield ()
        return
    for key in {**before, **value}:
        if key not in value or key not in before:
            yield (key,)
        elif not alike(value[key], before[key]):
            yield from ((key, *rest) for rest in differing(value[key], before[key]))


def alike(one: Any, other: Any) -> bool:
    """Whether two values say the same at any depth. In JSON true, 1 and 1.0 are three, though Python says that they are
    equal."""
    if one is other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(map(alike, one.values(), map(other.__getitem__, one)))
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def _has_paths(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)
