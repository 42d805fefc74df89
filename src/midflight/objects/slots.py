"""Where the fields of an object lie, and what stands before those whose reading has to be noticed.

Most fields are read natively. Before a list, dict or set stands a property: whoever reads one may change it in place,
so the first read keeps a snapshot to compare with later. What nobody has read cannot have changed, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MemberDescriptorType
from typing import Any

import msgspec

from midflight.objects.leaves import Kind
from midflight.objects.wrappers import Late, Optional

assign: Any = msgspec.Struct.__setattr__
"""Set a field, or what is kept beside the fields, as it is: no coercion, no note of a change."""


RAW = "_at_"
"""Before the name of a field: the name by which its class shows the slot itself, past the property before it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one field in memory. ``get`` and ``put`` go past everything; ``get`` raises AttributeError where the
    field is unset."""

    name: str
    kind: Kind
    get: Callable[[Any], Any]
    put: Callable[[Any, Any], None]
    is_container: bool
    """Whether its value can change in place."""
    is_object: bool
    """Whether its value is a versioned object, or None; that keeps its own account of its changes."""


def slot_of(name: str, kind: Kind, member: MemberDescriptorType) -> Slot:
    """The slot that a member of a class stands for."""
    is_object = (kind.base if isinstance(kind, Optional) else kind).is_object
    return Slot(name, kind, member.__get__, member.__set__, kind.mutable and not is_object, is_object)


def front(slot: Slot, member: MemberDescriptorType) -> Any:
    """What a class shows as this field: the slot itself, or a property before it."""
    if slot.is_container:
        return property(_with_snapshot(slot), member.__set__, member.__delete__)
    late = slot.kind.base if isinstance(slot.kind, Optional) else slot.kind
    if isinstance(late, Late):
        return property(_made_at_last(slot, late), member.__set__, member.__delete__)
    return member


def _with_snapshot(slot: Slot) -> Callable[[Any], Any]:
    name, get, snapshot = slot.name, slot.get, slot.kind.snapshot

    def read(obj: Any) -> Any:
        value = get(obj)
        if (snapshots := obj._snapshots) is None:
            assign(obj, "_snapshots", {name: snapshot(value)})
        elif name not in snapshots:
            snapshots[name] = snapshot(value)
        return value

    return read


def _made_at_last(slot: Slot, late: Late) -> Callable[[Any], Any]:
    get, put, made = slot.get, slot.put, late.made

    def read(obj: Any) -> Any:
        value = get(obj)
        if type(value) is str:
            value = made(value)
            put(obj, value)
        return value

    return read
