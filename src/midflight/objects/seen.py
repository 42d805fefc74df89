"""What is kept, as the sender of an object knows it: an older peer was told less of it, and sends that back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from midflight.errors import CannotBackport
from midflight.objects.lowering import REPLY, Lowering, at_rest
from midflight.objects.nested import kind_of_class
from midflight.versions import Manifest, Version


def differing_fields(kept: Any, obj: Any) -> list[str]:
    """The fields in which ``obj`` holds neither what is kept, in an object of its class or of one that extends it, nor
    what its sender was told of that. A field that one of them does not have set says nothing."""
    names = [name for name in obj.__shape__.fields if not _same_in(name, kept, obj)]
    told = _told(kept, obj) if names else None
    return names if told is None else [name for name in names if not _same_in(name, told, obj)]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, or at least say the same: a type of the project's own may compare by identity."""
    return bool(one == other) or at_rest(one) == at_rest(other)


def _same_in(name: str, one: Any, other: Any) -> bool:
    return not (one.is_set(name) and other.is_set(name)) or same(getattr(one, name), getattr(other, name))


def _told(kept: Any, obj: Any) -> Any:
    """What is kept after a way to the sender of ``obj`` and back, by the versions in which that came. None where it
    cannot have been told."""
    try:
        form = Lowering(_spoken(kept, obj), REPLY, "").lower(kept)
    except CannotBackport:
        return None
    shape = obj.__shape__
    return kind_of_class(shape.cls).build(form, shape.name, None)


def _spoken(kept: Any, obj: Any) -> Manifest:
    """What the sender speaks: the versions of what it has sent. Of other classes, our own, unless it knows these as a
    base class of theirs."""
    sent = [*_with_all_inside(obj)]
    classes = tuple({each.__shape__.cls for each in sent})
    others = [each.__shape__ for each in _with_all_inside(kept) if not isinstance(each, classes)]
    versions: dict[str, Version] = {shape.name: shape.version for shape in others}
    for each in sent:
        shape = each.__shape__
        versions[shape.name] = min(versions.get(shape.name, shape.version), each._sent_as or shape.version)
    return Manifest(versions)


def _with_all_inside(obj: Any) -> Iterator[Any]:
    yield obj
    for slot in obj.__shape__.holders:
        if obj.is_set(slot.name):
            for inner in slot.kind.inside(slot.get(obj)):
                yield from _with_all_inside(inner)
