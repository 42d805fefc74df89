"""Marks: how the account of an object says what has changed in it. They travel with the object.

``host``                  it was assigned, or what it holds was changed in place: all of it is to be kept
``disks.*``               it was not assigned, but an object inside has changed; which has an account of its own
``metadata["tier"]``      of a dict with text for keys, only what lies at this path was set or removed
``disks[2,[1,null]]``     of a list of 2 objects, there is the one at place 1, and a new one; for older peers beside
                          ``disks``
``*``                     the object is new: nothing is kept of it yet
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from typing import Any

INSIDE = ".*"
NEW = "*"

Path = tuple[str, ...]
Places = list[int | None]
"""Of each object in a list, where it stood before; None for a new one."""


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
    except (ValueError, TypeError, RecursionError):
        return ()


def reordered(name: str, value: Any, before: Any, earlier: Iterable[str]) -> str:
    """The mark of a list of objects, of which those that are still there are told by where they stood; of the whole
    field, where none is. ``earlier`` are the marks by which ``before`` is told from what is kept."""
    was = order_in(earlier, name)
    if not isinstance(value, list) or not isinstance(before, list) or (was and len(was[1]) != len(before)):
        return name
    at = {id(obj): place for place, obj in enumerate(before)}
    places: Places = [at.get(id(obj)) for obj in value]
    length = len(before)
    if was:
        length, places = was[0], [None if place is None else was[1][place] for place in places]
    there = [place for place in places if place is not None]
    return name + json.dumps([length, places], separators=(",", ":")) if len(there) == len({*there}) > 0 else name


def order_of(mark: str) -> tuple[int, Places] | None:
    """How many objects a list had, and where each stood that is in it now; None for any other mark."""
    try:
        length, places = json.loads(mark[mark.index("[") :])
    except (ValueError, TypeError, RecursionError):
        return None
    if type(length) is not int or not isinstance(places, list):
        return None
    fits = all(place is None or (type(place) is int and 0 <= place < length) for place in places)
    return (length, places) if fits else None


def order_in(marks: Iterable[str], name: str) -> tuple[int, Places] | None:
    """The same of a list, where one of the marks says it; it says more than that the list was assigned."""
    return next((order for mark in marks if field_of(mark) == name and (order := order_of(mark))), None)


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
    if type(one) is not type(other) or hasattr(type(one), "__shape__"):  # an object in another's place is another one
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def _has_paths(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)
