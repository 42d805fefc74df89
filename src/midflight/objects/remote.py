"""Remotables: methods whose body runs where the database is."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from midflight.context import Context
from midflight.errors import InvalidValue, NoContext, ProjectError, UnknownRemotable
from midflight.objects.allowance import allowed
from midflight.objects.kinds import Kind, kind_of
from midflight.objects.nested import object_kind
from midflight.objects.slots import assign

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Remotable:
    """One remotable method as its class declares it."""

    def __init__(self, function: Callable[..., Coroutine[Any, Any, Any]], allow: Iterable[str] | None = None) -> None:
        self.function, self.name = function, function.__name__
        self.allow = allowed(allow, function.__qualname__)
        """The roles that may ask a conductor to run it."""
        self.signature = inspect.signature(function)
        names = list(self.signature.parameters)
        self._check_definition(names)
        self.is_static = names[0] == "context"
        self.is_class_method = names[0] == "cls" or self.is_static
        """Whether it is called without an object."""
        self.owner: Any = None
        """The class that declares it, once that is made."""
        self.takes_context = "context" in names
        self._before = (None, None) if self.is_class_method and self.takes_context and not self.is_static else (None,)
        """What stands before the arguments: the target, the context."""
        rest = list(self.signature.parameters.values())[len(self._before) :]
        required = [p for p in rest if p.default is inspect.Parameter.empty]
        named = any(p.kind is inspect.Parameter.KEYWORD_ONLY for p in required)
        self._in_order = [] if named else [p.name for p in rest if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        self._required = len(required)
        self._kinds: dict[type, tuple[dict[str, Kind], Kind]] = {}

    def _check_definition(self, names: list[str]) -> None:
        """Raises ProjectError for a method that could not be called from afar."""
        many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        reason = ""
        if not inspect.iscoroutinefunction(self.function):
            reason = "is a remotable, which runs elsewhere: write async def"
        elif not names:
            reason = "is a remotable that takes nothing: let it take context first, or self, or cls"
        elif odd := [p.name for p in self.signature.parameters.values() if p.kind in many]:
            reason = f"is a remotable, whose arguments travel by their names: *{odd[0]} has none"
        if reason:
            raise ProjectError(where=self.function.__qualname__, reason=reason)

    def belongs_to(self, owner: Any, member: object) -> None:
        """The class that declares it, as a method of some kind. Raises ProjectError where its first parameter says
        another kind."""
        self.owner = owner
        wanted = {staticmethod: "context", classmethod: "cls"}.get(type(member), "self")
        first = next(iter(self.signature.parameters))
        if (first in ("context", "cls") or wanted != "self") and first != wanted:
            reason = f"is a remotable whose first parameter is {first}: expected {wanted}, or another decorator"
            raise ProjectError(where=self.function.__qualname__, reason=reason)

    def kinds(self, owner: type) -> dict[str, Kind]:
        """The kinds of its parameters but the target and the context. Raises ProjectError."""
        return self._compiled(owner)[0]

    def result_kind(self, owner: type) -> Kind:
        """The kind of what it returns."""
        return self._compiled(owner)[1]

    def _compiled(self, owner: type) -> tuple[dict[str, Kind], Kind]:
        if owner not in self._kinds:
            where = f"{owner.__name__}.{self.name}"
            names = {"Self": owner, owner.__name__: owner}
            hints = typing.get_type_hints(self.function, localns=names, include_extras=True)
            kinds = {
                name: kind_of(_with_self(hints.get(name, Any), owner), object_kind, f"{where}({name})")
                for name in list(self.signature.parameters)[1:]
                if name != "context"
            }
            result = kind_of(_with_self(hints.get("return"), owner), object_kind, f"{where}, its result")
            self._kinds[owner] = kinds, result
        return self._kinds[owner]

    def bind(self, owner: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, coerced, without target and context. Raises TypeError as a call would."""
        if not kwargs and self._required <= len(args) <= len(self._in_order):
            given = dict(zip(self._in_order, args, strict=False))  # as a signature binds it, in a tenth of the time
        else:
            given = dict(self.signature.bind(*self._before, *args, **kwargs).arguments)
        kinds = self.kinds(owner)
        return {
            name: kinds[name].coerce(value, f"{owner.__name__}.{self.name}({name})")
            for name, value in given.items()
            if name in kinds
        }

    def require(self, owner: type, arguments: Mapping[str, Any]) -> None:
        """Raises InvalidValue for what a caller elsewhere has left out."""
        kinds, given = self.kinds(owner), self.signature.parameters
        if len(arguments) < len(kinds) and (
            missing := [n for n in kinds if n not in arguments and given[n].default is inspect.Parameter.empty]
        ):
            where = f"{owner.__name__}.{self.name}"
            raise InvalidValue(path=where, received=f"no {', '.join(missing)}", expected=f"{', '.join(missing)}")

    async def run_here(self, owner: type, target: Any, context: Context, arguments: Mapping[str, Any]) -> Any:
        """Run the body in this process, which has the database. The context is the target's for as long as it runs.

        Its result is coerced, as it would be on its way to somebody else; raises InvalidValue where it does not fit.
        """
        result = await self._body(target, context, arguments)
        return self.result_kind(owner).coerce(result, f"{owner.__name__}.{self.name}, its result")

    async def _body(self, target: Any, context: Context, arguments: Mapping[str, Any]) -> Any:
        extra = {"context": context} if self.takes_context else {}
        if self.is_static:
            return await self.function(context, **arguments)
        if self.is_class_method:
            return await self.function(target, **extra, **arguments)
        before = target._context
        assign(target, "_context", context)
        try:
            return await self.function(target, **extra, **arguments)
        finally:
            assign(target, "_context", context if before is None else before)


Method = Callable[Concatenate[T, P], Coroutine[Any, Any, R]]


class _Mark(Protocol):
    def __call__(self, method: Method[T, P, R], /) -> Method[T, P, R]: ...


@overload
def remotable(method: Method[T, P, R], /) -> Method[T, P, R]: ...
@overload
def remotable(*, allow: Iterable[str]) -> _Mark: ...
def remotable(method: Any = None, /, *, allow: Iterable[str] | None = None) -> Any:
    """Mark an async method whose body runs where the database is: here, or on a conductor.

    A class method takes ``(cls, context, …)``, a static method ``(context, …)``. An instance method uses the object's
    own context; a keyword ``context=`` at the call overrides it once. Arguments and results are typed by the
    annotations, and coerced. After a remote run the target has the changes that the body made to it.

    Only services in ``allow`` may have a conductor run it; who is not among them is refused with NotAllowed. Where the
    database is, nobody is asked.
    """
    if method is None:
        return functools.partial(_marked, allow=allow)
    return _marked(method, allow)


def _marked(method: Method[T, P, R], allow: Iterable[str] | None) -> Method[T, P, R]:
    spec = Remotable(method, allow)

    @functools.wraps(method)
    async def run(target: T, /, *args: P.args, **kwargs: P.kwargs) -> R:
        owner, context, rest, named = _split(spec, target, args, dict(kwargs))
        arguments = spec.bind(owner, rest, named)
        if context.database is not None:
            result = await spec.run_here(owner, target, context, arguments)
        elif context.conductor is not None:
            result = await context.conductor.run(owner if spec.is_static else target, spec.name, context, arguments)
        else:
            raise NoContext(object=owner.__shape__.name)
        return typing.cast(R, result)

    run.__remotable__ = spec  # type: ignore[attr-defined]  # found by remotables_of
    return run


def _split(
    spec: Remotable, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Context, tuple[Any, ...], dict[str, Any]]:
    """Who owns the method, and the context apart from the other arguments."""
    if spec.is_static:
        if not isinstance(target, Context):
            raise TypeError(f"{spec.owner.__shape__.name}.{spec.name} takes a Context first; received {target!r}")
        return spec.owner, target, args, kwargs
    given = kwargs.pop("context", None)
    if not spec.is_class_method:
        owner, given = target.__shape__.cls, target.context if given is None else given
    else:
        owner = target.__shape__.cls
        if given is None and args:
            given, args = args[0], args[1:]
    if not isinstance(given, Context):
        place = "first" if spec.is_class_method else "as context=…"
        raise TypeError(f"{owner.__shape__.name}.{spec.name} takes a Context {place}; received {given!r}")
    return owner, given, args, kwargs


def _with_self(annotation: Any, owner: type) -> Any:
    """Put the class where its method says Self, inside containers too."""
    if annotation is typing.Self:
        return owner
    args = typing.get_args(annotation)
    if typing.Self not in args:
        return annotation
    origin: Any = typing.get_origin(annotation)
    if origin is types.UnionType:
        origin = typing.Union
    return origin[tuple(_with_self(arg, owner) for arg in args)]


def remotables_of(cls: type) -> dict[str, Remotable]:
    """The declared remotables of a class, by name."""
    found = {name: _unwrapped(inspect.getattr_static(cls, name)) for name in dir(cls) if not name.startswith("__")}
    return {name: function.__remotable__ for name, function in found.items() if hasattr(function, "__remotable__")}


def remotable_of(cls: Any, name: str, release: str = "unreleased") -> Remotable:
    """One declared remotable. Raises UnknownRemotable for anything else, so that nothing else can be reached."""
    found = remotables_of(cls).get(name)
    if found is None:
        raise UnknownRemotable(object=cls.__shape__.name, method=name, release=release)
    return found


def _unwrapped(member: Any) -> Any:
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member
