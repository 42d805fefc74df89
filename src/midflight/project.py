"""The table of contents of an application: its objects, interfaces, services, migrations and releases.

Nothing registers itself at import: what is not in the Project does not exist, and two projects can live in one process.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from midflight.context import Context, Database
from midflight.errors import InvalidValue, ProjectError
from midflight.migrations.online import DataMigration
from midflight.objects.base import VersionedObject
from midflight.objects.registry import Registry
from midflight.objects.remote import remotables_of
from midflight.references import is_reference, load
from midflight.rpc.endpoints import check_limit
from midflight.rpc.faults import Faults
from midflight.rpc.interface import Contract
from midflight.rpc.rights import CONDUCTOR, GUEST, OPERATOR, Roles
from midflight.spelling import meant
from midflight.transports.base import check_name
from midflight.versions import Release, load_releases

if TYPE_CHECKING:
    from sqlalchemy import MetaData

T = TypeVar("T")


@dataclass(frozen=True)
class Runtime:
    """What a running service gives to its application code."""

    service: str
    host: str
    state: Path
    """A folder for what this host keeps between two runs."""
    settings: Mapping[str, Any]
    """The ``[app]`` table of the configuration."""
    sockets: Sequence[socket.socket]
    """Listening sockets inherited from the supervisor; closing them here closes them for this process only."""
    new_context: Callable[..., Context] = field(repr=False)
    active_hosts: Callable[[str], list[str]] = field(repr=False)
    database: Database | None = None
    sleep: Callable[[], AbstractAsyncContextManager[None]] | None = field(default=None, repr=False)

    def context(self, **values: str) -> Context:
        """A context for work that starts here; ``values`` (project, user, …) travel with every message of it."""
        return self.new_context(values)

    def asleep(self) -> AbstractAsyncContextManager[None]:
        """Announce that this member sleeps in the block: ``async with runtime.asleep(): suspend()``. It is entered when
        that is written down, and raises what a call raises where nobody could hear of it. A sleeper is never lost, and
        holds no pin; when it wakes, it joins again."""
        assert self.sleep is not None, "a Runtime that was made by hand"
        return self.sleep()

    def hosts(self, topic: str) -> list[str]:
        """The hosts that serve a topic now, as far as this member has been told; sorted. Raises ProjectError in an
        agent: of many, none is told of all others."""
        return self.active_hosts(topic)


SHORTEST_ABSENCE = timedelta(minutes=5)
"""A shorter one may be a restart."""

OWN_NAMES = {
    "Fleet", "FleetView", "JournalEntry", "Member", "MigrationState", "ProofResult", "RunResult", "SweepResult",
    "VersionsAtRest", "MigrationDetail", "Comparison", "Traffic", "conductor", "member",
}  # fmt: skip
"""What midflight's own objects and interfaces are called on the wire, and so no project's may be."""

TABLES_EXPECTED = "a MetaData of SQLAlchemy's, or where one is: 'package.module:metadata'"

RUN_EXPECTED = "run must be an @asynccontextmanager that yields a list of implementations"

Run = Callable[[Runtime], AbstractAsyncContextManager[Sequence[object]]]


@dataclass(frozen=True)
class Service:
    """One kind of process of the fleet.

    ``run`` is an async context manager: it starts what the service needs, yields the implementations of the
    interfaces that it serves, and stops when the last accepted message has been answered. Where it is only named,
    ``"package.module:name"``, only processes of this service import it. ``agent`` services live on
    many hosts, do not know of all others, and are upgraded last, one by one. At most ``limit`` calls, casts and fanouts
    run at once in a process; a call beyond waits for half of the time that is left to it and is then NotDelivered, a
    cast waits at the broker.
    ``serves`` are the interfaces of those implementations, for `midflight broker config`; without it, the interface
    whose topic has the service's name, if there is one. ``evacuate`` moves what lives on this host away, as far as it
    can now, and says what is still here: `midflight fleet drain` has it called again and again until that is nothing.
    """

    name: str
    run: Run | str
    database: bool = False
    agent: bool = False
    limit: int | None = None
    serves: Sequence[type] | None = None
    evacuate: Callable[[Runtime], Awaitable[Sequence[str]]] | None = None

    def load_run(self) -> Run:
        """Its ``run``, imported now where it was only named. Raises ProjectError for what is no run."""
        if not isinstance(self.run, str):
            return self.run
        found = load(self.run, "run", f"service {self.name}")
        if not callable(found):
            raise ProjectError(where=f"service {self.name}", reason=f"{self.run}: {RUN_EXPECTED}")
        return cast("Run", found)


class Project:
    """An application as midflight sees it. Building one resolves all annotations and loads all frozen releases.

    Raises ProjectError for a definition that cannot work. ``schema`` is the folder of the schema revisions, ``tables``
    what they lead to: a MetaData, or ``"package.module:metadata"``, which is imported only where the database is open,
    so that an agent has no SQLAlchemy in memory. ``errors`` are the exceptions that may cross from a callee to its
    caller. ``skew_window`` says how many releases back peers may be while the fleet works; `midflight release check`
    holds the code to it, and a service that is further away does not start. ``store_window`` says the same of services
    that open the database. A member that was lost for longer than ``retire_after`` is retired; without it, only a
    person does that. With ``rehearse``, no upgrade may begin that was not rehearsed with exactly its code.
    """

    def __init__(
        self,
        name: str,
        *,
        objects: Iterable[type[VersionedObject]] = (),
        interfaces: Iterable[type] = (),
        services: Iterable[Service] = (),
        migrations: Iterable[DataMigration] = (),
        errors: Iterable[type[Exception]] = (),
        releases: Path | str | None = None,
        schema: Path | str | None = None,
        tables: MetaData | str | None = None,
        skew_window: int = 1,
        store_window: int = 1,
        retire_after: timedelta | None = None,
        rehearse: bool = False,
    ) -> None:
        _name("name", name)
        for name_, window in (("skew_window", skew_window), ("store_window", store_window)):
            _expect(name_, window, type(window) is int and window >= 0, "0 or more")
        fits = retire_after is None or (isinstance(retire_after, timedelta) and retire_after >= SHORTEST_ABSENCE)
        _expect("retire_after", retire_after, fits, f"None, or a timedelta of at least {SHORTEST_ABSENCE}")
        fits = is_reference(tables) if isinstance(tables, str) else tables is None or _is_metadata(tables)
        _expect("tables", tables, fits, TABLES_EXPECTED)
        _expect("rehearse", rehearse, isinstance(rehearse, bool), "True or False")
        self.name, self._tables, self.rehearse = name, tables, rehearse
        self.skew_window, self.store_window, self.retire_after = skew_window, store_window, retire_after
        objects, interfaces = _each("objects", objects, "objects"), _each("interfaces", interfaces, "interfaces")
        self.contract = _contract(name, objects, interfaces)
        self.services = _by_name(_services(_each("services", services, "Service(…)", Service)), "service")
        self.roles = Roles(self.services, [name for name, service in self.services.items() if service.database])
        _check_allowed(self.contract, self.roles.names)
        for name in self.services:
            self.topics_of(name)
        migrations = _each("migrations", migrations, "functions with @data_migration", DataMigration)
        self.migrations = _in_order(_by_name(migrations, "data migration"))
        """The data migrations by name; each stands behind those that it needs."""
        self.errors = _each("errors", errors, "classes of exceptions")
        Faults(self.errors)  # refuses what is none
        self.releases_dir, self.schema = _folder("releases", releases), _folder("schema", schema)
        self.releases: tuple[Release, ...] = load_releases(self.releases_dir) if self.releases_dir else ()
        """The frozen releases, oldest first."""

    @property
    def tables(self) -> MetaData | None:
        """What the revisions lead to, imported now where it was only named. Raises ProjectError for what cannot be
        imported, or is no MetaData."""
        if isinstance(self._tables, str):
            found = load(self._tables, "metadata", f"Project(tables={self._tables!r})")
            _expect("tables", found, _is_metadata(found), f"that {self._tables} is {TABLES_EXPECTED}")
            self._tables = cast("MetaData", found)
        return self._tables

    @property
    def registry(self) -> Registry:
        return self.contract.registry

    def service(self, name: str) -> Service:
        """A declared service. Raises ProjectError that lists what there is."""
        return _find(self.services, name, "service", self.name)

    def opens_database(self, name: str) -> bool:
        """Whether a conductor, or a declared service, opens the database."""
        return name == CONDUCTOR or self.service(name).database

    def is_agent(self, name: str) -> bool:
        """Whether a declared service lives on many hosts; a conductor does not."""
        return name != CONDUCTOR and self.service(name).agent

    def topics_of(self, service: str) -> tuple[str, ...]:
        """The topics on which a declared service takes work. Raises ProjectError for an interface of no topic here."""
        given = self.service(service).serves
        if given is None:
            return (service,) if service in self.contract.interfaces else ()
        for cls in given:
            if not any(cls is spec.cls for spec in self.contract.interfaces.values()):
                name = getattr(cls, "__name__", repr(cls))
                reason = f"serves {name}, which is not in Project(interfaces=…)"
                raise ProjectError(where=f"service {service}", reason=reason)
        return tuple(topic for topic, spec in self.contract.interfaces.items() if spec.cls in given)

    def migration(self, name: str) -> DataMigration:
        """A declared data migration. Raises ProjectError that lists what there is."""
        return _find(self.migrations, name, "data migration", self.name)

    def release(self, name: str) -> Release:
        """A frozen release. Raises ProjectError that lists what there is."""
        return _find({release.name: release for release in self.releases}, name, "release", self.name)


# What was given to a Project is what it takes; each of these raises ProjectError that names the argument.


def _expect(argument: str, received: object, fits: bool, expected: str) -> None:
    if not fits:
        shown = received.__name__ if isinstance(received, type) else repr(received)
        raise ProjectError(where=f"Project({argument}=…)", reason=f"received {shown}, expected {expected}")


def _is_metadata(tables: object) -> bool:
    """Who has made one has imported SQLAlchemy; this module does not."""
    sqlalchemy = sys.modules.get("sqlalchemy")
    return sqlalchemy is not None and isinstance(tables, sqlalchemy.MetaData)


def _name(argument: str, name: str) -> None:
    try:
        check_name(argument, name)
    except InvalidValue as wrong:
        _expect(argument, name, False, wrong.expected)


def _each(argument: str, items: Iterable[T], expected: str, kind: type = object) -> tuple[T, ...]:
    """The items of an argument, each of them once."""
    given: Any = items
    whole = isinstance(given, Iterable) and not isinstance(given, str | bytes | type)
    _expect(argument, items, whole, f"a list of {expected}")
    found: list[T] = []
    for item in items:
        _expect(argument, item, isinstance(item, kind), expected)
        _expect(argument, item, not any(item is other for other in found), "each of them once")
        found.append(item)
    return tuple(found)


def _folder(argument: str, path: Path | str | None) -> Path | None:
    _expect(argument, path, path is None or isinstance(path, Path | str), "the Path of a folder")
    return None if path is None else Path(path)


def _services(services: Iterable[Service]) -> Iterable[Service]:
    for service in services:
        _name("services", service.name)
        if service.name in (CONDUCTOR, OPERATOR, GUEST):
            reason = "is midflight's own, and every project has it: take it out, or give yours another name"
            raise ProjectError(where=f"service {service.name}", reason=reason)
        if not (is_reference(service.run) if isinstance(service.run, str) else callable(service.run)):
            raise ProjectError(where=f"service {service.name}", reason=RUN_EXPECTED)
        check_limit(service.limit, f"service {service.name}")
    return services


def _contract(project: str, objects: Iterable[type[VersionedObject]], interfaces: Iterable[type]) -> Contract:
    contract = Contract(Registry(objects, project), interfaces)
    for name in OWN_NAMES.intersection(contract.manifest):
        cls = contract.registry.objects.get(name) or contract.interfaces[name].cls
        if not cls.__module__.startswith("midflight."):
            reason = f"{name} is a name of midflight's own: give yours another one"
            raise ProjectError(where=f"{cls.__module__}.{cls.__qualname__}", reason=reason)
    return contract


def _check_allowed(contract: Contract, roles: Collection[str]) -> None:
    """A role that nobody can have is a slip."""
    endpoints = {
        f"{interface.cls.__name__}.{name}": spec.allow
        for interface in contract.interfaces.values()
        for name, spec in interface.endpoints.items()
    }
    remotables = {
        f"{cls.__name__}.{name}": found.allow
        for cls in contract.registry.objects.values()
        for name, found in remotables_of(cls).items()
    }
    for where, allow in (endpoints | remotables).items():
        if unknown := (allow or frozenset()) - {*roles}:
            reason = f"allow names {min(unknown)!r}, which is no role: there are {', '.join(roles)}"
            raise ProjectError(where=where, reason=reason)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def _by_name(items: Iterable[N], what: str) -> dict[str, N]:
    found: dict[str, N] = {}
    for item in items:
        if item.name in found:
            raise ProjectError(where=f"{what} {item.name}", reason="two of this name in one project")
        found[item.name] = item
    return found


def _in_order(migrations: dict[str, DataMigration]) -> dict[str, DataMigration]:
    """Those that others need first, else in the order in which they were given."""
    for each in migrations.values():
        for needed in each.needs:
            if needed not in migrations:
                reason = f"it needs {needed}, which is not in Project(migrations=…)"
                raise ProjectError(where=f"data migration {each.name}", reason=reason)
    waits = TopologicalSorter({name: each.needs for name, each in migrations.items()})
    return {name: migrations[name] for name in waits.static_order()}


def _find(known: Mapping[str, N], name: str, what: str, project: str) -> N:
    if name not in known:
        names = ", ".join(known) or "none"
        raise ProjectError(
            where=f"project {project}", reason=f"has no {what} {name!r}; it has {names}{meant(name, known)}"
        )
    return known[name]


def load_project(reference: str) -> Project:
    """Import ``package.module:attribute``, looking in the current folder first.

    Raises ProjectError that names the file and line of what is wrong.
    """
    if not is_reference(reference):
        raise ProjectError(where="project", reason=f"received {reference!r}, expected package.module:attribute")
    found = load(reference, "project", "project")
    if not isinstance(found, Project):
        raise ProjectError(where=reference, reason=f"received {type(found).__name__}, expected a Project")
    return found
