"""What has changed in an object since it was loaded, to the last element of what it holds.

Assignments are noted by name. What can change in place (lists, dicts, sets) is compared with a snapshot that is taken
when an object becomes clean; nested objects keep their own account. Reading costs nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from midflight.errors import PinnedOut
from midflight.objects.kinds import Kind
from midflight.objects.rewrites import TAG
from midflight.objects.riding import changed_unseen, forget_changes

assign: Any = msgspec.Struct.__setattr__
"""Set a field as it is: no coercion, no note of a change."""


def settle(value: Any, kind: Kind, context: Any) -> None:
    """Give every object inside ``value`` its context, and snapshots of what can change in place."""
    for obj in kind.inside(value):
        settle_object(obj, context)


def settle_object(obj: Any, context: Any) -> None:
    """The same for one object and all below it."""
    shape = obj.__shape__
    state = obj.__dict__
    if context is not None:
        state["_context"] = context
    if shape.containers:
        state["_snapshots"] = {n: kind.snapshot(getattr(obj, n)) for n, kind in shape.containers if obj.is_set(n)}
    for name, kind in shape.holders:
        if obj.is_set(name):
            settle(getattr(obj, name), kind, context)


def note(obj: Any, name: str) -> None:
    """Remember an assignment."""
    if obj._changed is msgspec.UNSET:
        assign(obj, "_changed", {name})
    else:
        obj._changed.add(name)


def changed_names(obj: Any) -> set[str]:
    """The fields whose content differs from what was loaded, assigned or changed in place."""
    changed: set[str] = set() if obj._changed is msgspec.UNSET else set(obj._changed)
    snapshots = obj.__dict__.get("_snapshots", {})
    for name, kind in obj.__shape__.containers:
        if name not in changed and name in snapshots and kind.differs(getattr(obj, name), snapshots[name]):
            changed.add(name)
    for name, kind in obj.__shape__.holders:
        if name not in changed and obj.is_set(name) and any(map(changed_names, kind.inside(getattr(obj, name)))):
            changed.add(name)
    return changed


def refuse_loss(obj: Any, changed: set[str]) -> None:
    """Raise PinnedOut where a field that rides along was changed, here or in a changed nested object."""
    if names := changed_unseen(obj):
        shape = obj.__shape__
        needs = f"{shape.name} {obj._riding.get(TAG)}, or a forwardport that takes it in"
        raise PinnedOut(
            what=f"{shape.name}.{names}, which a peer changed,", needs=needs, pinned=f"{shape.name} {shape.version}"
        )
    for name, kind in obj.__shape__.holders:
        for inner in kind.inside(getattr(obj, name)) if name in changed else ():
            refuse_loss(inner, changed_names(inner))


def fold(obj: Any) -> set[str]:
    """Note what changed in place, in the object and all below it, so that it travels with it. Returns the names."""
    for name, kind in obj.__shape__.holders:
        if obj.is_set(name):
            for inner in kind.inside(getattr(obj, name)):
                fold(inner)
    changed = changed_names(obj)
    assign(obj, "_changed", changed or msgspec.UNSET)
    return changed


def take(obj: Any, name: str, value: Any) -> None:
    """Set a loaded value: coerced, clean, and under the object's context."""
    spec = obj.__shape__.fields[name]
    kind, value = spec.kind, spec.coerce(value, spec.where)
    assign(obj, name, value)
    if obj._changed is not msgspec.UNSET:
        obj._changed.discard(name)
    settle(value, kind, obj.__dict__.get("_context"))
    for inner in kind.inside(value):
        forget(inner)
    if kind.mutable:
        obj.__dict__.setdefault("_snapshots", {})[name] = kind.snapshot(value)


def forget(obj: Any, *, deep: bool = True) -> None:
    """Make the object clean, and all below it where ``deep``."""
    assign(obj, "_changed", msgspec.UNSET)
    forget_changes(obj)
    for name, kind in obj.__shape__.holders if deep else ():
        if obj.is_set(name):
            for inner in kind.inside(getattr(obj, name)):
                forget(inner)
    if obj.__shape__.containers:
        obj.__dict__["_snapshots"] = {
            name: kind.snapshot(getattr(obj, name)) for name, kind in obj.__shape__.containers if obj.is_set(name)
        }
