"""One interface in words: its endpoints as each served major says them, and the adapters between the majors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from midflight.errors import MidflightError
from midflight.objects.allowance import allow_in_words
from midflight.objects.bodies import digest_of
from midflight.objects.contract import Words, argument, listed, says, spell
from midflight.rpc.endpoints import REQUIRED, EndpointSpec, Parameter
from midflight.rpc.forms import Form
from midflight.rpc.interface import InterfaceSpec
from midflight.versions import Version


def interface_in_words(interface: InterfaceSpec) -> Words:
    """Version, older majors that are served, endpoints by major, adapters. Raises ProjectError where the source of an
    adapter is not at hand."""
    words: Words = {"version": str(interface.version)}
    if interface.serves:
        words["serves"] = [str(version) for version in interface.serves]
    words["endpoints"] = _endpoints(interface, interface.version)
    for version in interface.serves:
        words[f"endpoints_in_{version.major}"] = _endpoints(interface, version)
    found = {name: _adapters(spec) for name, spec in sorted(interface.endpoints.items()) if spec.boundaries}
    return words | ({"adapters": found} if found else {})


def _endpoints(interface: InterfaceSpec, version: Version) -> Words:
    forms = interface.forms[version.major]
    return {name: _endpoint(forms[name], version) for name in sorted(forms) if forms[name].since <= version}


def _endpoint(form: Form, version: Version) -> str:
    """A parameter that came after this version is no part of it: a peer that speaks it never sends one."""
    there = [p for p in form.parameters.values() if p.since is None or p.since <= version]
    arguments = [argument(p.name, form.kinds[p.name], _given(p), p.since) for p in there]
    return listed(
        f"({', '.join(arguments)}) -> {spell(form.result)}",
        f"since {form.since}",
        "idempotent" if form.spec.idempotent else "",
        *form.spec.casting.words,
        allow_in_words(form.spec.allow),
        "heard only" if form.lacks else "",
    )


def _given(parameter: Parameter) -> Any:
    return inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default


def _adapters(spec: EndpointSpec) -> Words:
    """``adapt_before_4 = "flavor_was_an_id, was build_instance, body 5f3c91aa: …"``."""
    return {
        f"{role}_before_{before.major}": _adapter(function, spec.was.get(before, ""))
        for role in spec.ROLES
        for before, function in sorted(spec.adapters[role].items())
    }


def _adapter(function: Callable[..., Any], was: str) -> str:
    return f"{listed(function.__name__, was and f'was {was}', f'body {digest_of(function)}')}: {says(function)}"


def errors_in_words(errors: Iterable[type[Exception]]) -> Words:
    """``NotFound = "(what, key)"``: the errors that cross, by name, with what they are made from at the other end."""
    return {kind.__name__: f"({', '.join(_facts(kind))})" for kind in sorted(errors, key=lambda kind: kind.__name__)}


def _facts(kind: type[Exception]) -> Iterable[str]:
    if issubclass(kind, MidflightError):
        return kind.fact_names()
    if not inspect.isfunction(kind.__init__):
        return ("*args",)
    return (str(p.replace(annotation=p.empty)) for p in [*inspect.signature(kind.__init__).parameters.values()][1:])
