"""Endpoints: one method of an interface, with its parameters, its age, and how older majors said it.

@endpoint(since="4.0")
async def build_and_run(self, context: Context, instance: Instance, quick: bool = param(False, since="4.1")) -> str:
    ...

@build_and_run.adapt(before="4.0", was="build_instance")
@staticmethod
def image_was_a_number(instance: Instance, image_id: int) -> Mapping[str, Any]:
    return {"instance": instance}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from midflight.context import Context
from midflight.errors import ProjectError
from midflight.objects.allowance import allowed
from midflight.rpc.casting import UNPROMISED, Casting
from midflight.versions import Version

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
Owner = TypeVar("Owner")
Function = TypeVar("Function", bound=Callable[..., Any])
Unbound = TypeVar("Unbound", covariant=True)
Bound = TypeVar("Bound", covariant=True)

REQUIRED: Any = type("Required", (), {"__repr__": lambda _: "required"})()
"""The default of a parameter that has none."""


class Adapts(Protocol):
    """``adapt``, ``adapt_reply``, ``revert`` or ``revert_reply`` of an endpoint: register a static method."""

    def __call__(self, *, before: str, was: str | None = None) -> Callable[[Function], Function]: ...


class Endpoint(Protocol[Unbound, Bound]):
    """The face of an endpoint towards type checkers: on the class a function, on an instance a method.

    On an instance it may give its result at once: a service may write a plain ``def``, which runs in a thread. At run
    time it *is* a function. The four adapters are found through ``__getattribute__``, since only so do both mypy
    and pyright let a plain ``async def`` of a service class override it.
    """

    @overload
    def __get__(self, obj: None, owner: type, /) -> Unbound: ...
    @overload
    def __get__(self, obj: object, owner: type | None = None, /) -> Bound: ...
    def __getattribute__(self, name: str, /) -> Adapts: ...


@dataclass(frozen=True, slots=True)
class _Since:
    default: Any
    since: str


def param(default: T, *, since: str) -> T:
    """The default of a parameter that came later than its endpoint.

    A peer from before never sees it: it is left out where it equals the default, and anything else is PinnedOut.
    """
    return cast(T, _Since(default, since))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; ``since`` is None when it is as old as its endpoint."""

    name: str
    default: Any = REQUIRED
    since: Version | None = None
    positional: bool = True

    def is_default(self, value: object) -> bool:
        """Whether leaving it out says the same."""
        return self.default is not REQUIRED and (value is self.default or bool(value == self.default))


def parameters_of(function: Callable[..., Any], where: str, skip: int = 0) -> dict[str, Parameter]:
    """The parameters by name, without the first ``skip``. Raises ProjectError for those that cannot travel by name."""
    found = list(inspect.signature(function).parameters.values())[skip:]
    return {parameter.name: _parameter(parameter, f"{where}({parameter.name})") for parameter in found}


def _parameter(parameter: inspect.Parameter, where: str) -> Parameter:
    if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise ProjectError(where=where, reason="arguments travel by name: no *args, **kwargs or positional-only ones")
    positional = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    default = parameter.default
    if isinstance(default, _Since):
        return Parameter(parameter.name, default.default, parsed(default.since, where), positional)
    return Parameter(parameter.name, REQUIRED if default is parameter.empty else default, None, positional)


def parsed(version: str, where: str) -> Version:
    """A version in a definition. Raises ProjectError that says where."""
    try:
        return Version.parse(version)
    except ValueError as wrong:
        raise ProjectError(where=where, reason=str(wrong)) from None


class EndpointSpec:
    """What an endpoint declares; ``interface`` is the class in whose body it stands. Annotations are resolved later."""

    ROLES = ("adapt", "adapt_reply", "revert", "revert_reply")

    def __init__(
        self,
        function: Callable[..., Any],
        since: str,
        *,
        idempotent: bool,
        limit: int | None = None,
        casting: Casting = UNPROMISED,
        allow: Iterable[str] | None = None,
    ) -> None:
        where = function.__qualname__
        if not inspect.iscoroutinefunction(function):
            raise ProjectError(where=where, reason="an endpoint is an async def")
        if [*inspect.signature(function).parameters][1:2] != ["context"]:
            raise ProjectError(where=where, reason="an endpoint takes self and context first")
        self.function, self.method, self.since = function, function.__name__, parsed(since, where)
        self.idempotent, self.casting = idempotent, casting
        check_limit(limit, where)
        self.limit = limit
        """How many run at once in one process of the service. The callee's own affair: no part of the contract."""
        self.allow = allowed(allow, where)
        """The roles that may ask for it."""
        self.interface: Any = None
        self.parameters = parameters_of(function, where, skip=2)
        casting.check(where, self.parameters)
        self.adapters: dict[str, dict[Version, Callable[..., Any]]] = {role: {} for role in self.ROLES}
        """By role, by the version before which they apply."""
        self.was: dict[Version, str] = {}
        """The name that it had before a version."""
        self._positional = tuple(p.name for p in self.parameters.values() if p.positional)
        self._required = tuple(p.name for p in self.parameters.values() if p.default is REQUIRED)

    @property
    def boundaries(self) -> tuple[Version, ...]:
        """The versions at which it changed its form, oldest first."""
        return tuple(sorted({before for adapters in self.adapters.values() for before in adapters}))

    def registrar(self, role: str) -> Adapts:
        """The decorator factory for one kind of adapter."""

        def register(*, before: str, was: str | None = None) -> Callable[[Function], Function]:
            def keep(function: Function) -> Function:
                self._keep(role, before, was, getattr(function, "__func__", function))
                return function

            return keep

        return register

    def _keep(self, role: str, before: str, was: str | None, function: Callable[..., Any]) -> None:
        where = f"{self.function.__qualname__}.{role}({function.__name__})"
        boundary = parsed(before, where)
        if boundary.minor:
            raise ProjectError(where=where, reason=f"within a major, versions only add: give a major.0, not {before}")
        if boundary in self.adapters[role] or (was and self.was.get(boundary, was) != was):
            raise ProjectError(where=where, reason=f"there is one for before {before} already, or under another name")
        self.adapters[role][boundary] = function
        if was:
            self.was[boundary] = was

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The given arguments by name. Raises TypeError as a call would."""
        bound = dict(zip(self._positional, args, strict=False))
        if len(bound) < len(args):
            raise self._wrong(f"takes at most {len(self._positional)} arguments in order, received {len(args)}")
        if kwargs:
            if unknown := kwargs.keys() - self.parameters.keys():
                raise self._wrong(f"received {_quoted(unknown)}, which it does not take")
            if twice := kwargs.keys() & bound.keys():
                raise self._wrong(f"received {_quoted(twice)} twice")
            bound.update(kwargs)
        if missing := [name for name in self._required if name not in bound]:
            raise self._wrong(f"needs {_quoted(missing)}")
        return bound

    def _wrong(self, what: str) -> TypeError:
        return TypeError(f"{self.function.__qualname__} {what}; it takes ({', '.join(self.parameters)})")


def check_limit(limit: object, where: str) -> None:
    """Raises ProjectError for what is neither None nor a number above 0."""
    if limit is not None and not (type(limit) is int and limit > 0):
        raise ProjectError(where=where, reason=f"received limit={limit!r}, expected 1 or more, or None for no limit")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def endpoint(
    *,
    since: str,
    idempotent: bool = False,
    limit: int | None = None,
    replayable: bool = False,
    expires: float | None = None,
    ordered_by: str = "",
    allow: Iterable[str] | None = None,
) -> Callable[
    [Callable[Concatenate[Owner, Context, P], Coroutine[Any, Any, R]]],
    Endpoint[
        Callable[Concatenate[Owner, Context, P], Coroutine[Any, Any, R]],
        Callable[Concatenate[Context, P], Coroutine[Any, Any, R] | R],
    ],
]:
    """Mark an abstract method of an interface: ``since`` is the interface's version that brought it.

    An ``idempotent`` one may run twice with the effect of once, so that a call whose answer stays away is sent again
    within its deadline, and a cast that was interrupted by a kill runs again, where another one is parked. At most
    ``limit`` of it run at once in a process that serves it; a call beyond waits for half of the time that is left to
    it, and is then NotDelivered. Raises ProjectError for a definition that cannot travel.

    Only the roles in ``allow`` may ask for it: names of services, "operator" and "guest"; who has none of them is
    refused with NotAllowed. Without it, everyone may.

    Of casts: what was parked for its version is taken by itself, where it is ``replayable``, by the next member that
    starts and understands it. It is not run any more ``expires`` seconds after it was sent, by the clocks of sender and
    receiver. Casts to one host are run one after the other where they have the same value at ``ordered_by``, like
    ``"instance.uuid"``, whatever the endpoint; behind one that is parked, the later ones wait.
    """
    casting = Casting(replayable, expires, ordered_by)

    def mark(function: Any) -> Any:
        spec = EndpointSpec(function, since, idempotent=idempotent, limit=limit, casting=casting, allow=allow)
        function.__endpoint__ = spec
        function.__isabstractmethod__ = True
        for role in spec.ROLES:
            setattr(function, role, spec.registrar(role))
        return function

    return mark


def spec_of(function: Any) -> EndpointSpec:
    """What an endpoint declares. Raises TypeError for anything that is no endpoint of an interface."""
    spec = getattr(function, "__endpoint__", None)
    if not isinstance(spec, EndpointSpec):
        raise TypeError(f"received {function!r}, expected an endpoint of an interface, like ComputeAPI.reboot")
    return spec
