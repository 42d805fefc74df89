"""Interfaces: the contracts between services, and the contract of a whole project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from midflight.errors import ProjectError
from midflight.objects.registry import Registry
from midflight.rpc.endpoints import Endpoint, EndpointSpec, endpoint, param, parsed, spec_of
from midflight.rpc.forms import Form, Saying, form_in, saying
from midflight.versions import Manifest, Version

__all__ = ["Contract", "Endpoint", "EndpointSpec", "Interface", "InterfaceSpec", "endpoint", "param", "spec_of"]

_TOPIC = re.compile(r"[A-Za-z0-9_-]+")


class Interface(Protocol):
    """The contract of a service: a Protocol whose methods are endpoints.

    ``class ComputeAPI(Interface, Protocol, topic="compute", version="4.0", serves=("3.35",))`` is spoken in 4.0, and
    its services also serve peers of major 3, up to 3.35, through the adapters beside its endpoints. A service class
    derives from it; one that forgets an endpoint cannot be instantiated.
    """

    topic: ClassVar[str] = ""
    version: ClassVar[Version] = Version(0, 0)
    serves: ClassVar[tuple[Version, ...]] = ()

    def __init_subclass__(cls, *, topic: str = "", version: str = "", serves: tuple[str, ...] = ()) -> None:
        super().__init_subclass__()
        if topic or version or serves:
            _check_names(cls)
            cls.topic, cls.version = topic, parsed(version, cls.__name__)
            cls.serves = tuple(sorted(parsed(older, cls.__name__) for older in serves))
            _check_interface(cls)
            for spec in _own_specs(cls):
                spec.interface = cls


def _check_names(cls: type) -> None:
    for name, value in vars(cls).items():
        if hasattr(value, "__endpoint__") and (name in ("topic", "version", "serves") or name != spec_of(value).method):
            raise ProjectError(where=f"{cls.__name__}.{name}", reason="an endpoint cannot have this name")


def _check_interface(cls: type[Interface]) -> None:
    majors = [older.major for older in cls.serves]
    if not (isinstance(cls.topic, str) and _TOPIC.fullmatch(cls.topic)):
        raise ProjectError(where=cls.__name__, reason=f"topic {cls.topic!r} is not letters, digits, - and _")
    if len(set(majors)) < len(majors) or any(major >= cls.version.major for major in majors):
        reason = f"serves names older majors than {cls.version.major}, each once, at its highest version"
        raise ProjectError(where=cls.__name__, reason=reason)


def _own_specs(cls: type) -> list[EndpointSpec]:
    return [value.__endpoint__ for value in vars(cls).values() if hasattr(value, "__endpoint__")]


@dataclass(frozen=True, slots=True)
class InterfaceSpec:
    """One interface of a project, its annotations resolved."""

    cls: Any
    topic: str
    version: Version
    serves: tuple[Version, ...]
    endpoints: Mapping[str, EndpointSpec]
    forms: Mapping[int, Mapping[str, Form]]
    """What is served: by major, by the endpoint's name in that major."""

    def understands(self, version: Version) -> bool:
        """Whether a request of this version can be served, if its endpoint was there already."""
        return any(version.major == served.major and version <= served for served in (*self.serves, self.version))

    @property
    def understood(self) -> str:
        """The highest version of each major that is served."""
        return ", ".join(map(str, (*self.serves, self.version)))


class Contract:
    """All that one project says on the wire: its objects and its interfaces.

    Building it resolves all annotations; raises ProjectError that names the place of whatever cannot travel.
    """

    def __init__(self, registry: Registry, interfaces: Iterable[Any]) -> None:
        self.registry, self.project = registry, registry.project
        self.interfaces: dict[str, InterfaceSpec] = {}
        self._topics: dict[EndpointSpec, str] = {}
        self._sayings: dict[tuple[EndpointSpec, Version], Saying] = {}
        for cls in interfaces:
            self._add(cls)
        versions = {topic: interface.version for topic, interface in self.interfaces.items()}
        self.manifest = Manifest({**registry.manifest, **versions}, registry.manifest.readable_from)

    def _add(self, cls: Any) -> None:
        topic, name = getattr(cls, "topic", ""), getattr(cls, "__name__", repr(cls))
        if not (isinstance(topic, str) and topic and "topic" in getattr(cls, "__dict__", {})):
            raise ProjectError(where=name, reason='is no interface: give it topic="…" and version="…"')
        if topic in self.interfaces or topic in self.registry.objects:
            raise ProjectError(where=name, reason=f"topic {topic} is the name of another interface or object")
        endpoints = _endpoints_of(cls)
        for spec in endpoints.values():
            self._topics[spec] = topic
        self.interfaces[topic] = InterfaceSpec(
            cls, topic, cls.version, cls.serves, endpoints, _forms(cls, endpoints, self.registry)
        )

    def interface(self, topic: str) -> InterfaceSpec:
        """One interface by its topic. Raises ProjectError when the project has no such interface."""
        if topic not in self.interfaces:
            raise ProjectError(where=f"Project {self.project}", reason=f"has no interface {topic}: {self._known()}")
        return self.interfaces[topic]

    def _known(self) -> str:
        return f"it has {', '.join(self.interfaces) or 'none'}"

    def topic_of(self, spec: EndpointSpec) -> str:
        """The topic of an endpoint. Raises ProjectError when its interface is not in the project."""
        if spec not in self._topics:
            where = spec.function.__qualname__
            raise ProjectError(where=where, reason="its interface is not in this project: Project(interfaces=…)")
        return self._topics[spec]

    def saying(self, spec: EndpointSpec, manifest: Manifest) -> Saying:
        """How to say an endpoint to peers with this manifest, at most in our own version. Raises PinnedOut."""
        topic = self.topic_of(spec)
        own = self.interfaces[topic].version
        version = min(manifest.get(topic, Version(0, 0)), own)
        if (spec, version) not in self._sayings:
            form = form_in(spec, topic, version.major, self.registry)
            self._sayings[spec, version] = saying(form, spec, topic, version)
        return self._sayings[spec, version]


def _endpoints_of(cls: Any) -> dict[str, EndpointSpec]:
    """The endpoints of an interface and of those that it extends. Raises ProjectError for a wrong one."""
    found = {name: getattr(cls, name) for name in dir(cls) if hasattr(getattr(cls, name, None), "__endpoint__")}
    endpoints = {name: spec_of(function) for name, function in found.items()}
    for spec in endpoints.values():
        _check_ages(cls, spec)
    return endpoints


def _check_ages(cls: Any, spec: EndpointSpec) -> None:
    ages = [spec.since, *spec.boundaries, *(p.since for p in spec.parameters.values() if p.since)]
    if max(ages) > cls.version:
        reason = f"speaks of version {max(ages)}, but the interface is of version {cls.version}"
        raise ProjectError(where=f"{cls.__name__}.{spec.method}", reason=reason)


def _forms(cls: Any, endpoints: Mapping[str, EndpointSpec], registry: Registry) -> dict[int, dict[str, Form]]:
    """What is served. The forms that are only said are built once too, so that what is wrong in them is seen now."""
    for spec in endpoints.values():
        for before in spec.boundaries:
            form_in(spec, cls.topic, before.major - 1, registry)
    return {served.major: _forms_in(served.major, cls, endpoints, registry) for served in (*cls.serves, cls.version)}


def _forms_in(major: int, cls: Any, endpoints: Mapping[str, EndpointSpec], registry: Registry) -> dict[str, Form]:
    forms: dict[str, Form] = {}
    for spec in endpoints.values():
        form = form_in(spec, cls.topic, major, registry)
        if form is not None and forms.setdefault(form.name, form) is not form:
            reason = f"two endpoints are called {form.name} in major {major}"
            raise ProjectError(where=f"{cls.__name__}.{spec.method}", reason=reason)
        _check_served(cls, spec, major)
    return forms


def _check_served(cls: Any, spec: EndpointSpec, major: int) -> None:
    for twin, role in (("revert", "adapt"), ("revert_reply", "adapt_reply")):
        for before in spec.adapters[twin]:
            if before.major > major and before not in spec.adapters[role]:
                reason = f"serves major {major}, and has a {twin} before {before} but no {role}"
                raise ProjectError(where=f"{cls.__name__}.{spec.method}", reason=reason)
