"""The versioned object: typed fields, a version, tracked changes, and a context that stays with it.

An object *is* a msgspec Struct, so that reading a field and coding an object with all its fields are native. An object
with unset fields is of a subclass, made beside each class, where reading them says how to load them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from types import GenericAlias
from typing import TYPE_CHECKING, Any, ClassVar, ForwardRef, Self, TypeVar, dataclass_transform, get_args, get_origin

import msgspec

from midflight.context import Context
from midflight.errors import FieldNotLoaded, MissingField, NoContext, ProjectError, UnknownField
from midflight.objects import tracking
from midflight.objects.coercion import Refused
from midflight.objects.fields import MISSING, Field, declared, field
from midflight.objects.marks import NEW, field_of
from midflight.objects.nested import object_kind, restore
from midflight.objects.rewrites import CHANGED, TAG
from midflight.objects.riding import RIDING, RIDING_FORM, Riding
from midflight.objects.shape import Shape
from midflight.objects.slots import assign
from midflight.versions import Version

Wire = dict[str, Any]
"""A wire form on its way to an older or from an older peer: field names to plain values."""

_RESERVED = frozenset({"context", "is_set", "changes", "load", "reset_changes", "unset", "values", "version"})


class _ObjectMeta(msgspec.StructMeta):
    """Makes the Struct of a class and its twin for unset fields; construction coerces."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], *, version: str | None = None, **config: Any
    ) -> Any:
        if version is None or "twin" in namespace:
            namespace.pop("twin", None)
            return super().__new__(mcs, name, bases, namespace, **config)
        number = _version(name, version)
        _name_items(namespace)
        fields = _inherited(name, bases, namespace) | _declared(name, namespace, number)
        if any(spec.fallback is not None for spec in fields.values()):
            namespace["__post_init__"] = _take_members
        cls: Any = super().__new__(
            mcs, name, bases, namespace, tag=f"{name}:{version}", tag_field=TAG, kw_only=True, dict=True, eq=False
        )
        cls.__shape__ = Shape(cls, name, number, fields, object_kind)
        cls.__shape__.partial = _twin(mcs, cls, cls.__shape__)
        type.__setattr__(cls, "__setattr__", _assignment(cls.__shape__))
        for member in namespace.values():
            if spec := getattr(getattr(member, "__func__", member), "__remotable__", None):
                spec.belongs_to(cls, member)  # static remotables are not told by Python
        return cls

    def __init__(cls, *args: Any, **config: Any) -> None:
        type.__init__(cls, *args)

    def __call__(cls: Any, /, *, context: Context | None = None, **given: Any) -> Any:
        return _constructed(cls.__shape__.resolve(), context, given)


def _take_members(obj: Any) -> None:
    """After decoding: what a peer between did not know rides along; see ``Shape.unknown_members``."""
    if obj._riding is not msgspec.UNSET:
        obj.__shape__.take_members(obj)


def _version(name: str, version: str) -> Version:
    try:
        return Version.parse(version)
    except ValueError as wrong:
        raise ProjectError(where=name, reason=str(wrong)) from None


def _name_items(namespace: dict[str, Any]) -> None:
    """``class InstanceList(ObjectList[Instance])`` declares ``objects: list[Instance]``."""
    for base in namespace.get("__orig_bases__", ()):
        if field_name := getattr(get_origin(base), "__items__", None):
            (item,) = get_args(base)
            items = f"list[{item.__forward_arg__}]" if isinstance(item, ForwardRef) else GenericAlias(list, item)
            namespace.setdefault("__annotations__", {})[field_name] = items


def _inherited(owner: str, bases: tuple[Any, ...], namespace: dict[str, Any]) -> dict[str, Field]:
    """The fields of the base classes. A ``since`` counts the versions of its own class, so it cannot be inherited."""
    shapes = [base.__shape__ for base in reversed(bases) if isinstance(getattr(base, "__shape__", None), Shape)]
    fields = {name: copy(spec) for shape in shapes for name, spec in shape.fields.items()}
    for shape in shapes:
        for name in shape.tombstones.keys() & namespace.get("__annotations__", {}).keys():
            if not getattr(namespace.get(name), "until", None):
                reason = f"{shape.name} had a field of this name until {shape.tombstones[name].until}: choose another"
                raise ProjectError(where=f"{owner}.{name}", reason=reason)
    for name, spec in fields.items():
        if (spec.since or spec.until) and name not in namespace.get("__annotations__", {}):
            mark = f"since={str(spec.since)!r}" if spec.since else f"until={str(spec.until)!r}"
            reason = f"is inherited, and its {mark} counts the versions of the base class: declare it again here"
            raise ProjectError(where=f"{owner}.{name}", reason=reason)
    return fields


def _declared(owner: str, namespace: dict[str, Any], version: Version) -> dict[str, Field]:
    """Take the field declarations out of a class body, whose Struct has only required fields, and no tombstones."""
    fields = {}
    annotations = namespace.get("__annotations__", {})
    for name, annotation in list(annotations.items()):
        if "ClassVar" in str(annotation):
            continue
        if name in _RESERVED or name.startswith("_"):
            raise ProjectError(where=f"{owner}.{name}", reason="this name belongs to midflight: choose another")
        if not name.isidentifier():
            raise ProjectError(where=f"{owner}.{name}", reason="is no name that Python could say: choose another")
        fields[name] = declared(name, annotation, namespace.pop(name, MISSING), f"{owner}.{name}")
        if fields[name].is_gone(version):
            del annotations[name]
    return fields


def _twin(mcs: type, cls: type, shape: Shape) -> type:
    """The subclass for objects with unset fields."""

    def drop_unset(self: Any) -> None:
        _take_members(self)
        for name, slot in shape.slots.items():
            if slot.get(self) is msgspec.UNSET:
                msgspec.Struct.__delattr__(self, name)
                if self._changed is not msgspec.UNSET:
                    self._changed.difference_update([mark for mark in self._changed if field_of(mark) == name])

    def refuse(self: Any, name: str) -> Any:
        if name in shape.fields:
            raise FieldNotLoaded(object=shape.name, field=name)
        if inspect.getattr_static(type(self), name, None) is not None:
            return object.__getattribute__(self, name)  # of a property that failed; its own error says why
        raise AttributeError(f"{shape.name} has no attribute {name!r}")

    body = dict.fromkeys(shape.fields, msgspec.UNSET) | {
        "twin": True, "__module__": cls.__module__, "__qualname__": cls.__qualname__,
        "__annotations__": dict.fromkeys(shape.fields, Any), "__post_init__": drop_unset, "__getattr__": refuse,
    }  # fmt: skip
    tag = f"{shape.name}:{shape.version}~"
    return mcs(cls.__name__, (cls,), body, tag=tag, tag_field=TAG, kw_only=True, dict=True, eq=False)  # type: ignore[no-any-return]  # whatever a metaclass makes


def _constructed(shape: Shape, context: Context | None, given: dict[str, Any]) -> Any:
    """1. refuse unknown names 2. coerce what is given 3. fill defaults 4. refuse gaps. Everything counts as changed."""
    for name in given:
        if name not in shape.fields:
            raise UnknownField(object=shape.name, field=name, known=", ".join(shape.fields))
    values = {
        name: spec.coerce(given[name] if name in given else spec.make_default(), spec.where)
        for name, spec in shape.fields.items()
        if name in given or spec.has_default
    }
    if missing := [name for name, spec in shape.fields.items() if name not in values and not spec.lazy]:
        raise MissingField(object=shape.name, fields=", ".join(missing))
    obj = restore(shape, values, {*values, NEW})
    tracking.adopt_object(obj, context)
    return obj


def _assignment(shape: Shape) -> Callable[[Any, str, Any], None]:
    """How fields of one class are assigned: coerced, guarded, noted."""
    fields, assign_, unset = shape.fields, assign, msgspec.UNSET

    def __setattr__(self: Any, name: str, value: Any) -> None:
        spec = fields.get(name)
        if spec is None:
            _set_other(self, name, value)
            return
        if type(value) is not spec.exact:
            try:
                value = spec.kind.convert(value)
            except Refused:
                value = spec.coerce(value, spec.where)  # raises the error in full
        if spec.guarded:
            spec.guard(self, value)
        assign_(self, name, value)
        if spec.kind.objects and self._context is not None:
            tracking.adopt(value, spec.kind, self._context)
        if self._riding is not unset:
            self._riding.pop(name, None)  # what was read as a fallback is replaced
        if spec.kind.is_list_of_objects:
            tracking.note_list(self, name)
            return
        changed = self._changed
        if changed is unset:
            assign_(self, "_changed", {name})
        else:
            changed.add(name)

    return __setattr__


def _set_other(obj: Any, name: str, value: Any) -> None:
    """Properties of the class may be set; nothing else is there."""
    if not isinstance(inspect.getattr_static(type(obj), name, None), property):
        known = ", ".join(obj.__shape__.fields)
        raise UnknownField(object=obj.__shape__.name, field=name, known=known)
    assign(obj, name, value)


if TYPE_CHECKING:  # a checker sees an ordinary class with the constructor that its fields describe

    @dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
    class _Record:
        __shape__: ClassVar[Shape]
        _changed: set[str] | msgspec.UnsetType
        _riding: Riding | msgspec.UnsetType
        _context: ClassVar[Context | None]
        _sent_as: ClassVar[Version | None]
        _snapshots: ClassVar[dict[str, Any] | None]

        def __init_subclass__(cls, *, version: str = ...) -> None: ...
else:

    class _Record(
        msgspec.Struct, metaclass=_ObjectMeta, dict=True, kw_only=True, eq=False,
        rename={"_changed": CHANGED, "_riding": RIDING},
    ):  # fmt: skip
        _changed: set[str] | msgspec.UnsetType = msgspec.UNSET
        _riding: RIDING_FORM | msgspec.UnsetType = msgspec.UNSET
        # Beside the fields, in the __dict__ that only those objects have that need one.
        _context = None
        _sent_as = None  # the older version that it was read from
        _snapshots = None


class VersionedObject(_Record):
    """A typed thing that travels. Subclass it with ``version="major.minor"`` and annotate its fields.

    Construct it by keywords; values are coerced, and ``context=…`` gives it a context. Every constructed field counts
    as changed; an object that was loaded is clean.
    """

    @classmethod
    def unset(cls, context: Context | None = None) -> Self:
        """An object none of whose fields is set; assign them one by one."""
        obj: Self = restore(cls.__shape__.resolve(), {})
        tracking.adopt_object(obj, context)
        return obj

    if TYPE_CHECKING:
        context: Context = field(default=Context())
    else:

        @property
        def context(self) -> Context:
            """The context that it was loaded or made with. Raises NoContext."""
            if self._context is None:
                raise NoContext(object=self.__shape__.name)
            return self._context

    def is_set(self, name: str) -> bool:
        """Whether a field has a value. Raises UnknownField."""
        self.__shape__.field(name)
        if type(self) is self.__shape__.cls:
            return True
        try:
            self.__shape__.slots[name].get(self)
        except AttributeError:
            return False
        return True

    def changes(self) -> dict[str, Any]:
        """The changed fields with their values, whether assigned or changed in place at any depth.

        Raises PinnedOut where a peer of another version changed a field that does not exist here: who saves these
        changes would acknowledge one that is lost.
        """
        if self._riding is msgspec.UNSET and not tracking.is_dirty(self):
            return {}
        changed = tracking.changed_names(self)
        tracking.refuse_loss(self, changed)
        return {name: getattr(self, name) for name in self.__shape__.fields if name in changed}

    def reset_changes(self, *, deep: bool = True) -> None:
        """Count everything as saved, in the nested objects too; shallow: only what this object says itself, so that a
        changed nested object still shows as a change of its field."""
        tracking.forget(self, deep=deep)

    async def load(self, *names: str) -> None:
        """Load lazy fields, each by the object's own method ``load_NAME``; the loaded fields are clean."""
        for name in names:
            loader = getattr(type(self), f"load_{name}", None)
            if loader is None or name not in self.__shape__.fields:
                raise UnknownField(object=self.__shape__.name, field=f"load_{name}", known="no such method")
            tracking.take(self, name, await loader(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionedObject) or other.__shape__ is not self.__shape__:
            return NotImplemented
        return _content(self) == _content(other)

    def __ne__(self, other: object) -> bool:  # a Struct has one of its own, which goes by identity
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = None  # type: ignore[assignment]  # equal by content, and content changes

    def __copy__(self) -> Self:
        """As clone: copies that share what can change would miss each other's changes."""
        tracking.fold(self)
        twin: Self = self.__shape__.copied(self)
        return twin

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    if not TYPE_CHECKING:

        def __delattr__(self, name: str) -> None:
            raise TypeError(f"{self.__shape__.name}.{name} cannot be deleted: assign None, or a new object")

        def __reduce__(self) -> Any:
            raise TypeError(f"{self.__shape__.name} is never pickled: send it, or keep it as to_json(…)")

    def __repr__(self) -> str:
        fields = self.__shape__.fields
        shown = (f"{name}={fields[name].shown(value)}" for name, value in _content(self).items())
        return f"{self.__shape__.name}({', '.join(shown)})"


def _content(obj: VersionedObject) -> dict[str, Any]:
    return {name: getattr(obj, name) for name in obj.__shape__.fields if obj.is_set(name)}


Rewrite = TypeVar("Rewrite", bound=Callable[..., None])


def backport(*, before: str, lossy: bool = False) -> Callable[[Rewrite], Rewrite]:
    """Mark a method ``(self, wire)`` that rewrites the wire form for peers older than ``before``.

    Its name says what used to be, its docstring why; both are shown to operators. Newest runs first. ``lossy=True``
    says that an older peer is not told all: a reviewer sees it, and it is counted apart. Where an older peer must not
    be told less, it raises ``CannotBackport("reason")``.
    """
    return _marker("__backport__", before, lossy=lossy)


def forwardport(*, since: str) -> Callable[[Rewrite], Rewrite]:
    """Mark a static method ``(wire)`` that rewrites the wire form of peers older than ``since``. Oldest runs first."""
    return _marker("__forwardport__", since)


def _marker(mark: str, version: str, *, lossy: bool = False) -> Callable[[Rewrite], Rewrite]:
    def apply(function: Rewrite) -> Rewrite:
        marked: Any = getattr(function, "__func__", function)
        setattr(marked, mark, Version.parse(version))
        marked.__lossy__ = lossy
        return function

    return apply
