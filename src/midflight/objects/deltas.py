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
from midflight.objects.marks import INSIDE, NEW, Path, Places, field_of, order_in, path_of
from midflight.objects.rewrites import is_lossy
from midflight.objects.seen import differing_fields, same
from midflight.objects.wrappers import Constrained, Optional


def bring_onto(kept: Any, obj: Any) -> Any:
    """``kept``, an object of the same class or of one that extends it, with the changes of ``obj``. Raises Conflict
    where they do not fit."""
    shape, marks = obj.__shape__, tracking.marks(obj) - {NEW}
    names = {field_of(mark) for mark in marks} & shape.fields.keys()
    _refuse_another(kept, obj, names)
    for name in names:
        mine, theirs = shape.slots[name], kept.__shape__.slots[name]
        if kept.is_set(name) and obj.is_set(name):
            theirs.put(kept, changed_part(shape.fields[name], theirs.get(kept), mine.get(obj), marks))
        elif obj.is_set(name):
            theirs.put(kept, mine.get(obj))
    return kept


def _refuse_another(kept: Any, obj: Any, changed: set[str]) -> None:
    """Raises Conflict where something else stands in its place by now: what is assigned once, and always, tells. An
    object there is the same one with other content, and a lossy backport may have rewritten any."""
    shape = obj.__shape__
    if any(is_lossy(rewrite) for _, rewrite in shape.backports):
        return
    for name, field in shape.fields.items():
        tells = field.read_only and not field.has_default and not field.kind.objects and name not in changed
        if tells and kept.is_set(name) and obj.is_set(name):
            actual, expected = getattr(kept, name), getattr(obj, name)
            _refuse(not same(actual, expected), field.where, field.shown(actual), field.shown(expected))


def changed_part(field: Field, kept: Any, value: Any, marks: Iterable[str]) -> Any:
    """What is kept of one field, with that part of ``value`` of which the marks speak. Raises Conflict.

    What was set or removed above a path covers it. Objects that were put in come before changes inside of those that
    were there.
    """
    mine = {mark for mark in marks if field_of(mark) == field.name}
    if order := order_in(mine, field.name):
        return _in_order(kept, value, order, field.where)
    if field.name in mine:
        return value
    inside = {mark for mark in mine if mark.endswith(INSIDE)}
    paths = {path_of(mark) for mark in mine - inside}
    for path in paths:
        if not any(path[:length] in paths for length in range(len(path))):
            kept = _at_path(kept, value, path)
    return _inside(field.kind, kept, value, field.where) if inside else kept


def _in_order(kept: Any, value: Any, order: tuple[int, Places], where: str) -> Any:
    """The list in which the objects that were there stand in their new places, each with what has changed in it, beside
    the new ones: an older peer's form of those that were there does not come home.

    A list that is made up like that already is left as it is: it may have been saved before, by who did not hear of it.
    Raises Conflict where an object that is to stay is not the one that its sender had.
    """
    length, places = order
    if not isinstance(value, list) or len(value) != len(places):
        return value
    there = kept if isinstance(kept, list) else []
    if len(there) == len(value) and not any(map(_differs, there, value)):
        return there
    _refuse(len(there) != length, where, f"{len(there)} elements", f"{length} elements")
    for place, obj in zip(places, value, strict=True):
        if place is not None:
            _refuse_changed(there[place], obj, f"{where}[{place}]")
    return [obj if place is None else bring_onto(there[place], obj) for place, obj in zip(places, value, strict=True)]


def _differs(kept: Any, obj: Any) -> bool:
    return not isinstance(kept, obj.__shape__.cls) or bool(differing_fields(kept, obj))


def _refuse_changed(kept: Any, obj: Any, where: str) -> None:
    """Raises Conflict unless all that the sender has left as it was is so here."""
    shape = obj.__shape__
    _refuse(not isinstance(kept, shape.cls), where, f"of {kept.__shape__.name}", f"of {shape.name}")
    changed = set(map(field_of, tracking.marks(obj)))
    for name in differing_fields(kept, obj):
        shown = shape.fields[name].shown
        _refuse(name not in changed, f"{where}.{name}", shown(getattr(kept, name)), shown(getattr(obj, name)))


def _kept_one(kept: Any, obj: Any) -> Any:
    """Who knows an object only as its base class has changed what is there of that. One that was put there just now has
    its changes."""
    return bring_onto(kept, obj) if kept is not obj and isinstance(kept, obj.__shape__.cls) else obj


def _at_path(kept: Any, value: Any, path: Path) -> Any:
    """Set what lies at the path, where dicts that are not there are made on the way, or remove it."""
    if not path or not isinstance(kept, dict):
        return value
    *way, key = path
    source = _dict_at(value, way)
    if key not in source:
        _dict_at(kept, way).pop(key, None)
        return kept
    into = kept
    for step in way:
        into[step] = _dict_at(into, (step,))
        into = into[step]
    into[key] = source[key]
    return kept


def _dict_at(value: Any, path: Iterable[str]) -> dict[Any, Any]:
    """The dict at a path; an empty one where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _inside(kind: Kind, kept: Any, value: Any, where: str) -> Any:
    """The objects in ``kept``, with the changes of those in ``value`` that stand in the same places."""
    while isinstance(kind, Optional | Constrained):
        kind = kind.base
    if value is None or kept is None or not any(map(tracking.is_dirty, kind.inside(value))):
        return kept
    if kind.is_object:
        return _kept_one(kept, value)
    if isinstance(kind, DictOf):
        gone = [key for key in value.keys() - kept.keys() if any(map(tracking.is_dirty, kind.value.inside(value[key])))]
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
