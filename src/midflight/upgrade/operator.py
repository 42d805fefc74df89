"""An operator inside the fleet, for as long as one command runs: asks the conductors, and is no member."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

from midflight.conductor.contract import contract_of, release_of
from midflight.conductor.data_objects import Comparison, MigrationDetail, ProofResult, SweepResult
from midflight.conductor.floors import FirstWords
from midflight.conductor.interface import ConductorAPI, Fleet, JournalEntry, Member, VersionsAtRest
from midflight.conductor.record import USER
from midflight.conductor.traffic import Traffic
from midflight.conductor.visit import identity_here
from midflight.config import Config, public_url
from midflight.context import Caller, Context
from midflight.errors import NoConductor, NotDelivered, VersionRejected
from midflight.project import Project
from midflight.rpc.client import Client, Floors, Messenger, Unpinned
from midflight.rpc.rights import OPERATOR
from midflight.telemetry import log
from midflight.transports import connect
from midflight.transports.base import ParkedMessage, Transport
from midflight.upgrade import roster
from midflight.upgrade.at_rest import merged
from midflight.upgrade.verdict import Status, Verdict
from midflight.versions import Manifest

R = TypeVar("R")
Late = Callable[[Fleet, int], list[Member]]
"""Who of a fleet is waited for, and has not acknowledged an epoch."""

LOOK_SECONDS = 0.2
"""How often an operator who waits looks again."""
ROWS = 500
"""Rows whose objects are counted at once."""
COUNT_SECONDS = 30.0
"""How long a count of so many rows may take to answer."""
LONG_SECONDS = 600.0
"""How long a chunk of rows, or a proof over all rows, may take to answer."""


class Operator:
    """Asks whatever conductor answers. Each method raises NoConductor when none does.

    ``newest`` is the context of what was not always to be asked: a conductor that is older raises VersionRejected.
    """

    def __init__(self, context: Context, newest: Context, project: str, broker: str, transport: Transport) -> None:
        self._transport = transport
        self._context, self._newest, self._project, self._broker = context, newest, project, broker
        self._conductor = Client(ConductorAPI)
        self._patient, self._counting = self._conductor.within(LONG_SECONDS), self._conductor.within(COUNT_SECONDS)

    def in_the_name_of(self, user: str) -> Operator:
        """The same, for somebody who asks through this process: the journal will say so."""
        context, newest = (each.with_values(**{USER: user}) for each in (self._context, self._newest))
        return Operator(context, newest, self._project, self._broker, self._transport)

    async def fleet(self) -> Fleet:
        """All facts of the fleet, now; they are as old as it took to ask."""
        begun = time.monotonic()
        fleet = await self._asked(self._conductor.call(ConductorAPI.fleet, self._context))
        fleet.age = time.monotonic() - begun
        return fleet

    async def acknowledge(self, fact: str, reason: str, seconds: float) -> datetime:
        """Take the risk of a gate's fact for so long; until when that is. Raises UsageError and VersionRejected."""
        return await self._asked(
            self._conductor.call(ConductorAPI.acknowledge, self._newest, fact, reason, seconds)
        )  # fmt: skip

    async def withdraw(self, fact: str) -> None:
        """Take the risk of a fact no longer. Raises UsageError and VersionRejected."""
        await self._asked(self._conductor.call(ConductorAPI.withdraw, self._newest, fact))

    async def note(self, verdict: Verdict, target: str, *, soaks: bool = False) -> None:
        """Write down what a gate said. A conductor that is older keeps no such notes, and nothing is written."""
        because = {fact.name: fact.words for fact in verdict.because if fact.status is not Status.PASS}
        said = verdict.step, target, verdict.status.value, because, soaks
        try:
            await self._asked(self._conductor.call(ConductorAPI.note_verdict, self._newest, *said))
        except VersionRejected as older:
            log.info("upgrade.not_noted", step=verdict.step, reason=str(older))

    async def journal(self, after: int | None, kinds: Sequence[str] = (), limit: int = 100) -> list[JournalEntry]:
        """Entries of these kinds, oldest first: the first behind one, or the latest. Raises VersionRejected."""
        return await self._asked(
            self._conductor.call(ConductorAPI.journal_page, self._newest, after, list(kinds), limit)
        )  # fmt: skip

    async def traffic(self) -> list[Traffic]:
        """What conductors answered, minute by minute, oldest first. Raises VersionRejected."""
        return await self._asked(self._conductor.call(ConductorAPI.traffic, self._newest))

    async def set_pin(self, topic: str, release: str) -> int:
        """Pin a topic, or ``*`` for all; the epoch to wait for."""
        return await self._asked(self._conductor.call(ConductorAPI.set_pin, self._context, topic, release))

    async def clear_pin(self, topic: str) -> int:
        """Take the pin of a topic, or of ``*``, away; the epoch to wait for."""
        return await self._asked(self._conductor.call(ConductorAPI.clear_pin, self._context, topic))

    async def retire(self, member: str) -> None:
        """Take a dead member out of all counts."""
        await self._asked(self._conductor.call(ConductorAPI.retire_member, self._context, member))

    async def drain(self, member: str, *, undo: bool = False) -> list[str] | None:
        """Have a member empty its host; what is still there. Raises VersionRejected."""
        return await self._asked(self._conductor.call(ConductorAPI.drain_member, self._newest, member, undo))

    async def manifests(self, fleet: Fleet, known: Mapping[str, Manifest] | None = None) -> dict[str, Manifest]:
        """What the members of a fleet understand, by digest. A digest stands for its content: what is ``known`` is not
        asked for again."""
        wanted = {member.manifest for member in fleet.members}
        found = {digest: manifest for digest, manifest in (known or {}).items() if digest in wanted}
        for digest in sorted(wanted - set(found)):
            if said := await self._asked(self._conductor.call(ConductorAPI.manifest, self._context, digest)):
                found[digest] = Manifest.from_wire(said)
        return found

    async def parked(self) -> list[ParkedMessage]:
        """All parked messages, oldest first."""
        return await self._transport.parked()

    async def replay(self, message: ParkedMessage) -> None:
        """Send a parked message again, when it is in the journal. Raises VersionRejected."""
        await self._note("replayed", message)
        await self._transport.replay(message, secrets.token_hex(4))

    async def discard(self, message: ParkedMessage) -> bool:
        """Keep it parked no longer, when that is in the journal. Says whether it was parked. Raises VersionRejected."""
        await self._note("discarded", message)
        return await self._transport.discard(message.address, message.message_id)

    async def _note(self, act: str, message: ParkedMessage) -> None:
        facts = {"address": str(message.address), **message.facts, "message_id": message.message_id}
        await self._asked(self._conductor.call(ConductorAPI.note_parked, self._newest, act, facts))

    async def sweep(self, name: str, limit: int) -> SweepResult:
        """One chunk of a data migration."""
        return await self._asked(self._patient.call(ConductorAPI.sweep, self._context, name, limit))

    async def sweep_paced(self, name: str) -> SweepResult:
        """One chunk of a data migration, of the size that the fleet's pace allows. Raises VersionRejected."""
        return await self._asked(self._patient.call(ConductorAPI.sweep_paced, self._newest, name))

    async def steer(self, name: str, act: str) -> None:
        """Start, pause, resume or cancel a data migration in the background. Raises VersionRejected."""
        await self._asked(self._conductor.call(ConductorAPI.steer, self._newest, name, act))

    async def brake(self, on: bool) -> None:
        """Stop all data migrations, or let them go on. Raises VersionRejected."""
        await self._asked(self._conductor.call(ConductorAPI.brake, self._newest, on))

    async def pace(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the pace of all data migrations; all settings of it. Raises InvalidValue and VersionRejected."""
        return await self._asked(self._conductor.call(ConductorAPI.pace, self._newest, changes))

    async def migration(self, name: str) -> MigrationDetail:
        """All that is known of one data migration. Raises VersionRejected."""
        return await self._asked(self._conductor.call(ConductorAPI.migration, self._newest, name))

    async def retry(self, name: str) -> SweepResult:
        """Try failed rows again, some hundreds of them. Raises VersionRejected."""
        return await self._asked(self._patient.call(ConductorAPI.retry, self._newest, name))

    async def compare(self, name: str, after: list[Any], limit: int, *, sample: bool = False) -> Comparison:
        """Compare both forms of some rows. Raises VersionRejected."""
        return await self._asked(self._patient.call(ConductorAPI.compare, self._newest, name, after, limit, sample))

    async def prove(self, name: str) -> ProofResult:
        """Compare both forms of all rows of a data migration."""
        return await self._asked(self._patient.call(ConductorAPI.prove, self._context, name))

    async def advance_form(self, name: str, to: str) -> int:
        """Move the write form of a data migration by one arrow; the epoch to wait for."""
        return await self._asked(self._patient.call(ConductorAPI.advance_form, self._context, name, to))

    async def raise_store_floor(self, release: str) -> None:
        """Let no release before this one open the database again."""
        await self._asked(self._conductor.call(ConductorAPI.raise_store_floor, self._context, release))

    async def versions_at_rest(self) -> VersionsAtRest:
        """Which versions of objects are in rows, all over the database. Raises VersionRejected."""
        found = await self._rows_behind([])
        while found.after:
            found = merged(found, await self._rows_behind(found.after))
        return found

    async def _rows_behind(self, key: list[Any]) -> VersionsAtRest:
        return await self._asked(self._counting.call(ConductorAPI.versions_at_rest, self._newest, key, ROWS))

    async def _asked(self, question: Awaitable[R]) -> R:
        try:
            return await question
        except NotDelivered as wrong:
            raise NoConductor(project=self._project, broker=self._broker, reason=wrong.reason) from None

    async def wait_for(self, epoch: int, seconds: float, late: Late = roster.behind) -> list[Member]:
        """Wait until an epoch is acknowledged. Returns those who have not acknowledged it in the end."""
        until = time.monotonic() + seconds
        while True:
            missing = late(await self.fleet(), epoch)
            if not missing or time.monotonic() >= until:
                return missing
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def operating(config: Config, project: Project) -> AsyncIterator[Operator]:
    """Connect to the broker for one command. Raises BrokerUnreachable."""
    transport = connect(
        config.broker, name=_name(), project=project.name, identity=identity_here(OPERATOR),
        credentials=config.credentials, path=config.path,
    )  # fmt: skip
    await transport.open()
    try:
        newest = Unpinned(contract_of(project).manifest)
        first, last = (_context(config, project, transport, floors) for floors in (FirstWords(newest), newest))
        yield Operator(first, last, project.name, public_url(config.broker), transport)
    finally:
        await transport.close()


def _name() -> str:
    return f"{OPERATOR}-{identity_here(OPERATOR).host}-{os.getpid()}"


def _context(config: Config, project: Project, transport: Transport, floors: Floors) -> Context:
    contract = contract_of(project)
    identity = Caller(OPERATOR, identity_here(OPERATOR).host, release_of(project), _name(), 0, contract.manifest)
    messenger = Messenger(
        contract, transport, identity, floors, errors=project.errors, call_seconds=config.call_seconds
    )  # fmt: skip
    return Context(service=OPERATOR, messenger=messenger)
