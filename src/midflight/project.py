"""The table of contents of an application: its objects, interfaces, services, migrations and releases.

Nothing registers itself at import: what is not in the Project does not exist, and two projects can live in one process.
"""

from __future__ import annotations

import importlib
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import MetaData

from midflight.context import Context, Database
from midflight.errors import InvalidValue, ProjectError
from midflight.migrations.online import DataMigration
from midflight.objects.base import VersionedObject
from midflight.objects.registry import Registry
from midflight.rpc.interface import Contract
from midflight.transports.base import check_name
from midflight.versions import Release, load_releases


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

    def context(self, **values: str) -> Context:
        """A context for work that starts here; ``values`` (project, user, …) travel with every message of it."""
        return self.new_context(values)

    def hosts(self, topic: str) -> list[str]:
        """The hosts that serve a topic now, as far as this member has been told; sorted."""
        return self.active_hosts(topic)


CONDUCTOR = "conductor"
"""The service that every project has; it needs no declaration."""

Run = Callable[[Runtime], AbstractAsyncContextManager[Sequence[object]]]


@dataclass(frozen=True)
class Service:
    """One kind of process of the fleet.

    ``run`` is an async context manager: it starts what the service needs, yields the implementations of the
    interfaces that it serves, and stops when the last accepted message has been answered. ``agent`` services live on
    many hosts and are upgraded last, one by one.
    """

    name: str
    run: Run
    database: bool = False
    agent: bool = False


class Project:
    """An application as midflight sees it. Building one resolves all annotations and loads all frozen releases.

    Raises ProjectError for a definition that cannot work. ``schema`` is the folder of the schema revisions, ``tables``
    what they lead to; ``errors`` are the exceptions that may cross from a callee to its caller. ``skew_window`` says
    how many releases back peers may be while the fleet works; `midflight release check` holds the code to it.
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
        releases: Path | None = None,
        schema: Path | None = None,
        tables: MetaData | None = None,
        skew_window: int = 1,
    ) -> None:
        if skew_window < 0:
            raise ProjectError(
                where=f"project {name}", reason=f"received skew_window={skew_window}, expected 0 or more"
            )
        _check_names(name, services := tuple(services))
        self.name, self.skew_window = name, skew_window
        self.contract = Contract(Registry(objects, name), interfaces)
        self.services = _by_name(services, "service")
        self.migrations = _by_name(migrations, "data migration")
        self.errors = tuple(errors)
        self.releases: tuple[Release, ...] = load_releases(releases) if releases else ()
        """The frozen releases, oldest first."""
        self.releases_dir, self.schema, self.tables = releases, schema, tables

    @property
    def registry(self) -> Registry:
        return self.contract.registry

    def service(self, name: str) -> Service:
        """A declared service. Raises ProjectError that lists what there is."""
        return _find(self.services, name, "service", self.name)

    def migration(self, name: str) -> DataMigration:
        """A declared data migration. Raises ProjectError that lists what there is."""
        return _find(self.migrations, name, "data migration", self.name)

    def release(self, name: str) -> Release:
        """A frozen release. Raises ProjectError that lists what there is."""
        return _find({release.name: release for release in self.releases}, name, "release", self.name)


def _check_names(project: str, services: Iterable[Service]) -> None:
    try:
        check_name("name", project)
    except InvalidValue as wrong:
        raise ProjectError(where=f"project {project}", reason=f"its {wrong}".rstrip(".")) from None
    if any(service.name == CONDUCTOR for service in services):
        reason = "is midflight's own, and every project has it: take it out, or give yours another name"
        raise ProjectError(where=f"service {CONDUCTOR}", reason=reason)


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


def _find(known: Mapping[str, N], name: str, what: str, project: str) -> N:
    if name not in known:
        names = ", ".join(known) or "none"
        raise ProjectError(where=f"project {project}", reason=f"has no {what} {name!r}; it has {names}")
    return known[name]


def load_project(reference: str) -> Project:
    """Import ``package.module:attribute``, looking in the current folder first.

    Raises ProjectError that names the file and line of what is wrong.
    """
    module_name, _, attribute = reference.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module_name), attribute or "project")
    except ProjectError as wrong:
        raise ProjectError(where=f"{_last_line(wrong)}: {wrong.where}", reason=wrong.reason) from None
    except (Exception, SystemExit) as wrong:  # noqa: BLE001  # whatever a user's module raises
        raise ProjectError(where=_last_line(wrong), reason=f"{type(wrong).__name__}: {wrong}".rstrip(".")) from None
    if not isinstance(found, Project):
        raise ProjectError(where=reference, reason=f"received {type(found).__name__}, expected a Project")
    return found


def _last_line(wrong: BaseException) -> str:
    """Where in the user's own files it went wrong."""
    if isinstance(wrong, SyntaxError) and wrong.filename:
        return f"{wrong.filename}:{wrong.lineno}"
    ours = Path(__file__).parent
    frames = [f for f in traceback.extract_tb(wrong.__traceback__) if not _foreign(f.filename, ours)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "project"


def _foreign(filename: str, ours: Path) -> bool:
    return (
        filename.startswith("<")
        or Path(filename).is_relative_to(ours)
        or Path(filename).is_relative_to(importlib.__path__[0])
    )
