"""What has changed in an object since it was loaded, to the last element of what it holds.

Assignments are noted. What can change in place (lists, dicts, sets) is compared with the snapshot that its first
reading has left; nested objects keep their own account. How changes are noted, and travel: see ``marks``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from midflight.context import Context
from midflight.errors import PinnedOut, ReadOnlyField
from midflight.objects.kinds import Kind
from midflight.objects.marks import INSIDE, at, differing, field_of, order_in, order_of, reordered
from midflight.objects.rewrites import TAG
from midflight.objects.riding import changed_unseen, forget_changes
from midflight.objects.slots import Slot, assign

_shallow: Any = msgspec.Struct.__copy__  # type: ignore[attr-defined]  # it has one


def adopt(value: Any, kind: Kind, context: Any) -> None:
    """Give every object inside ``value`` its context."""
    if context is not None and kind.objects:
        for obj in kind.inside(value):
            adopt_object(obj, context)


def adopt_object(obj: Any, context: Any) -> None:
    """The same for one object and all below it. Raises TypeError for what is no Context."""
    if context is not None:
        if not isinstance(context, Context):
            raise TypeError(f"{obj.__shape__.name}(context=…) takes a Context; received {context!r}")
        _adopted(obj, context)


def _adopted(obj: Any, context: Context) -> None:
    assign(obj, "_context", context)
    for slot in obj.__shape__.holders:
        for inner in _inside(obj, slot):
            if inner.__shape__.holders:
                _adopted(inner, context)
            else:  # without a call for each of them
                assign(inner, "_context", context)


def note(obj: Any, mark: str) -> None:
    """Remember a change."""
    changed: set[str] = set() if obj._changed is UNSET else obj._changed
    _add(changed, mark)
    assign(obj, "_changed", changed)


def note_list(obj: Any, name: str) -> None:
    """Remember that a list of objects was assigned. Those in it that stood in the one before, which was read, are told
    apart from new ones."""
    before = None if obj._snapshots is None else obj._snapshots.get(name)
    known = obj._changed or ()
    if before is None or _is_whole(name, known):
        note(obj, name)
        return
    slot = obj.__shape__.slots[name]
    note(obj, reordered(name, slot.get(obj), before, known))
    watch(obj, [slot])


def _add(changed: set[str], mark: str) -> None:
    """One more mark; of how a list is made up, the last one holds."""
    name = field_of(mark)
    if mark == name or order_of(mark):
        changed.difference_update([old for old in changed if field_of(old) == name])
        changed.add(name)
    changed.add(mark)


def _is_whole(name: str, known: Collection[str]) -> bool:
    """Whether all of a field is to be kept, as it is."""
    return name in known and not order_in(known, name)


def changed_names(obj: Any) -> set[str]:
    """The fields whose content differs from what was loaded: assigned, changed in place, or changed inside."""
    return {field_of(mark) for mark in marks(obj)} - {""}


def marks(obj: Any) -> set[str]:
    """The same by their marks. Raises InvalidValue where something was put into a container that does not belong there,
    and ReadOnlyField where the container is read-only."""
    found: set[str] = set() if obj._changed is UNSET else set(obj._changed)
    if obj._snapshots is not None:
        for mark in _changed_in_place(obj, found):
            _add(found, mark)
    for slot in obj.__shape__.holders:
        if slot.name not in found and any(map(is_dirty, _within_reach(obj, slot, found))):
            found.add(slot.name + INSIDE)
    return found


def is_dirty(obj: Any) -> bool:
    """Whether anything has changed in it. Raises as ``marks``."""
    if obj._changed is not UNSET or (obj._snapshots is not None and _is_dirty_in_containers(obj)):
        return True
    for get, _ in obj.__shape__.nested:
        try:
            inner = get(obj)
        except AttributeError:  # it is unset
            continue
        # Most of what is nested has nothing that could change in place: its account says all, without a call.
        if inner is not None and (inner._changed is not UNSET or (inner.__shape__.deep and is_dirty(inner))):
            return True
    return False


def _is_dirty_in_containers(obj: Any) -> bool:
    """Whether those that were read differ from their snapshots, or hold an object that has changed."""
    if _changed_in_place(obj, ()):
        return True
    for slot in obj.__shape__.collections:
        for inner in _inside(obj, slot) if slot.name in obj._snapshots else ():
            if inner._changed is not UNSET or (inner.__shape__.deep and is_dirty(inner)):
                return True
    return False


def fold(obj: Any) -> bool:
    """Note what changed in place, in the object and all below it, so that it travels with it. Whether anything did."""
    if obj._changed is not UNSET or obj._snapshots is not None:
        _fold_containers(obj)
    for get, name in obj.__shape__.nested:
        try:
            inner = get(obj)
        except AttributeError:  # it is unset
            continue
        if inner is not None and (fold(inner) if inner.__shape__.deep else inner._changed is not UNSET):
            _note_inside(obj, name)
    return obj._changed is not UNSET


def _fold_containers(obj: Any) -> None:
    """The same in those that were read or assigned; nobody can have changed the others."""
    if obj._snapshots is not None:
        for mark in _changed_in_place(obj, obj._changed or ()):
            note(obj, mark)
            if order_of(mark):  # what changes from now on is told from here
                watch(obj, [obj.__shape__.slots[field_of(mark)]])
    for slot in obj.__shape__.collections:
        reached = _within_reach(obj, slot, obj._changed or ())
        dirty = [fold(inner) if inner.__shape__.deep else inner._changed is not UNSET for inner in reached]
        if any(dirty):
            _note_inside(obj, slot.name)


def _note_inside(obj: Any, name: str) -> None:
    """An object in this field has changed; that is said already where the field was assigned."""
    if name not in (obj._changed or ()):
        note(obj, name + INSIDE)


def refuse_loss(obj: Any, changed: set[str]) -> None:
    """Raise PinnedOut where a field that rides along was changed, here or in a changed nested object."""
    if names := changed_unseen(obj):
        shape = obj.__shape__
        needs = f"{shape.name} {obj._riding.get(TAG)}, or a forwardport that takes it in"
        raise PinnedOut(
            what=f"{shape.name}.{names}, which a peer changed,", needs=needs, pinned=f"{shape.name} {shape.version}"
        )
    for slot in obj.__shape__.holders:
        for inner in _inside(obj, slot) if slot.name in changed else ():
            refuse_loss(inner, changed_names(inner))


def take(obj: Any, name: str, value: Any) -> None:
    """Set a loaded value: coerced, clean, and under the object's context."""
    spec, slot = obj.__shape__.fields[name], obj.__shape__.slots[name]
    slot.put(obj, spec.coerce(value, spec.where))
    if obj._changed is not UNSET:
        obj._changed.difference_update([mark for mark in obj._changed if field_of(mark) == name])
    for inner in _inside(obj, slot):
        adopt_object(inner, obj._context)
        forget(inner)
    watch(obj, [slot])


def forget(obj: Any, *, deep: bool = True) -> None:
    """Make the object clean, and all below it where ``deep``."""
    shape, assigned, read = obj.__shape__, obj._changed or (), obj._snapshots or ()
    for slot in shape.holders if deep else ():
        for inner in _inside(obj, slot):
            forget(inner)
    assign(obj, "_changed", UNSET)
    forget_changes(obj)
    touched = {*map(field_of, assigned), *read} if assigned or read else ()
    watch(obj, [slot for slot in shape.containers if slot.name in touched])


def watch(obj: Any, slots: Iterable[Slot]) -> None:
    """Take new snapshots of containers to which somebody else may hold a reference, or to the objects in them."""
    for slot in slots:
        if slot.is_container:
            snapshots = {} if obj._snapshots is None else obj._snapshots
            snapshots[slot.name] = slot.kind.snapshot(slot.get(obj))
            assign(obj, "_snapshots", snapshots)


def copier(shape: Any) -> tuple[Callable[[Any], Any], Callable[[Iterable[Any]], list[Any]]]:
    """How one object of a class is copied, and how many are: to such that share nothing with the originals, with their
    context and changes. What changed in place must be folded before."""
    cls = shape.cls
    deep = [(slot.get, slot.put, slot.kind) for slot in shape.deep]

    def copied(obj: Any) -> Any:
        if type(obj) is not cls:
            return _partial_copy(obj) if obj.__shape__ is shape else obj.__shape__.copied(obj)
        twin = _shallow(obj)
        for get, put, kind in deep:
            put(twin, kind.copied(get(twin)))
        if obj._changed is UNSET and obj._riding is UNSET and obj._context is None and obj._sent_as is None:
            return twin
        return _settled(twin, obj)

    def copied_each(objs: Iterable[Any]) -> list[Any]:  # without a call for each of them
        return [
            _shallow(obj)
            if type(obj) is cls
            and obj._changed is UNSET
            and obj._riding is UNSET
            and obj._context is None
            and obj._sent_as is None
            else copied(obj)
            for obj in objs
        ]

    return copied, (lambda objs: [*map(copied, objs)]) if deep else copied_each


def _settled(twin: Any, obj: Any) -> Any:
    """What an object keeps beside its fields is its own."""
    if obj._changed is not UNSET:
        assign(twin, "_changed", set(obj._changed))
    if obj._riding is not UNSET:
        assign(twin, "_riding", dict(obj._riding))
    if obj._context is not None:
        assign(twin, "_context", obj._context)
    if obj._sent_as is not None:
        assign(twin, "_sent_as", obj._sent_as)
    return twin


def _partial_copy(obj: Any) -> Any:
    """With some fields unset."""
    shape = obj.__shape__
    slots = [slot for slot in shape.slots.values() if obj.is_set(slot.name)]
    values = {slot.name: slot.kind.copied(slot.get(obj)) for slot in slots}
    return _settled(msgspec.StructMeta.__call__(shape.partial, **values), obj)


def _changed_in_place(obj: Any, known: Collection[str]) -> list[str]:
    """The marks of containers that differ from their snapshots, beside those that are known to have changed as a whole.
    Their content is checked, for nobody did when it was put there. Raises InvalidValue and ReadOnlyField."""
    found: list[str] = []
    for name, before in obj._snapshots.items():
        slot = obj.__shape__.slots[name]
        if slot.kind.differs(slot.get(obj), before):
            _check(obj, slot)
            if _is_whole(name, known):
                continue
            if slot.kind.is_list_of_objects:
                found.append(reordered(name, slot.get(obj), before, known))
            else:
                found += [at(name, path) for path in differing(slot.get(obj), before)]
    return found


def _check(obj: Any, slot: Slot) -> None:
    """Coerce what was put into a container, which stays the same one. Raises InvalidValue, and ReadOnlyField."""
    field, value = obj.__shape__.fields[slot.name], slot.get(obj)
    if field.read_only and slot.name not in (obj._changed or ()):
        raise ReadOnlyField(object=obj.__shape__.name, field=slot.name)
    if obj._riding is not UNSET and slot.name in obj._riding:
        needs = f"{obj.__shape__.name} {obj._riding.get(TAG)}, whose members it holds"
        raise PinnedOut(what=f"a change in {field.where}", needs=needs, pinned="this release, which reads a fallback")
    fresh = field.coerce(value, field.where)
    if fresh == value:
        return
    if isinstance(value, list):
        value[:] = fresh
    elif isinstance(value, dict | set):
        value.clear()
        value.update(fresh)
    else:
        slot.put(obj, fresh)


def _inside(obj: Any, slot: Slot) -> Iterable[Any]:
    """The versioned objects in a field; none where it is unset."""
    try:
        value = slot.get(obj)
    except AttributeError:
        return ()
    if slot.is_object:
        return () if value is None else (value,)
    return slot.kind.inside(value)


def _within_reach(obj: Any, slot: Slot, changed: Iterable[str]) -> Iterable[Any]:
    """Those that may have changed: a container that was neither read nor assigned has kept them to itself."""
    untouched = slot.is_container and (obj._snapshots is None or slot.name not in obj._snapshots)
    if untouched and not (changed and slot.name in map(field_of, changed)):
        return ()
    return _inside(obj, slot)
