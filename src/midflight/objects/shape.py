"""What is known of one class of versioned objects: its version, its fields, its named backports and forwardports."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import MemberDescriptorType
from typing import Any

import msgspec

from midflight.errors import CannotBackport, InvalidValue, ProjectError, UnknownField
from midflight.objects.coercion import to_builtins
from midflight.objects.fields import Field
from midflight.objects.kinds import is_time, kind_of, late
from midflight.objects.rewrites import CHANGED as CHANGED
from midflight.objects.rewrites import TAG as TAG
from midflight.objects.rewrites import marked
from midflight.objects.slots import RAW, Slot, front, slot_of
from midflight.objects.tracking import copier
from midflight.versions import Manifest, Version


class Shape:
    """The compiled definition of one class. Annotations are resolved at its first use, so that classes may refer to
    later ones."""

    def __init__(
        self, cls: Any, name: str, version: Version, fields: dict[str, Field], object_kind: Callable[[Any], Any]
    ) -> None:
        self.cls, self.name, self.version = cls, name, version
        self._object_kind = object_kind
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
            field.compiled(late(kind_of(self.hints[name], field.kinds(self._object_kind), where)), where)
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
                waiting.extend(
                    sub.shape for found in held if subclasses for sub in self._object_kind(found).subs.values()
                )
        return iter(seen.values())

    @cached_property
    def is_plain(self) -> bool:
        """Whether msgspec encodes its objects, with all inside, as they should be: no Codec is needed."""
        return all(field.kind.plain for shape in self.reachable(subclasses=True) for field in shape.fields.values())

    @cached_property
    def has_own_keys(self) -> bool:
        """Whether a dict in it, or in an object inside, has keys that msgspec leaves as they come in a row."""
        return any(field.kind.own_keys for shape in self.reachable(subclasses=True) for field in shape.fields.values())

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
