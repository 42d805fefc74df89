"""Forms: how one endpoint is said in one major version, and what leads from it to our own version and back.

Pure functions on arguments and results. The receiver *hears* a request in an older form and makes it new; the sender
*says* a new request in the form of an older peer, or learns that it cannot be said.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from midflight.errors import InvalidValue, PinnedOut, ProjectError
from midflight.objects.coercion import Refused
from midflight.objects.kinds import Kind
from midflight.objects.registry import Registry
from midflight.rpc.endpoints import REQUIRED, EndpointSpec, Parameter, parameters_of
from midflight.versions import Version

Step = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Adapt:
    """One step forward across a major, at a receiver: old arguments → newer ones."""

    step: Step
    takes: Mapping[str, Parameter]

    def __call__(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.step(**{**defaults_of(self.takes), **arguments}))


@dataclass(frozen=True, slots=True)
class Revert:
    """One step back across a major, at a sender: new arguments → old ones."""

    step: Step
    what: str
    before: str
    takes: Mapping[str, Parameter]
    newer: Mapping[str, Parameter]

    def __call__(self, arguments: Mapping[str, Any], pinned: str) -> dict[str, Any]:
        """The older arguments. Raises PinnedOut for an argument of which the older form knows nothing."""
        full = {**defaults_of(self.newer), **arguments}
        for name in full.keys() - self.takes.keys():
            if not (name in self.newer and self.newer[name].is_default(full[name])):
                raise PinnedOut(what=f"{self.what}({name}={full[name]!r})", needs=self.before, pinned=pinned)
        taken = {name: value for name, value in full.items() if name in self.takes}
        return dict(self.step(**{**defaults_of(self.takes), **taken}))


@dataclass(frozen=True, slots=True)
class Form:
    """One endpoint in one major version; ``name`` is its name there, ``since`` the first version that has it."""

    spec: EndpointSpec
    topic: str
    what: str
    name: str
    since: Version
    parameters: Mapping[str, Parameter]
    kinds: Mapping[str, Kind]
    result: Kind
    adapts: tuple[Adapt, ...]
    adapt_replies: tuple[Step, ...]
    reverts: tuple[Revert, ...]
    revert_replies: tuple[Step, ...]
    lacks: str
    """Why a sender of our version cannot say it in this major; empty when it can."""

    def hear(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments for our own implementation, complete. Raises InvalidValue for a missing one."""
        for name, parameter in self.parameters.items():
            if name not in given:
                given[name] = self._default(parameter)
        for adapt in self.adapts:
            given = adapt(given)
        return {**defaults_of(self.spec.parameters), **given} if self.adapts else given

    def _default(self, parameter: Parameter) -> Any:
        if parameter.default is REQUIRED:
            expected = f"{self.kinds[parameter.name].name}: this argument is required"
            raise InvalidValue(path=f"{self.what}({parameter.name})", received="nothing", expected=expected)
        return parameter.default

    def reply(self, result: Any) -> Any:
        """What our implementation returned, in this form."""
        for adapt in self.adapt_replies:
            result = adapt(result)
        return result


@dataclass(frozen=True, slots=True)
class Saying:
    """How one endpoint is said to peers whose interface is of one version."""

    form: Form
    version: str
    too_new: tuple[Parameter, ...]

    def request(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments that go on the wire. Raises PinnedOut, and InvalidValue for a value of a wrong kind."""
        form = self.form
        for revert in form.reverts:
            arguments = revert(arguments, f"{form.topic} {self.version}")
        for parameter in self.too_new:
            if parameter.name in arguments:
                arguments = self._without(parameter, dict(arguments))
        try:
            return {name: form.kinds[name].convert(value) for name, value in arguments.items()}
        except Refused:  # once more, to say which one
            return {name: form.kinds[name].coerce(value, f"{form.what}({name})") for name, value in arguments.items()}

    def _without(self, parameter: Parameter, arguments: dict[str, Any]) -> dict[str, Any]:
        value = arguments.pop(parameter.name)
        if not parameter.is_default(value):
            form = self.form
            what = f"{form.what}({parameter.name}={value!r})"
            raise PinnedOut(what=what, needs=f"{form.topic} {parameter.since}", pinned=f"{form.topic} {self.version}")
        return arguments

    def result(self, value: Any) -> Any:
        """The peer's result, as our own version of the endpoint promises it."""
        for revert in self.form.revert_replies:
            value = revert(value)
        return value


def saying(form: Form | None, spec: EndpointSpec, topic: str, version: Version) -> Saying:
    """Raises PinnedOut where an endpoint cannot be said in ``version``."""
    pinned = f"{topic} {version}" if version.major else f"no {topic}"
    if form is None:
        raise PinnedOut(what=f"{topic}.{spec.method}", needs=f"{topic} {spec.since}", pinned=pinned)
    if form.lacks:
        raise PinnedOut(what=f"{form.what}, {form.lacks},", needs=f"{topic} {spec.boundaries[-1]}", pinned=pinned)
    if version < form.since:
        raise PinnedOut(what=form.what, needs=f"{topic} {form.since}", pinned=pinned)
    newer = [p for p in form.parameters.values() if p.since is not None and version < p.since]
    return Saying(form, str(version), tuple(newer))


def defaults_of(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The default of each parameter that has one."""
    return {name: parameter.default for name, parameter in parameters.items() if parameter.default is not REQUIRED}


def form_in(spec: EndpointSpec, topic: str, major: int, registry: Registry) -> Form | None:
    """The form of an endpoint in a major version, or None where that has no such endpoint.

    1. find the changes between that major and ours 2. whose name and signature it has there 3. the steps between.
    Raises ProjectError for annotations that cannot travel.
    """
    crossed = [before for before in spec.boundaries if before.major > major]
    if spec.since.major > major and not any(before.major <= spec.since.major for before in crossed):
        return None
    what = f"{topic}.{spec.method}"
    steps = {role: [found[before] for before in crossed if before in found] for role, found in spec.adapters.items()}
    parameters, kinds = _request_of(steps["adapt"][0] if steps["adapt"] else None, spec, what, registry)
    return Form(
        spec=spec,
        topic=topic,
        what=what,
        name=_name_before(spec, crossed),
        since=spec.since if spec.since.major <= major else Version(major, 0),
        parameters=parameters,
        kinds=kinds,
        result=_result_of(steps["revert_reply"][0] if steps["revert_reply"] else None, spec, what, registry),
        adapts=tuple(Adapt(step, parameters_of(step, f"{what}.adapt")) for step in steps["adapt"]),
        adapt_replies=tuple(reversed(steps["adapt_reply"])),
        reverts=tuple(_revert(spec, b, topic, what) for b in reversed(crossed) if _has(spec, "revert", b)),
        revert_replies=tuple(steps["revert_reply"]),
        lacks=_lacks(spec, crossed),
    )


def _has(spec: EndpointSpec, role: str, before: Version) -> bool:
    return before in spec.adapters[role]


def _name_before(spec: EndpointSpec, crossed: list[Version]) -> str:
    names = [spec.was[before] for before in crossed if before in spec.was]
    return names[0] if names else spec.method


def _request_of(
    adapt: Step | None, spec: EndpointSpec, what: str, registry: Registry
) -> tuple[dict[str, Parameter], dict[str, Kind]]:
    """Parameters and their kinds: those of the oldest adapter that applies, which has the old signature, or our own."""
    parameters = spec.parameters if adapt is None else parameters_of(adapt, f"{what}.adapt")
    hints = hints_of(spec.function if adapt is None else adapt, what)
    return parameters, {name: _kind(hints, name, f"{what}({name})", registry) for name in parameters}


def _result_of(revert_reply: Step | None, spec: EndpointSpec, what: str, registry: Registry) -> Kind:
    if revert_reply is None:
        return _kind(hints_of(spec.function, what), "return", f"{what}, its result", registry)
    names = list(parameters_of(revert_reply, f"{what}.revert_reply"))
    if len(names) != 1:
        raise ProjectError(where=f"{what}.revert_reply", reason=f"takes the old result alone, not ({', '.join(names)})")
    return _kind(hints_of(revert_reply, what), names[0], f"{what}.revert_reply", registry)


def _kind(hints: Mapping[str, Any], name: str, where: str, registry: Registry) -> Kind:
    if name not in hints:
        raise ProjectError(where=where, reason="has no annotation: write the type that travels")
    return registry.kind(hints[name], where)


def hints_of(function: Callable[..., Any], where: str) -> dict[str, Any]:
    """Resolved annotations. Raises ProjectError."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as wrong:  # noqa: BLE001  # evaluating an annotation can raise anything
        raise ProjectError(where=where, reason=f"an annotation cannot be resolved: {wrong}") from None


def _revert(spec: EndpointSpec, before: Version, topic: str, what: str) -> Revert:
    """A step back, with the parameters on its newer side: our own, or those that the next younger adapter reads."""
    step = spec.adapters["revert"][before]
    younger = [b for b in spec.boundaries if b > before and _has(spec, "adapt", b)]
    newer = parameters_of(spec.adapters["adapt"][younger[0]], what) if younger else spec.parameters
    return Revert(step, what, f"{topic} {before}", parameters_of(step, f"{what}.revert"), newer)


def _lacks(spec: EndpointSpec, crossed: list[Version]) -> str:
    for before in crossed:
        for role, twin in (("adapt", "revert"), ("adapt_reply", "revert_reply")):
            if _has(spec, role, before) and not _has(spec, twin, before):
                return f"which changed in {before} and has no {twin}"
    return ""
