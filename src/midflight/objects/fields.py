"""How a field is declared: its default, its life from version to version, and what guards it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypedDict, TypeVar, Unpack, overload

from midflight.errors import InvalidValue, ProjectError, ReadOnlyField
from midflight.objects.kinds import Growing, Kind, exact, made
from midflight.versions import Version

T = TypeVar("T")

MISSING: Any = type("MISSING", (), {"__repr__": lambda self: "MISSING", "__bool__": lambda self: False})()
MASK = "***"
"""How a sensitive value is shown."""


class Life(TypedDict, total=False):
    """The versions of its object in which a field exists."""

    since: str
    until: str


class Options(Life, total=False):
    """What else may be said of a field; ``field`` explains each."""

    read_only: bool
    sensitive: bool
    fallback: enum.Enum
    transitions: Mapping[Any, Collection[Any]]
    column: str
    from_column: Callable[[Any], Any]
    to_column: Callable[[Any], Any]


class Field:
    """One declared field. What depends on its type is there once the annotations have been resolved."""

    name: str
    annotation: Any
    where: str
    """``Instance.power``, as errors say it."""
    column: str
    """The name of its column in rows."""
    kind: Kind
    coerce: Callable[[Any, str], Any]
    """The kind's own, or one that keeps sensitive values out of its errors; so are ``build`` and ``read``."""
    build: Callable[..., Any]
    read: Callable[..., Any]
    exact: type | None
    """The type of values that need no coercion; the others are looked at."""

    def __init__(
        self, *, default: Any = MISSING, factory: Any = MISSING, lazy: bool = False, **options: Unpack[Options]
    ) -> None:
        self.default, self.factory, self.lazy = default, factory, lazy
        self.since, self.until = _version(options.get("since")), _version(options.get("until"))
        self.read_only, self.sensitive = options.get("read_only", False), options.get("sensitive", False)
        self.fallback, self.transitions = options.get("fallback"), options.get("transitions")
        self._column = options.get("column")
        self.from_column, self.to_column = options.get("from_column"), options.get("to_column")
        self.guarded = self.read_only or self.transitions is not None

    @property
    def has_default(self) -> bool:
        return self.default is not MISSING or self.factory is not MISSING

    def make_default(self) -> Any:
        """A fresh default value."""
        return self.default if self.factory is MISSING else self.factory()

    def is_default(self, value: Any) -> bool:
        """Whether leaving the value out loses nothing."""
        return value is None if not self.has_default else bool(value == made(self.kind, self.make_default()))

    def exists_in(self, version: Version) -> bool:
        """Whether an object of this version has the field."""
        return (self.since is None or self.since <= version) and (self.until is None or version < self.until)

    def is_gone(self, version: Version) -> bool:
        """Whether it is but a tombstone in an object of this version."""
        return self.until is not None and self.until <= version

    def kinds(self, objects: Callable[[Any], Kind | None]) -> Callable[[Any], Kind | None]:
        """The special kinds of the parts of its type: ``objects``, and the Enum that may have grown."""
        fallback = self.fallback
        if fallback is None:
            return objects
        return lambda part: Growing(fallback) if part is type(fallback) else objects(part)

    def compiled(self, kind: Kind, where: str) -> None:
        """Take its kind. Raises ProjectError for transitions between values that it cannot have."""
        self.kind, self.where, self.column = kind, where, self._column or self.name
        self.coerce, self.build, self.read = kind.coerce, kind.build, kind.read
        self.exact = exact(kind)
        if self.sensitive:
            self.coerce, self.build, self.read = _silent(kind.coerce), _silent(kind.build), _silent(kind.read)
        self._check_default()
        if self.transitions is not None:
            self.transitions = self._allowed(self.transitions)

    def _check_default(self) -> None:
        """A default is a value of the field, and shared by all objects. Raises ProjectError."""
        if self.default is MISSING:
            return
        try:
            self.default = self.coerce(self.default, self.where)
        except InvalidValue as wrong:
            raise ProjectError(where=self.where, reason=f"its default does not fit: {wrong}") from None
        if self.kind.mutable and self.default is not None:
            raise ProjectError(where=self.where, reason="its default would be shared: give field(default_factory=…)")

    def _allowed(self, transitions: Mapping[Any, Collection[Any]]) -> dict[Any, tuple[Any, ...]]:
        try:
            return {
                self.kind.coerce(before, "from"): tuple(
                    self.kind.coerce(after, f"from {before!r} to") for after in afters
                )
                for before, afters in transitions.items()
            }
        except InvalidValue as wrong:
            raise ProjectError(where=self.where, reason=f"transitions: {wrong}") from None

    def guard(self, obj: Any, value: Any) -> None:
        """Refuse an assignment to a read-only field that has a value, and a transition that is not allowed."""
        if not obj.is_set(self.name):
            return
        if self.read_only:
            raise ReadOnlyField(object=obj.__shape__.name, field=self.name)
        before = getattr(obj, self.name)
        allowed = (self.transitions or {}).get(before, ())
        if value != before and value not in allowed:
            if self.sensitive:
                raise InvalidValue(path=self.where, received=f"{MASK} (sensitive)", expected="an allowed transition")
            received = f"{_worded(before)} → {_worded(value)}"
            expected = f"{_worded(before)} → {' or '.join(map(_worded, allowed)) or 'nothing else: it is final'}"
            raise InvalidValue(path=self.where, received=received, expected=expected)

    def shown(self, value: Any) -> str:
        """The value for people: masked where it is sensitive."""
        return MASK if self.sensitive else repr(value)


def _version(text: str | None) -> Version | None:
    return Version.parse(text) if text else None


def _worded(value: Any) -> str:
    return str(value.value) if isinstance(value, enum.Enum) else str(value)


def _silent(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, whose errors say where and what is expected, and not what was received."""

    def hidden(value: Any, path: str, *more: Any) -> Any:
        try:
            return function(value, path, *more)
        except InvalidValue as wrong:
            raise InvalidValue(path=path, received=f"{MASK} (sensitive)", expected=wrong.expected) from None

    return hidden


@overload
def field(*, default: T, **options: Unpack[Options]) -> T: ...
@overload
def field(*, default_factory: Callable[[], T], **options: Unpack[Options]) -> T: ...
@overload
def field(**options: Unpack[Options]) -> Any: ...
def field(*, default: Any = MISSING, default_factory: Any = MISSING, **options: Unpack[Options]) -> Any:
    """A field with a default, and whatever of these it needs:

    - ``since="1.17"``: it exists since that version of its object. Older peers never see it.
    - ``until="2.0"``: from that version on it is gone, and this line is its tombstone. Objects do not have it any more,
      peers from before are told its default, and its name cannot come back with another type. A change that such a peer
      makes to it is refused, unless a forwardport takes it out of the wire form.
    - ``read_only=True``: it is assigned once.
    - ``sensitive=True``: it is masked in reprs and errors, and so in logs.
    - ``fallback=Power.UNKNOWN``: an Enum may have grown where a value comes from; members that we do not know are read
      as this one. Assignments stay strict.
    - ``transitions={Power.OFF: {Power.ON}, …}``: a state machine. Only these assignments are allowed, and that of the
      value that it has already; a state that is not listed is final.
    - ``column="power_state"``: its column in rows has another name. ``from_column`` and ``to_column`` are
      functions that read and write what the column holds.
    """
    return Field(default=default, factory=default_factory, **options)


def lazy(**life: Unpack[Life]) -> Any:
    """A field that stays unset until it is assigned, or loaded by ``await obj.load(name)``, which calls ``load_NAME``.

    It is left out of the field specifiers of the class, so that type checkers do not demand it in constructors.
    """
    return Field(lazy=True, **life)


def declared(name: str, annotation: Any, value: Any, where: str) -> Field:
    """The field for one annotated name of a class body. Raises ProjectError for a definition that cannot work."""
    if isinstance(value, list | dict | set):
        if value:
            raise ProjectError(where=where, reason="a mutable default would be shared: give field(default_factory=…)")
        value = Field(factory=type(value))
    spec = value if isinstance(value, Field) else Field(default=value)
    spec.name, spec.annotation = name, annotation
    if (spec.since or spec.until) and not spec.has_default and not spec.lazy:
        if not str(annotation).rstrip("'\"").endswith("None"):
            mark = f"since={str(spec.since)!r}" if spec.since else f"until={str(spec.until)!r}"
            raise ProjectError(
                where=where,
                reason=f"has {mark} and does not say how older peers live without it: "
                "give a default, allow None, or make it lazy(…)",
            )
        spec.default = None
    return spec
