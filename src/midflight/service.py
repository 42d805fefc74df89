"""A service from its start to its end: join, serve, beat, drain, leave."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from midflight import telemetry
from midflight.conductor import overrides, windows
from midflight.conductor.client import RemoteConductor, RemoteRegistrar
from midflight.conductor.contract import contract_of, release_of
from midflight.conductor.floors import FirstWords, PinFloors
from midflight.conductor.interface import FleetView, Member, MemberAPI
from midflight.conductor.membership import MemberServer, Membership, ViewFile
from midflight.conductor.rejections import ReportingMessenger, SenderTeller
from midflight.config import Config, public_url
from midflight.context import Caller, Context
from midflight.context import Conductor as ConductorPort
from midflight.context import Database as DatabasePort
from midflight.context import Messenger as MessengerPort
from midflight.errors import ConfigError, DatabaseForbidden, ProjectError, UsageError
from midflight.evacuation import Evacuation
from midflight.observed import probes_of, tracing_of
from midflight.probes import Standing
from midflight.project import Project, Run, Runtime, Service
from midflight.rpc.client import Floors, Messenger
from midflight.rpc.dispatch import Dispatcher
from midflight.rpc.interface import Contract
from midflight.rpc.limits import Line
from midflight.rpc.logbook import Logbook
from midflight.rpc.repeats import Notes
from midflight.rpc.rights import CONDUCTOR
from midflight.rpc.server import CASTS, Server
from midflight.rpc.threads import Threads
from midflight.runs import NotARun, manager_of, mistakes_of
from midflight.spelling import meant
from midflight.telemetry import log
from midflight.transports import connect
from midflight.transports.base import Address, Identity
from midflight.transports.hands import ended
from midflight.versions import Manifest

if TYPE_CHECKING:  # the door to the database, see _import_database_part
    from midflight.conductor.opened import Opened
    from midflight.conductor.server import ConductorServer
    from midflight.db.engine import Database

COUNTERS_SECONDS = 60.0
"""So long, at least, a service that works waits until it logs its counters again: they change at each beat, which is
counted itself, and a fleet has thousands of members."""

_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}")


def _known_service(project: Project, name: str) -> str:
    """The name, if the project has such a service. Raises ProjectError that lists what there is."""
    if name not in (known := (CONDUCTOR, *project.services)):
        reason = f"has no service {name!r}; it has {', '.join(known)}{meant(name, known)}"
        raise ProjectError(where=f"project {project.name}", reason=reason)
    return name


def _import_database_part() -> type[Opened]:
    """The door to the database: SQLAlchemy and Alembic are imported behind it only, and an agent does without their
    20 MB. Called before there is anything that an import could hold up."""
    from midflight.conductor.opened import Opened

    return Opened


class RunningService:
    """One service, running in this process; a process may run several of them.

    Each step of the start pushes what undoes it; stopping is the same list backwards: it announces that it drains,
    takes no new work and finishes what is in hand, lets the application stop, leaves the fleet, closes what it opened.
    """

    def __init__(
        self, project: Project, config: Config, service: str, host: str, sockets: Sequence[socket.socket] = ()
    ) -> None:
        self.project, self.config, self.host, self.sockets = project, config, _host(host), tuple(sockets)
        self.service = _known_service(project, service)
        self.release, self.contract = self._words()
        self.id = f"{service}.{host}.{secrets.token_hex(4)}"
        """Its address among the members; it begins with who we are to the broker, so nobody else can listen there."""
        self.identity = Caller(service, host, self.release, self.id, 0, self.contract.manifest)
        self.floors = PinFloors(self.contract.manifest, self._overrides(config))
        self.transport = connect(
            config.broker, name=self.id, project=project.name, identity=Identity(service, host),
            credentials=config.credentials, path=config.path,
        )  # fmt: skip
        self.state = "starting"
        """Then ``ready``, and ``draining``."""
        self.topics: tuple[str, ...] = ()
        """On which it takes work, once it is ready."""
        self.probes, self.traces = probes_of(config, self.standing), tracing_of(config, self.standing())
        self._run: Run = self._serve_rows if service == CONDUCTOR else project.service(service).load_run()
        self._database_part = _import_database_part() if self.opens_database else None
        self.opened: Opened | None = None
        """What it has where it opens the database."""
        self._counted: list[dict[str, Any]] = []
        self._counted_at = -COUNTERS_SECONDS
        self._messengers: list[Messenger] = []

    def _words(self) -> tuple[str, Contract]:
        """The release that it is, and all that it can say."""
        return release_of(self.project), contract_of(self.project)

    def _overrides(self, config: Config) -> dict[str, Manifest | None]:
        return overrides.of(config, self.project, sorted(self.contract.interfaces))

    @classmethod
    @asynccontextmanager
    async def running(
        cls, project: Project, config: Config, service: str, host: str, *, sockets: Sequence[socket.socket] = ()
    ) -> AsyncIterator[Self]:
        """Start a service, and stop it at the end of the block."""
        running = cls(project, config, service, host, sockets)
        async with AsyncExitStack() as stack:
            await running._start(stack)
            yield running

    @property
    def opens_database(self) -> bool:
        """Whether it is declared with a database."""
        return self.project.opens_database(self.service)

    def context(self, values: Mapping[str, str] | None = None, **more: Any) -> Context:
        """A context for work in this process."""
        return Context(
            values=dict(values or {}), service=self.service, conductor=self._conductor, messenger=self._messenger,
            database=self._rows, **more,
        )  # fmt: skip

    # The start, in order.

    async def _start(self, stack: AsyncExitStack) -> None:
        self._announce(stack)
        await self._let_watch(stack)
        await self._connect(stack)
        await self._open_database(stack)
        self._prepare_to_speak()
        await self._listen_as_member(stack)
        await self._join(stack)
        implementations = await stack.enter_async_context(self._application())
        await self._take_work(stack, implementations)
        self.state = "ready"
        log.info("service.ready", member=self.id, release=self.release, epoch=self.floors.epoch)

    def _announce(self, stack: AsyncExitStack) -> None:
        facts = {"service": self.service, "host": self.host, "member": self.id}
        log.info("service.starting", **facts, release=self.release, code=self.code)
        self._tell_overrides()
        stack.callback(lambda: log.info("service.stopped", member=self.id))  # at the level of that time
        for passed in self.sockets:
            stack.callback(passed.close)

    def _tell_overrides(self) -> None:
        for topic, release in self.config.levels.items():
            log.warning("pin.overridden", topic=topic, release=release, by=self.config.path)

    def standing(self) -> Standing:
        """Who it is, and how it stands now."""
        return Standing(self.service, self.host, self.release, self.id, self.floors.epoch, self.state)

    async def _let_watch(self, stack: AsyncExitStack) -> None:
        """From before all that can be seen of it to after that."""
        if self.probes is not None:
            await self.probes.open()
            stack.push_async_callback(self.probes.close)
        if self.traces is not None:
            stack.push_async_callback(self.traces.close)

    @property
    def code(self) -> str:
        """The folder of the project's code that this process really runs."""
        module = sys.modules.get(self.config.project.partition(":")[0])
        file = getattr(module, "__file__", None)
        return str(Path(file).absolute().parent) if file else ""

    async def _connect(self, stack: AsyncExitStack) -> None:
        await self.transport.open()
        stack.push_async_callback(self.transport.close)
        stack.callback(self._log_counters)

    async def _open_database(self, stack: AsyncExitStack) -> None:
        """Raises DatabaseForbidden, ConfigError, SchemaTooOld, OutsideWindow and what opening it raises."""
        url = self.config.database
        if not self.opens_database:
            if url is not None:
                given = public_url(url) if "://" in url else "a database"
                raise DatabaseForbidden(service=self.service, url=given)
            return
        if url is None:
            reason = f"is missing, and {self.service} opens the database: set it, or MIDFLIGHT_DATABASE"
            raise ConfigError(path=self.config.path, where="[midflight] database", reason=reason)
        assert self._database_part is not None
        self.opened = await self._database_part.open(stack, url, self.project, self.identity, self.contract.manifest)

    @property
    def database(self) -> Database | None:
        """The rows, where it opens the database."""
        return self.opened.database if self.opened else None

    @property
    def server(self) -> ConductorServer | None:
        """Who answers from the rows; it serves a fleet in a conductor only."""
        return self.opened.server if self.opened else None

    def _prepare_to_speak(self) -> None:
        """From here on there are contexts: a remotable runs here if the database is here, else on a conductor."""
        self._conductor: ConductorPort | None = None if self.database else RemoteConductor(self.floors)
        self._messenger: MessengerPort = ReportingMessenger(
            self._messenger_under(self.floors), self.identity, lambda facts: self.membership.note_rejected(facts)
        )
        self._rows: DatabasePort | None = self.database
        if self.traces is not None:
            ports = self._conductor, self._messenger, self._rows
            self._conductor, self._messenger, self._rows = self.traces.around(*ports, self.contract)
        joining = replace(self.context(), messenger=self._messenger_under(FirstWords(self.floors)))
        self.membership = Membership(
            self._member(), self.floors, self.server or RemoteRegistrar(), joining,
            ViewFile(self._view_file), self._obey, self._log_counters_seldom,
        )  # fmt: skip

    def _messenger_under(self, floors: Floors) -> Messenger:
        messenger = Messenger(
            self.contract, self.transport, self.identity, floors,
            errors=self.project.errors, call_seconds=self.config.call_seconds,
        )  # fmt: skip
        self._messengers.append(messenger)
        return messenger

    @property
    def _view_file(self) -> Path:
        """One for each service and host, since they may share a folder."""
        return self.config.state_dir / f"{self.service}-{self.host}.view.msgpack"

    def _member(self) -> Member:
        return Member(
            id=self.id, service=self.service, host=self.host, release=self.release,
            manifest=self.contract.manifest.digest, database=self.opens_database, code=self.code,
            overrides=dict(self.config.levels), beat_seconds=self.config.beat_seconds,
        )  # fmt: skip

    async def _obey(self, view: FleetView) -> None:
        if self.opened is not None:
            await self.opened.obey(view)

    async def _listen_as_member(self, stack: AsyncExitStack) -> None:
        self._evacuation = self._new_evacuation()
        stack.push_async_callback(lambda: self._evacuation.stop())
        threads = Threads()
        stack.callback(threads.close)
        self._dispatcher = Dispatcher(
            self.contract, self.identity, self.transport, self._context_of_work,
            errors=self.project.errors, on_rejected=SenderTeller(self.context), threads=threads,
            roles=self.project.roles, notes=self._notes(stack), traced=self.traces.run if self.traces else None,
        )  # fmt: skip
        self._dispatcher.add(MemberServer(self.membership, self.empty_host))
        listening = Server(self.transport, self._dispatcher)
        await listening.serve(Address(MemberAPI.topic, self.id), limit=0)
        stack.push_async_callback(self._drained, listening)

    def _notes(self, stack: AsyncExitStack) -> Notes:
        """Where it is noted what has run: where the effects are."""
        if self.opened is not None:
            return self.opened.inbox(stack)
        logbook = Logbook(self.config.state_dir, f"{self.service}@{self.host}", self.id)
        logbook.open()
        stack.callback(logbook.close)
        return logbook

    def _context_of_work(
        self, values: Mapping[str, str], request_id: str, caller: Caller, deadline: float | None
    ) -> Context:
        return Context(values, request_id, caller, self.service, self._conductor, self._messenger, self._rows, deadline)

    async def _join(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self.membership.leave)  # a start that is given up may have been heard already
        await self.membership.join()
        if self.database is None:  # else its own rows have told more
            windows.check_view(self.floors.view, self.project, self.service, self.release)
        beating = asyncio.create_task(self.membership.beat_for_ever(), name=f"beats of {self.id}")
        stack.push_async_callback(ended, beating)

    @asynccontextmanager
    async def _application(self) -> AsyncIterator[Sequence[object]]:
        """The application's part. Raises ProjectError for a run that is none, or a class that lacks an endpoint."""
        declared = self._declared()
        async with AsyncExitStack() as stack:
            with mistakes_of(declared):
                manager = manager_of(self._run(self._runtime()))
                implementations = await stack.enter_async_context(manager)
                if not isinstance(implementations, Sequence) or isinstance(implementations, str | bytes):
                    raise NotARun
            yield implementations

    def _runtime(self) -> Runtime:
        return Runtime(
            service=self.service, host=self.host, state=self.config.state_dir, settings=self.config.app,
            sockets=self.sockets, new_context=self.context, active_hosts=self._hosts, database=self._rows,
            sleep=self.membership.asleep,
        )  # fmt: skip

    def _hosts(self, topic: str) -> list[str]:
        """Raises ProjectError in an agent, which is told of one host of each kind only."""
        if self._declared().agent:
            reason = "is an agent: there are many, and none is told of all hosts. Ask a service that is no agent"
            raise ProjectError(where=f"hosts({topic!r}) in service {self.service}", reason=reason)
        return self.floors.hosts(topic)

    def _declared(self) -> Service:
        if self.service != CONDUCTOR:
            return self.project.service(self.service)
        return Service(CONDUCTOR, self._run, database=True)

    def _serve_rows(self, _: Runtime) -> AbstractAsyncContextManager[Sequence[object]]:
        """The run of a conductor."""
        return _served(self.server)

    async def _take_work(self, stack: AsyncExitStack, implementations: Sequence[object]) -> None:
        """Others must know what we understand before the first of them can reach us."""
        limit = self._declared().limit
        line = Line(limit, f"service {self.service}") if limit else None
        for implementation in implementations:
            self._dispatcher.add(implementation, line)
        self._check_served()
        topics = [t for t in self.contract.interfaces if t != MemberAPI.topic and self._dispatcher.serves(t)]
        self.topics = tuple(topics)
        await self.membership.serve(topics)
        if self.opened is not None:
            await self.opened.test_itself()
        working = Server(self.transport, self._dispatcher)
        stack.push_async_callback(self._drained, working)
        for topic in topics:
            await working.serve(Address(topic, self.host), limit=limit or CASTS)
        if self.opened is not None:
            self.opened.go_on(stack)
        stack.push_async_callback(self._begin_to_drain)

    def _check_served(self) -> None:
        """The broker's rights are those of what is declared."""
        if self.service == CONDUCTOR or self.project.service(self.service).serves is None:
            return
        declared = self.project.topics_of(self.service)
        if more := [t for t in self.project.contract.interfaces if self._dispatcher.serves(t) and t not in declared]:
            reason = f"its run yields an implementation of {more[0]}, which is not in Service(serves=…)"
            raise ProjectError(where=f"service {self.service}", reason=reason)

    async def empty_host(self, undo: bool) -> list[str] | None:
        """By an operator's word: announce that it takes no new work, and let the application move away what lives here;
        or ``undo`` that. What is in hand goes on, and so does all that others ask of this host. Returns what is still
        here, None while that is not known; ask again until it is nothing."""
        if undo:
            await self._evacuation.stop()
            self._evacuation = self._new_evacuation()
            await self.membership.undrain()
            return []
        if not self.membership.drains:
            log.info("service.emptying", member=self.id)
            await self.membership.drain()
        return await self._evacuation.go_on()

    def _new_evacuation(self) -> Evacuation:
        hook = self._declared().evacuate
        return Evacuation(partial(hook, self._runtime()) if hook else None)

    async def _drained(self, server: Server) -> None:
        await server.drain(self.config.drain_seconds)

    async def _begin_to_drain(self) -> None:
        self.state = "draining"
        log.info("service.draining", member=self.id, seconds=self.config.drain_seconds)
        await self.membership.drain()

    # While it works.

    def reload(self) -> None:
        """Read the configuration file again. What may change while we work does, and what waits for a restart is named
        in the log. A mistake in the file changes nothing, and is told in one line."""
        try:
            found = Config.load(Path(self.config.path))
            levels = self._overrides(found)
        except ConfigError as wrong:
            log.error("config.refused", reason=str(wrong), holds="the configuration from before")
            return
        changed, waiting = self.config.differences(found)
        self._live_under(self.config.changed_live(found), levels)
        log.info("config.reloaded", path=self.config.path, changed=changed)
        if waiting:
            log.warning("config.needs_restart", path=self.config.path, entries=waiting)

    def _live_under(self, config: Config, levels: Mapping[str, Manifest | None]) -> None:
        before, self.config = self.config, config
        for messenger in self._messengers:
            messenger.call_seconds = config.call_seconds
        self.floors.override(levels)
        self.membership.say_again(config.levels, config.beat_seconds)
        if config.levels != before.levels:
            self._tell_overrides()

    def _log_counters_seldom(self) -> None:
        if (now := time.monotonic()) - self._counted_at >= COUNTERS_SECONDS:
            self._counted_at = now
            self._log_counters()

    def _log_counters(self) -> None:
        counted = telemetry.counted()
        if counted != self._counted:
            self._counted = counted
            log.info("telemetry.counters", member=self.id, counters=counted)


@asynccontextmanager
async def _served(*implementations: object) -> AsyncIterator[Sequence[object]]:
    yield implementations


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        reason = f"received host {host[:100]!r}, expected 1 to 63 letters, digits, - and _: give another with --host"
        raise UsageError(reason=reason)
    return host
