"""Nested versioned objects as a kind of field: whatever version they come in, and of whatever subclass."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from midflight.errors import InvalidValue, NotReadable, UnknownObject
from midflight.objects.coercion import Refused
from midflight.objects.kinds import Kind
from midflight.objects.marks import field_of, of_fields
from midflight.objects.piecewise import UNREADABLE, Bytes, tree
from midflight.objects.rewrites import CHANGED, TAG, bring_forward
from midflight.objects.riding import RIDING, packed, unpacked
from midflight.objects.shape import Shape
from midflight.objects.slots import assign
from midflight.versions import Manifest, Version


class ObjectOf(Kind):
    """A nested versioned object."""

    mutable = True  # as an element of a container; as a field, assignments are noted
    is_object = True

    def __init__(self, shape: Shape) -> None:
        self.shape, self.name, self.objects = shape, shape.name, (shape.cls,)
        self.wire_type: Any = typing.Union[shape.cls, shape.partial]  # noqa: UP007  # types made at run time
        self.subs: dict[str, ObjectOf] = {}
        """The kinds of its subclasses, by name."""

    def admit(self, sub: ObjectOf) -> None:
        """From now on a value may also be of this subclass, and arrives as what it was sent.

        A Registry says so when it is built. Where the native decoder was made before, it leaves them to ``build``.
        """
        self.subs[sub.name] = sub
        self.wire_type = typing.Union[self.wire_type, sub.shape.cls, sub.shape.partial]  # noqa: UP007  # made at run time

    def convert(self, value: Any) -> Any:
        shape = getattr(value, "__shape__", None)
        if shape is self.shape or (self.subs and any(shape is sub.shape for sub in self.subs.values())):
            return value
        subclass = isinstance(value, self.shape.cls)
        raise Refused(value, f"{self.name} object{' or a subclass that Project(objects=…) lists' if subclass else ''}")

    def snapshot(self, value: Any) -> Any:
        return value

    def differs(self, value: Any, snapshot: Any) -> bool:
        return value is not snapshot  # what changed inside is in the object's own account

    def copied(self, value: Any) -> Any:
        return self.shape.copied(value)

    def copied_each(self, values: Iterable[Any]) -> list[Any]:
        return self.shape.copied_each(values)

    def mapped(self, value: Any, change: Callable[[Any], Any]) -> Any:
        return change(value)

    def inside(self, value: Any) -> tuple[Any, ...]:
        return (value,)

    def build(self, wire: Any, path: str, sender: Manifest | None) -> Any:
        """Read any readable version: older ones are brought forward, newer ones read by skipping."""
        if isinstance(wire, self.shape.cls):
            return self.coerce(wire, path)
        name, version = self._tag_of(wire, path)
        if name in self.subs:
            return self.subs[name].build(wire, path, sender)
        if name != self.name:
            raise InvalidValue(path=path, received=f"object {name}", expected=f"object {self.name}")
        shape = self.shape.resolve()
        if version > shape.version and not self._may_skip(version, sender):
            raise NotReadable(path=path, object=self.name, received=str(version), understood=str(shape.version))
        content = dict(wire)
        changed = self._changed(content, path)
        if version < shape.version:
            bring_forward(shape, content, version, path)
            changed = self._changed(content, path)
        values = self._values(content, version, path, sender)
        riding = self._boarded(content, changed, version, path, sender, values)
        obj = restore(shape, values, of_fields(changed, values), riding)
        if version < shape.version:
            assign(obj, "_sent_as", version)
        return obj

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        """Field by field, where it is of our own version and nothing rides along."""
        try:
            content = _pieces_by_name(data)
        except (*UNREADABLE, ValueError):
            return super().read_large(data, path, sender)
        said, shape = tree(content.pop(TAG, _NIL), path), self.shape.resolve()
        name, _, version = str(said).rstrip("~").partition(":")
        if name in self.subs:
            return self.subs[name].read_large(data, path, sender)
        grows = any(field.fallback is not None for field in shape.fields.values())
        if name != self.name or version != str(shape.version) or RIDING in content or grows:
            plain = {field: tree(part, f"{path}.{field}") for field, part in content.items()}
            return self.build({TAG: said, **plain}, path, sender)
        changed = self._changed({CHANGED: tree(content[CHANGED], path)} if CHANGED in content else {}, path)
        values = {
            name: field.read(content[name], f"{path}.{name}", sender)
            for name, field in shape.fields.items()
            if name in content
        }
        return restore(shape, values, of_fields(changed, values))

    def _values(self, content: dict[str, Any], version: Version, path: str, sender: Manifest | None) -> dict[str, Any]:
        values = {}
        for name, field in self.shape.fields.items():
            if name in content:
                values[name] = field.build(content[name], f"{path}.{name}", sender)
            elif field.has_default and not field.exists_in(version):
                values[name] = field.make_default()
        return values

    def _boarded(
        self, content: dict[str, Any], changed: set[str], version: Version, path: str, sender: Manifest | None,
        values: dict[str, Any],
    ) -> Any:  # fmt: skip
        """1. what rode along and is a field here becomes one 2. the rest rides on 3. so does what we do not know of a
        newer version, and what an older peer changed and is gone here."""
        try:
            origin, riders, marks = unpacked(content.pop(RIDING, None))
        except Refused as refused:
            raise refused.at(f"{path}.{RIDING}") from None
        for name in riders.keys() & self.shape.fields.keys() if self._same_major(origin) else ():
            try:
                values[name] = self.shape.fields[name].build(riders[name], f"{path}.{name}", sender)
            except (InvalidValue, NotReadable):
                continue  # of a newer kind than ours: it rides on
            del riders[name]
            changed |= {mark for mark in marks if field_of(mark) == name}
        strangers = self._strangers(content, changed, version, path) | self.shape.unknown_members(content, values)
        return packed(max(filter(None, (origin, version))), {**riders, **strangers}, marks | changed)

    def _same_major(self, version: Version | None) -> bool:
        return version is not None and version.major == self.shape.version.major

    def _strangers(self, content: dict[str, Any], changed: set[str], version: Version, path: str) -> dict[str, Any]:
        others = content.keys() - self.shape.fields.keys() - {TAG, CHANGED}
        if version > self.shape.version:
            if odd := [name for name in others if not isinstance(name, str)]:
                raise Refused(odd[0], "the name of a field").at(path)
            return {name: content[name] for name in others}
        touched = set(map(field_of, changed))
        gone = {name: field for name, field in self.shape.tombstones.items() if name in others & touched}
        return {
            name: content[name] for name, field in gone.items()
            if field.lazy or not field.is_default(field.build(content[name], f"{path}.{name}", None))
        }  # fmt: skip

    def _tag_of(self, wire: Any, path: str) -> tuple[str, Version]:
        if not isinstance(wire, Mapping) or not isinstance(wire.get(TAG), str):
            raise Refused(wire, f"{self.name} object").at(path)
        name, _, version = wire[TAG].rstrip("~").partition(":")
        try:
            return name, Version.parse(version)
        except ValueError as wrong:
            raise InvalidValue(path=path, received=wire[TAG], expected=str(wrong)) from None

    def _may_skip(self, version: Version, sender: Manifest | None) -> bool:
        known = sender is not None and sender.get(self.name) == version
        readable_from = sender.readable_from.get(self.name) if sender and known else None
        return readable_from is not None and readable_from <= self.shape.version

    def _changed(self, content: dict[str, Any], path: str) -> set[str]:
        changed = content.get(CHANGED, ())
        if not isinstance(changed, list | tuple | set) or not all(isinstance(name, str) for name in changed):
            raise Refused(changed, "names of changed fields").at(f"{path}.{CHANGED}")
        return set(changed)


_pieces_by_name = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_NIL = b"\xc0"

_make = msgspec.StructMeta.__call__  # past the coercion of a constructor


def restore(shape: Shape, values: dict[str, Any], changed: set[str] | None = None, riding: Any = msgspec.UNSET) -> Any:
    """An object with these values of the right kinds, and no changes but the given ones."""
    cls = shape.cls if len(values) == len(shape.fields) else shape.partial
    if not changed and riding is msgspec.UNSET:
        return _make(cls, **values)
    return _make(cls, **values, _changed=changed or msgspec.UNSET, _riding=riding)


_KINDS: dict[type, ObjectOf] = {}


def object_kind(annotation: Any) -> ObjectOf | None:
    """The kind of a class of versioned objects, or None for any other annotation."""
    shape = annotation.__dict__.get("__shape__") if isinstance(annotation, type) else None
    if not isinstance(shape, Shape):
        return None
    if annotation not in _KINDS:
        _KINDS[annotation] = ObjectOf(shape)
    return _KINDS[annotation]


def kind_of_class(cls: Any) -> ObjectOf:
    """The kind of a class of versioned objects. Raises InvalidValue for anything else."""
    kind = object_kind(cls)
    if kind is None:
        raise InvalidValue(path="cls", received=repr(cls), expected="a versioned object's class")
    return kind


def unknown(name: str, project: str, known: Any) -> UnknownObject:
    """The error for an object that a project does not have."""
    return UnknownObject(object=name, project=project, known=", ".join(known) or "none")
