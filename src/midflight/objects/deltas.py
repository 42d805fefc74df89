"""Deltas: what has changed in one object is brought onto what is kept, and what is kept besides stays.

So a form that lost something on its way (an older peer's, of a nested object) never comes home, and two writers of one
dict do not undo each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from midflight.errors import Conflict
from midflight.objects import tracking
from midflight.objects.containers import DictOf, ListOf, TupleOf
from midflight.objects.fields import Field
from midflight.objects.leaves import Kind
from midflight.objects.marks import INSIDE, NEW, field_of, path_of
from midflight.objects.wrappers import Constrained, Optional


def bring_onto(kept: Any, obj: Any) -> Any:
    """``kept``, an object of the same class, with the changes of ``obj``. Raises Conflict where they do not fit."""
    shape, marks = obj.__shape__, tracking.marks(obj) - {NEW}
    for name in {field_of(mark) for mark in marks} & shape.fields.keys():
        slot = shape.slots[name]
        if kept.is_set(name) and obj.is_set(name):
            slot.put(kept, changed_part(shape.fields[name], slot.get(kept), slot.get(obj), marks))
        elif obj.is_set(name):
            slot.put(kept, slot.get(obj))
    return kept


def changed_part(field: Field, kept: Any, value: Any, marks: Iterable[str]) -> Any:
    """What is kept of one field, with that part of ``value`` of which the marks speak. Raises Conflict."""
    mine = [mark for mark in marks if field_of(mark) == field.name]
    if field.name in mine:
        return value
    for mark in mine:
        kept = _inside(field.kind, kept, value, field.where) if mark.endswith(INSIDE) else _at_path(kept, value, mark)
    return kept


def _at_path(kept: Any, value: Any, mark: str) -> Any:
    """Set or remove what lies at the path; dicts that are not there are made on the way."""
    if not (path := path_of(mark)) or not isinstance(kept, dict):
        return value
    *way, key = path
    into, source = kept, value
    for step in way:
        source = source.get(step, {})
        into[step] = into.get(step) if isinstance(into.get(step), dict) else {}
        into = into[step]
    if key in source:
        into[key] = source[key]
    else:
        into.pop(key, None)
    return kept


def _inside(kind: Kind, kept: Any, value: Any, where: str) -> Any:
    """The objects in ``kept``, with the changes of those in ``value`` that stand in the same places."""
    while isinstance(kind, Optional | Constrained):
        kind = kind.base
    if value is None or kept is None or not any(map(tracking.is_dirty, kind.inside(value))):
        return kept
    if kind.is_object:
        same = type(kept).__shape__ is type(value).__shape__
        return bring_onto(kept, value) if same else value
    if isinstance(kind, DictOf):
        gone = value.keys() - kept.keys()
        _refuse(bool(gone), where, f"keys {sorted(map(str, kept))}", f"keys {sorted(map(str, value))}")
        return {key: _inside(kind.value, kept[key], value[key], where) if key in value else kept[key] for key in kept}
    _refuse(len(kept) != len(value), where, f"{len(kept)} elements", f"{len(value)} elements")
    kinds = kind.items if isinstance(kind, TupleOf) else (kind.item,) * len(kept) if isinstance(kind, ListOf) else ()
    parts = [_inside(item, a, b, where) for item, a, b in zip(kinds, kept, value, strict=True)]
    return type(kept)(parts)


def _refuse(differs: bool, where: str, actual: str, expected: str) -> None:
    if differs:
        name, _, field = where.partition(".")
        raise Conflict(object=name, field=field, actual=actual, expected=expected)
