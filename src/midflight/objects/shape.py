"""What is known of one class of versioned objects: its version, its fields, its named backports and forwardports."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import MemberDescriptorType
from typing import Any

import msgspec

from midflight.errors import CannotBackport, InvalidValue, NotReadable, ProjectError, UnknownField, UnknownObject
from midflight.objects.coercion import Refused, to_builtins
from midflight.objects.fields import Field
from midflight.objects.kinds import Kind, is_time, kind_of, late
from midflight.objects.marks import field_of, of_fields
from midflight.objects.parts import UNREADABLE, Bytes, tree
from midflight.objects.rewrites import CHANGED as CHANGED
from midflight.objects.rewrites import TAG as TAG
from midflight.objects.rewrites import bring_forward, marked
from midflight.objects.riding import RIDING, packed, unpacked
from midflight.objects.slots import RAW, Slot, front, slot_of
from midflight.objects.tracking import copier
from midflight.versions import Manifest, Version


class Shape:
    """The compiled definition of one class. Annotations are resolved at its first use, so that classes may refer to
    later ones."""

    def __init__(self, cls: Any, name: str, version: Version, fields: dict[str, Field]) -> None:
        self.cls, self.name, self.version = cls, name, version
        self.fields = {name: field for name, field in fields.items() if not field.is_gone(version)}
        self.tombstones = {name: field for name, field in fields.items() if field.is_gone(version)}
        """Fields that older versions have, and this one does not."""
        self.own_members = {
            n: member for n in self.fields if isinstance(member := cls.__dict__.get(n), MemberDescriptorType)
        }
        self.partial: Any = cls
        """The subclass for objects some of whose fields are unset."""
        self.backports = marked(cls, "__backport__")
        self.forwardports = marked(cls, "__forwardport__")
        self.hints: dict[str, Any] = {}
        """The annotations of all fields, resolved."""
        self.slots: dict[str, Slot] = {}
        self.containers: tuple[Slot, ...] = ()
        """Fields whose values can change in place."""
        self.holders: tuple[Slot, ...] = ()
        """Fields that hold versioned objects, at any depth of containers."""
        self.nested: tuple[tuple[Callable[[Any], Any], str], ...] = ()
        """Of those that hold one themselves, or None: how to get it, and the name."""
        self.collections: tuple[Slot, ...] = ()
        """The others of them: containers that hold versioned objects."""
        self.deep: tuple[Slot, ...] = ()
        """Fields whose values a copy must not share."""
        self.columns: tuple[Field, ...] = ()
        """Fields whose column has another name, or holds something else."""
        self.times: tuple[str, ...] = ()
        """Fields that are times, which rows keep without a zone."""
        self.reader: Any
        """Makes its objects from rows; there once ``rows`` has made one."""
        self.copied: Callable[[Any], Any]
        """Copies an object of the class; there once the annotations were compiled."""
        self.copied_each: Callable[[Iterable[Any]], list[Any]]
        """Copies many."""
        self.is_resolved = False
        """Whether the annotations were compiled."""
        self._same: dict[str, bool] = {}

    @property
    def readable_from(self) -> Version:
        """The oldest version whose readers may read this one by skipping what they do not know: the one that the latest
        named backport is needed below, or in which the last field was removed, else the first of this major."""
        removals = [field.until for field in self.tombstones.values() if field.until]
        return max([before for before, _ in self.backports] + removals, default=Version(self.version.major, 0))

    def resolve(self) -> Shape:
        """Compile the fields. Raises ProjectError that names the field whose type cannot travel."""
        if self.is_resolved:
            return self
        self.is_resolved = True
        self.hints = self._hints()
        for name, field in {**self.fields, **self.tombstones}.items():
            where = f"{self.name}.{name}"
            field.compiled(late(kind_of(self.hints[name], field.kinds(object_kind), where)), where)
        self._lay_out()
        self.cls.__annotations__ = {
            n: self.fields[n].kind.wire_type for n in self.cls.__annotations__ if n in self.fields
        }
        self.partial.__annotations__ = {
            name: typing.Union[field.kind.wire_type, msgspec.UnsetType]  # noqa: UP007  # X | Y fails for some wire types
            for name, field in self.fields.items()
        }
        return self

    def _lay_out(self) -> None:
        """Find the slots, and put properties before those whose reading has to be noticed."""
        members = self.members
        for name, field in self.fields.items():
            member = members[name]
            self.slots[name] = slot_of(name, field.kind, member)
            type.__setattr__(self.cls, name, front(self.slots[name], member))
            type.__setattr__(self.cls, RAW + name, member)
        slots = tuple(self.slots.values())
        self.containers = tuple(slot for slot in slots if slot.is_container)
        self.holders = tuple(slot for slot in slots if slot.kind.objects)
        self.nested = tuple((slot.get, slot.name) for slot in slots if slot.is_object)
        self.collections = tuple(slot for slot in self.holders if not slot.is_object)
        self.deep = tuple(slot for slot in slots if slot.kind.mutable)
        self.copied, self.copied_each = copier(self)
        self.columns = tuple(f for f in self.fields.values() if f.column != f.name or f.from_column is not None)
        self.times = tuple(slot.name for slot in slots if is_time(slot.kind))

    def field(self, name: str) -> Field:
        """One field. Raises UnknownField."""
        if name not in self.fields:
            raise UnknownField(object=self.name, field=name, known=", ".join(self.fields))
        return self.fields[name]

    def _hints(self) -> dict[str, Any]:
        """Those of the base classes are resolved there: these show wire types since then, and not what was written."""
        own = {**self.cls.__annotations__, **{name: field.annotation for name, field in self.tombstones.items()}}
        written = type(self.name, (), {"__annotations__": own, "__module__": self.cls.__module__})
        try:
            inherited = [base.resolve().hints for base in reversed([*self.bases()])]
            own = typing.get_type_hints(written, localns=dict(vars(self.cls)), include_extras=True)
        except ProjectError:
            self.is_resolved = False
            raise
        except Exception as wrong:  # noqa: BLE001  # an annotation is any expression of the user
            self.is_resolved = False
            raise ProjectError(where=self.name, reason=f"an annotation cannot be resolved: {wrong}") from None
        return {name: hint for hints in (*inherited, own) for name, hint in hints.items()}

    @property
    def members(self) -> dict[str, MemberDescriptorType]:
        """The places of the fields in memory, by name; those of inherited fields are where the base class has them."""
        found: dict[str, MemberDescriptorType] = {}
        for shape in (*reversed([*self.bases()]), self):
            found.update(shape.own_members)
        return found

    def reachable(self, *, subclasses: bool = False) -> Iterator[Shape]:
        """This shape and those of all objects that its fields can hold, each once; on wish with their subclasses."""
        seen: dict[str, Shape] = {}
        waiting: list[Shape] = [self]
        while waiting:
            shape = waiting.pop().resolve()
            if shape.name not in seen:
                seen[shape.name] = shape
                held = [found for slot in shape.holders for found in slot.kind.objects]
                waiting.extend(found.__shape__ for found in held)
                waiting.extend(sub.shape for found in held if subclasses for sub in _KINDS[found].subs.values())
        return iter(seen.values())

    @cached_property
    def is_plain(self) -> bool:
        """Whether msgspec encodes its objects, with all inside, as they should be: no Codec is needed."""
        return all(field.kind.plain for shape in self.reachable(subclasses=True) for field in shape.fields.values())

    @cached_property
    def item(self) -> Shape:
        """The shape of the items of a list."""
        found: Shape = self.fields[self.cls.__items__].kind.objects[0].__shape__
        return found.resolve()

    @cached_property
    def rows(self) -> Any:
        """What msgspec makes many rows into: a Struct, whose types it looks at once, with all objects in a list."""
        return msgspec.defstruct("Rows", [("all", list[self.cls])])  # type: ignore[name-defined]  # made at run time

    def same_under(self, manifest: Manifest) -> bool:
        """Whether a peer with this manifest understands our own form of it and of everything inside."""
        if manifest.digest not in self._same:
            self._same[manifest.digest] = all(
                shape.name in manifest and manifest[shape.name] >= shape.version
                for shape in self.reachable(subclasses=True)
            )
        return self._same[manifest.digest]

    def target(self, manifest: Manifest, peer: str) -> Version:
        """The version in which a peer with this manifest wants it. Raises CannotBackport."""
        if self.name not in manifest:
            raise self._cannot("any version", f"{peer or 'the peer'} does not know this object at all")
        target = min(manifest[self.name], self.version)
        if target.major != self.version.major and not any(target < before for before, _ in self.backports):
            raise self._cannot(str(target), "no backport leads to that major version")
        return target

    def unknown_members(self, content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """What was read as a fallback, as it came: it rides along to whoever knows those members."""
        grown = [name for name, field in self.fields.items() if field.fallback is not None and name in content]
        return {name: content[name] for name in grown if to_builtins(values[name]) != content[name]}

    def take_members(self, obj: Any) -> None:
        """Put what rides along as a member unknown to others where it belongs, if it is known here."""
        for name in obj._riding.keys() & self.fields.keys():
            try:
                self.slots[name].put(obj, self.fields[name].kind.coerce(obj._riding[name], name))
            except InvalidValue:
                continue
            del obj._riding[name]

    def known_to(self, manifest: Manifest | None) -> Shape:
        """The shape in which a peer knows it: its own, or that of the nearest base class that the peer knows."""
        if manifest is None or self.name in manifest:
            return self
        return next((shape for shape in self.bases() if shape.name in manifest), self)

    def bases(self) -> Iterator[Shape]:
        """The shapes of the versioned objects that its class derives from, nearest first."""
        for cls in self.cls.__mro__[1:]:
            if isinstance(shape := cls.__dict__.get("__shape__"), Shape):
                yield shape

    def _cannot(self, target: str, reason: str) -> CannotBackport:
        return CannotBackport(object=self.name, version=str(self.version), target=target, reason=reason)


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
        return restore(shape, values, of_fields(changed, values), riding)

    def read_large(self, data: Bytes, path: str, sender: Manifest | None) -> Any:
        """Field by field, where it is of our own version and nothing rides along."""
        try:
            content = _parts_by_name(data)
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


_parts_by_name = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
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
