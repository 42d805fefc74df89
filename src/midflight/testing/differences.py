"""What differs between two forms, or two objects, that should say the same: each with the path to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from midflight.objects import wire
from midflight.objects.base import VersionedObject
from midflight.objects.bodies import keys_touched
from midflight.objects.rewrites import CHANGED, TAG, is_lossy
from midflight.objects.riding import RIDING
from midflight.objects.shape import Shape
from midflight.versions import Manifest, Version

Class = type[VersionedObject]

NOT_THERE: Any = type("NotThere", (), {"__repr__": lambda self: "nothing"})()
_MARKS = {TAG, CHANGED, RIDING}

Excuse = Callable[[str, str], bool]
"""Whether a field of an object may differ, by the names of both."""


@dataclass(frozen=True)
class Difference:
    """``path`` is that of a value, ``object`` and ``field`` the innermost that hold it."""

    path: str
    object: str
    field: str
    sent: Any
    found: Any


def plain(data: bytes) -> Any:
    """What bytes say, without any type."""
    return msgspec.msgpack.decode(data, strict=False)


def name_of(form: Mapping[str, Any]) -> str:
    """The name of the object that a wire form is of."""
    return str(form[TAG]).partition(":")[0]


def _is_object(form: Mapping[str, Any]) -> bool:
    """A table of the project's own may have any key, and so this one."""
    return isinstance(form.get(TAG), str)


def version_of(form: Mapping[str, Any]) -> Version:
    """Its version."""
    return Version.parse(form[TAG].partition(":")[2].rstrip("~"))


def in_forms(sent: Any, found: Any, at: Difference, excuse: Excuse) -> Iterator[Difference]:
    """Where two wire forms differ, type for type. ``found`` is what a reader made of ``sent``, said again."""
    if isinstance(sent, dict) and isinstance(found, dict):
        yield from _in_tables(sent, found, at, excuse)
    elif isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        if not _same_members(sent, found):
            for place, pair in enumerate(zip(sent, found, strict=True)):
                yield from in_forms(*pair, _below(at, f"[{place}]"), excuse)
    elif not _same(sent, found):
        yield Difference(at.path, at.object, at.field, sent, found)


def _in_tables(sent: Any, found: Any, at: Difference, excuse: Excuse) -> Iterator[Difference]:
    is_object = _is_object(found)
    for key in dict.fromkeys([*sent, *found]):
        if is_object and (key in _MARKS or excuse(name_of(found), str(key))):
            continue
        inside = _field(at, name_of(found), key) if is_object else _below(at, f"[{key!r}]")
        yield from in_forms(sent.get(key, NOT_THERE), found.get(key, NOT_THERE), inside, excuse)


def gaps(form: Any, classes: Mapping[str, Class], at: Difference) -> Iterator[Difference]:
    """Fields that a reader with these classes needs, and does not find; those that are loaded later are not needed."""
    if isinstance(form, dict):
        is_object = _is_object(form) and name_of(form) in classes
        fields = classes[name_of(form)].__shape__.fields if is_object else {}
        for name, field in fields.items():
            if name not in form and not field.lazy:
                yield Difference(f"{at.path}.{name}", name_of(form), name, NOT_THERE, NOT_THERE)
        for key, value in form.items():
            inside = _field(at, name_of(form), key) if is_object else _below(at, f"[{key!r}]")
            yield from gaps(value, classes, inside) if key not in _MARKS or not is_object else ()
    elif isinstance(form, list):
        for place, value in enumerate(form):
            yield from gaps(value, classes, _below(at, f"[{place}]"))


def start(path: str) -> Difference:
    """Nothing yet, at the outermost object."""
    return Difference(path, path, "", None, None)


def _below(at: Difference, step: str) -> Difference:
    return Difference(at.path + step, at.object, at.field, None, None)


def _field(at: Difference, owner: str, name: str) -> Difference:
    return Difference(f"{at.path}.{name}", owner, name, None, None)


def _same(sent: Any, found: Any) -> bool:
    """1 is not True; but an int is read as a float."""
    kinds = (type(sent), type(found))
    return bool(sent == found) and (kinds[0] is kinds[1] or kinds == (int, float))


def _same_members(sent: list[Any], found: list[Any]) -> bool:
    """In any order, since a set has none. Order itself is compared between objects."""
    return _unordered(sent) == _unordered(found)


def _unordered(form: Any) -> str:
    if isinstance(form, list):
        return f"[{', '.join(sorted(map(_unordered, form)))}]"
    if isinstance(form, dict):
        return f"{{{', '.join(sorted(f'{key!r}: {_unordered(item)}' for key, item in form.items()))}}}"
    return repr(form)


def in_objects(ours: Any, back: Any, form: Any, at: Difference, manifest: Manifest) -> Iterator[Difference]:
    """Where what came back is not what we had. ``form`` is what was sent in between, to a peer with this manifest."""
    if isinstance(ours, VersionedObject) and isinstance(back, VersionedObject):
        yield from _in_fields(ours, back, form, at, manifest)
    elif isinstance(ours, dict) and isinstance(back, dict) and ours.keys() == back.keys():
        forms = dict(zip(ours, form.values(), strict=True))
        for key, value in ours.items():
            yield from in_objects(value, back[key], forms[key], _below(at, f"[{key!r}]"), manifest)
    elif isinstance(ours, list | tuple) and isinstance(back, list | tuple) and len(ours) == len(back):
        for place, parts in enumerate(zip(ours, back, form, strict=True)):
            yield from in_objects(*parts, _below(at, f"[{place}]"), manifest)
    elif type(ours) is not type(back) or ours != back:
        yield Difference(at.path, at.object, at.field, ours, back)


def _in_fields(ours: Any, back: Any, form: Any, at: Difference, manifest: Manifest) -> Iterator[Difference]:
    """A backport that rewrites a field is undone by a forwardport, or says that it is lossy."""
    shape, version = back.__shape__, version_of(form)
    lossy = any(version < before and is_lossy(port) for before, port in shape.backports)
    for name, field in shape.fields.items():
        here = _field(at, shape.name, name)
        had, got = (getattr(obj, name) if obj.is_set(name) else NOT_THERE for obj in (ours, back))
        sent = name in form and had is not NOT_THERE
        if sent and _rewritten(had, form[name], manifest):
            if had != got and not lossy:
                yield Difference(here.path, shape.name, name, had, got)
        elif touched(shape.forwardports, version, name):
            continue  # it may say what it likes of what no backport has said
        elif sent:
            yield from in_objects(had, got, form[name], here, manifest)
        elif name not in form and not field.exists_in(version):
            expected = field.make_default() if field.has_default else NOT_THERE
            if got is not expected and got != expected:
                yield Difference(here.path, shape.name, name, expected, got)


def _rewritten(value: Any, form: Any, manifest: Manifest) -> bool:
    """Whether a named backport has said something else than the value."""
    return bool(plain(wire.encode(value, manifest)) != form)


def touched(rewrites: Any, version: Version, name: str) -> bool:
    """Whether a rewrite that stands between this version and ours may touch the field."""
    crossed = (function for at, function in rewrites if version < at)
    return any(not (keys := _keys(function)) or name in keys for function in crossed)


_keys = cache(keys_touched)


def crosses(shape: Shape, version: Version, name: str) -> bool:
    """Whether the field may differ between a peer's object of this version and what it was sent back."""
    rewrites = (*shape.backports, *shape.forwardports)
    return name in shape.tombstones or touched(rewrites, version, name)
