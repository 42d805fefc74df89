"""What a conductor does when it is asked: remotables, the members' comings and goings, pins, forms and migrations.

A service that opens the database itself asks this class in its own process; everybody else asks it over rpc.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection

from midflight.conductor import (
    arrivals,
    manifests,
    members,
    pin_rows,
    pins,
    proving,
    record,
    store_floor,
    traffic_rows,
    window_rows,
    windows,
)
from midflight.conductor.background import Background
from midflight.conductor.beats import Beats, Said
from midflight.conductor.contract import contract_of, release_of
from midflight.conductor.data_facts import compared, detail
from midflight.conductor.data_objects import Comparison, MigrationDetail, ProofResult, SweepResult
from midflight.conductor.fleet import entries, gather
from midflight.conductor.holding import held_proof, hold
from midflight.conductor.interface import (
    NOTHING,
    ConductorAPI,
    Fleet,
    FleetView,
    JournalEntry,
    Member,
    MemberAPI,
    RunResult,
    VersionsAtRest,
)
from midflight.conductor.latency import Latency
from midflight.conductor.rejections import decided, told_in_a_beat
from midflight.conductor.rounds import Rounds
from midflight.conductor.sweeper import Sweeper, refuse_braked, result_of, told_of
from midflight.conductor.traffic import Tally, Traffic
from midflight.conductor.viewing import Views
from midflight.context import Context
from midflight.db import at_rest, forms, journal
from midflight.db.clock import now
from midflight.db.engine import Database
from midflight.db.epoch import current_epoch, next_epoch
from midflight.db.write_form import Form
from midflight.errors import InvalidValue, MidflightError, UnknownField, UnknownRemotable, UsageError
from midflight.migrations import control, lease, runner
from midflight.migrations.control import Act
from midflight.migrations.online import DataMigration
from midflight.migrations.progress import Progress
from midflight.objects import wire
from midflight.objects.nested import restore
from midflight.objects.remote import remotable_of
from midflight.project import Project
from midflight.rpc.client import Client
from midflight.rpc.repeats import Running
from midflight.rpc.rights import not_allowed
from midflight.spelling import meant
from midflight.telemetry import log
from midflight.transports.base import are_names

P = ParamSpec("P")
T = TypeVar("T")

MOST_ROWS = 1_000
"""So many rows are read at once at most; others wait for the database meanwhile."""

TELL_SECONDS = 2.0
"""How long one member is waited for that is told of a change."""

_DECIDED: Mapping[str, journal.Kind] = {"replayed": "parked.replayed", "discarded": "parked.discarded"}
"""What an operator may do with a parked message."""

_remotable = functools.cache(remotable_of)
"""A class is looked through once, not at each call; what is refused is not remembered."""


class ConductorServer(ConductorAPI):
    """Implements ConductorAPI on a database. ``member`` is who answers, for the record; ``clock`` tells the time."""

    def __init__(
        self, project: Project, database: Database, member: str = "", clock: Callable[[], datetime] = now
    ) -> None:
        self._project, self._database, self._member, self._clock = project, database, member, clock
        self._release = release_of(project)
        self._topics = sorted(contract_of(project).interfaces)
        self._members = Client(MemberAPI)
        self.beats = Beats(database, clock)
        """The beats of members, of which some are written a moment after they are answered."""
        self._views = Views(database, clock, self.beats.flush)
        self._latency = Latency()
        self._sweeper = Sweeper(database, self._latency)
        self._tally = Tally(self._release, self._latency.took)
        self.rounds = Rounds(database, self._tally, member, retire_after=project.retire_after)
        """What a conductor does once a minute, where it is run."""
        self.background = Background(project, database, self._sweeper, member)
        """Migrates rows where it is run; one of a fleet's at a time does something."""

    # Remotables

    async def run(
        self, context: Context, object: str, version: str, method: str, target: msgspec.Raw, arguments: msgspec.Raw
    ) -> RunResult:
        cls: Any = self._project.registry.get(object)
        remotable = _remotable(cls, method, self._release)
        caller = context.caller
        if caller is not None and not self._project.roles.admit(remotable.allow, caller.service):
            raise not_allowed(f"{object}.{method}", f"{caller.service}@{caller.host}", remotable.allow or ())
        sender = caller.manifest if caller else None
        try:
            given = wire.decode_fields(
                arguments, remotable.kinds(cls), context=context, sender=sender, path=f"{object}.{method}"
            )
        except UnknownField as newer:
            argument = f"{method}({newer.field})"
            raise UnknownRemotable(object=object, method=argument, release=self._release) from None
        remotable.require(cls, given)
        subject: Any = cls
        if not remotable.is_class_method:
            subject = wire.decode(target, self._project.registry.kind(cls), context=context, sender=sender, path=object)
        with self._tally.measured(caller, self._project.errors):
            result = await remotable.run_here(cls, subject, context, given)
        shown = None if remotable.is_class_method else subject
        # Afterwards, when the answer is on its way: nobody waits for the count.
        shared = [result if remotable.result_kind(cls).objects else None, shown]
        asyncio.get_running_loop().call_soon(self._tally.reply, shared, caller)
        said = {"result": _reply(result, context), "target": NOTHING if shown is None else _reply(shown, context)}
        answer: RunResult = restore(RunResult.__shape__.resolve(), said)
        return answer

    # Members

    async def hello(self, context: Context, member: Member, manifest: dict[str, list[str]]) -> FleetView:
        members.check(member)
        members.check_speaker("conductor.hello", member.id, context.caller)
        understood = arrivals.manifest_of(manifest)
        windows.check_said(member, understood, self._project.releases)
        if not self._views.know(member.service, member.manifest):  # one more of those who are there changes nothing
            await self._database.read(arrivals.admit, member, self._project, self._clock())
        lower, epoch = await self._database.write(arrivals.register, member, understood, self._project, self._clock())
        if lower or not self._views.covers(members.kind_of(member)):  # of a kind that is known, one more can wait
            self._views.forget()
        self.beats.forget(member.id)
        log.info("fleet.joined", member=member.id, release=member.release, topics=member.topics)
        if lower:
            await self._tell(context)
        return await self._view_for(member.service, epoch)

    async def _view_for(self, service: str, epoch: int = 0) -> FleetView:
        """There are many agents, and none of them chooses among hosts."""
        declared = self._project.services.get(service)
        views = self._views
        return await (views.current_short(epoch) if declared and declared.agent else views.current(epoch))

    async def beat(
        self, context: Context, member: str, state: str, epoch: int, view: str, rejected: list[dict[str, str]]
    ) -> FleetView | None:
        members.check_speaker("conductor.beat", member, context.caller)
        await self.beats.beat(member, _said(state, epoch), told_in_a_beat(rejected))
        present = await self._view_for(member.partition(".")[0], epoch)
        return present if present.id != view else None

    async def leave(self, context: Context, member: str) -> None:
        members.check_speaker("conductor.leave", member, context.caller)
        self.beats.forget(member)
        if await self._write(context, arrivals.retire, member, "member.left"):
            log.info("fleet.left", member=member)

    async def retire_member(self, context: Context, member: str) -> None:
        if not await self._write(context, arrivals.retire, member):
            raise UsageError(reason=f"there is no member {member!r} to retire: see midflight fleet list")
        self.beats.forget(member)
        self._views.forget()

    async def drain_member(self, context: Context, member: str, undo: bool) -> list[str] | None:
        if not await self._database.read(members.is_member, member):
            raise UsageError(reason=f"there is no member {member!r} to drain: see midflight fleet list")
        left = await self._members.on(member).call(MemberAPI.drain, context, undo)
        self._views.forget()
        if await self._write(context, arrivals.note_drain, member, undo):
            await self._tell_who_chooses(context)
        return left

    async def _tell_who_chooses(self, context: Context) -> None:
        """That a host gets no new work, or does again: only services that are no agents choose among hosts. Who is not
        reached learns of it by its next beat."""
        agents = {name for name, service in self._project.services.items() if service.agent}
        try:
            others = await self._database.read(members.of_services, agents, self._clock())
            view = await self._views.current_short()
        except MidflightError as unread:  # the order is given, and written down
            log.warning("fleet.not_told", reason=str(unread))
            return
        soon = self._members.within(TELL_SECONDS)
        told = (soon.on(each).call(MemberAPI.view_changed, context, view) for each in others)
        for wrong in await asyncio.gather(*told, return_exceptions=True):
            if wrong is not None:
                log.warning("fleet.not_told", epoch=view.epoch, reason=str(wrong))

    async def manifest(self, context: Context, digest: str) -> dict[str, list[str]] | None:
        found = await self._database.read(manifests.find, [digest])
        return found[digest].to_wire() if digest in found else None

    # What operators read

    async def fleet(self, context: Context) -> Fleet:
        releases = [release.name for release in self._project.releases]
        by = f"{self._member} ({self._release})"
        known = self._project.migrations.values()
        await self.beats.flush()
        facts = await self._database.read(gather, known, releases, by, self._clock())
        windows.mark_outdated(facts.members, self._project)
        return facts

    async def journal(self, context: Context, since: datetime | None) -> list[JournalEntry]:
        return await self._database.read(entries, self._clock(), since=since)

    async def versions_at_rest(self, context: Context, after: list[Any], limit: int) -> VersionsAtRest:
        if not 1 <= limit <= MOST_ROWS:
            raise UsageError(reason=f"received limit {limit}, expected 1 to {MOST_ROWS} rows")
        tables = self._project.tables
        if tables is None:
            return VersionsAtRest()
        return VersionsAtRest(**vars(await self._database.read(at_rest.count, tables, after, limit)))

    async def journal_page(
        self, context: Context, after: int | None, kinds: list[str], limit: int
    ) -> list[JournalEntry]:
        return await self._database.read(record.page, self._clock(), after, kinds, limit)

    async def traffic(self, context: Context) -> list[Traffic]:
        return await self._database.read(traffic_rows.by_minute, self._clock())

    # What operators change

    async def _write(
        self, context: Context, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write, and let the journal say who asked for it, by the word of the broker."""
        return await self._database.write(journal.signed(record.who(context, self._member), work), *args, **kwargs)

    async def acknowledge(self, context: Context, fact: str, reason: str, seconds: float) -> datetime:
        return await self._write(context, record.acknowledge, fact, reason, seconds, self._clock())

    async def withdraw(self, context: Context, fact: str) -> None:
        await self._write(context, record.withdraw, fact, self._clock())

    async def note_verdict(
        self, context: Context, step: str, target: str, status: str, because: dict[str, str], soaks: bool
    ) -> None:
        await self._write(context, record.note_verdict, step, target, status, because, soaks=soaks)

    async def set_pin(self, context: Context, topic: str, release: str) -> int:
        if topic not in (pins.EVERY_TOPIC, *self._topics):
            known = ", ".join(self._topics) + meant(topic, self._topics)
            raise UsageError(reason=f"received topic {topic!r}, expected {pins.EVERY_TOPIC!r} or one of {known}")
        manifest = pins.pinned_manifest(topic, release, self._project.releases)
        await self._database.read(window_rows.check_pin, self._project, release)
        epoch = await self._write(context, pin_rows.set_pin, topic, release, manifest)
        return await self._changed(context, epoch)

    async def clear_pin(self, context: Context, topic: str) -> int:
        return await self._changed(context, await self._write(context, pin_rows.clear_pin, topic))

    async def advance_form(self, context: Context, name: str, to: str) -> int:
        migration, form = self._migration(name), _form(to)
        write, releases = functools.partial(self._write, context), self._project.releases
        advanced = await proving.advance(self._database, write, migration, form, releases)
        epoch = await self._changed(context, advanced)
        if form is Form.NEW:
            await hold(self._database, migration)
        return epoch

    async def raise_store_floor(self, context: Context, release: str) -> None:
        if release not in (known := [each.name for each in self._project.releases]):
            names = (", ".join(known) or "none yet") + meant(release, known)
            raise UsageError(reason=f"received release {release!r}, expected one of {names}")
        await self._changed(context, await self._write(context, self._raise_floor, release))

    def _raise_floor(self, connection: Connection, release: str) -> int:
        raised = store_floor.raise_to(connection, release, self._project.releases)
        return next_epoch(connection) if raised else current_epoch(connection)

    async def _changed(self, context: Context, epoch: int) -> int:
        self._views.forget()
        await self._tell(context, epoch)
        return epoch

    async def _tell(self, context: Context, epoch: int = 0) -> None:
        """What concerns everyone. Who wants to know of all hosts asks at once."""
        view = await self._views.current_short(epoch)
        try:
            await self._members.fanout(MemberAPI.view_changed, context, view)
        except MidflightError as wrong:  # the change is made, and everybody learns of it at the next beat
            log.warning("fleet.not_told", epoch=view.epoch, reason=str(wrong))

    async def note_parked(self, context: Context, act: str, facts: dict[str, str]) -> None:
        if (kind := _DECIDED.get(act)) is None:
            raise UsageError(reason=f"received act {act!r}, expected 'replayed' or 'discarded'")
        await self._write(context, journal.write, kind, decided(facts))

    # Data migrations

    async def sweep(self, context: Context, name: str, limit: int) -> SweepResult:
        with Running(None):
            return result_of(name, await self._write(context, _sweep, self._migration(name), limit))

    async def sweep_paced(self, context: Context, name: str) -> SweepResult:
        return await self._sweeper.chunk(self._migration(name))

    async def steer(self, context: Context, name: str, act: str) -> None:
        if act not in set(Act):
            raise UsageError(reason=f"received act {act!r}, expected one of {', '.join(Act)}{meant(act, Act)}")
        await self._write(context, control.steer, self._migration(name), Act(act))
        self.background.kick()

    async def brake(self, context: Context, on: bool) -> None:
        await self._write(context, lease.set_brake, on)
        self.background.kick()

    async def pace(self, context: Context, changes: dict[str, Any]) -> dict[str, Any]:
        pace = (await self._database.read(lease.read)).pace
        if changes:
            pace = await self._write(context, lease.set_pace, changes)
        found: dict[str, Any] = msgspec.to_builtins(pace)
        return found

    async def migration(self, context: Context, name: str) -> MigrationDetail:
        return await self._database.read(detail, self._migration(name), self._clock())

    async def retry(self, context: Context, name: str) -> SweepResult:
        with Running(None):
            return result_of(name, await self._write(context, _retry, self._migration(name)))

    async def prove(self, context: Context, name: str) -> ProofResult:
        migration = self._migration(name)
        if await self._database.read(forms.current_of, name) is Form.NEW:
            return await held_proof(self._database, migration)
        return await proving.proven(self._database, functools.partial(self._write, context), migration, self._clock())

    async def compare(self, context: Context, name: str, after: list[Any], limit: int, sample: bool) -> Comparison:
        if not 1 <= limit <= MOST_ROWS:
            raise UsageError(reason=f"received limit {limit}, expected 1 to {MOST_ROWS} rows")
        return await self._database.read(compared, self._migration(name), after, limit, sample)

    def _migration(self, name: str) -> DataMigration:
        if name not in (known := self._project.migrations):
            names = (", ".join(known) or "none") + meant(name, known)
            raise UsageError(reason=f"release {self._release} has no data migration {name!r}; it has {names}")
        return self._project.migration(name)


def _sweep(connection: Connection, migration: DataMigration, limit: int) -> Progress:
    runner.begin(connection)
    refuse_braked(connection, migration)
    progress = runner.sweep(connection, migration, limit)
    if progress.matched:
        journal.write(connection, "migration.chunks", told_of(migration.name, progress))
    return progress


def _retry(connection: Connection, migration: DataMigration) -> Progress:
    runner.begin(connection)
    refuse_braked(connection, migration)
    return control.retry(connection, migration)


def _reply(value: Any, context: Context) -> msgspec.Raw:
    """In the caller's own versions at once, so that nothing needs a second trip."""
    manifest = context.caller.manifest if context.caller else None
    return msgspec.Raw(wire.encode(value, manifest, where=wire.REPLY, peer=str(context.caller or "")))


def _said(state: str, epoch: int) -> Said:
    """Raises InvalidValue for what no row can keep, before others' beats are written with it."""
    if not are_names(state):
        raise InvalidValue(path="beat(state)", received=repr(state)[:200], expected="a word")
    if not 0 <= epoch < 2**31:
        raise InvalidValue(path="beat(epoch)", received=str(epoch)[:200], expected="the number of an epoch")
    return Said(state, epoch)


def _form(name: str) -> Form:
    try:
        return Form(name)
    except ValueError:
        expected = ", ".join(repr(form.value) for form in Form) + meant(name, Form)
        raise UsageError(reason=f"received write form {name!r}, expected one of {expected}") from None
