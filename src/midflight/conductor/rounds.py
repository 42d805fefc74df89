"""What a conductor does once a minute: it keeps what it counted, and notes who was lost and who is back."""

from __future__ import annotations

import asyncio
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from midflight import telemetry
from midflight.conductor import members, traffic
from midflight.conductor.interface import Member, State
from midflight.conductor.traffic import Minutes, Tally
from midflight.db import journal
from midflight.db.clock import now
from midflight.db.engine import Database
from midflight.errors import MidflightError

LOST, BACK = "member.lost", "member.back"
_LATEST = 1_000
"""So many of the last entries say whose loss was noted."""


class Rounds:
    """Runs in each conductor. What is left of a minute is kept at the end, too."""

    def __init__(self, database: Database, tally: Tally, member: str, minutes: Minutes | None = None) -> None:
        self._database, self._tally, self._member = database, tally, member
        self._minutes = minutes or Minutes()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(self._minutes.left)
                if (minute := self._minutes.over()) is not None:
                    await self.go(minute)
        finally:
            await self._keep(self._minutes.present)

    async def go(self, minute: int) -> None:
        """One round, at the end of a minute."""
        await self._keep(minute)
        try:
            await self._database.write(note_losses, now())
        except (MidflightError, DBAPIError) as wrong:  # the next round, then
            telemetry.log.warning("fleet.losses_not_noted", reason=str(wrong))

    async def _keep(self, minute: int) -> None:
        content = self._tally.take()
        try:
            await self._database.write(traffic.keep, self._member, minute, content)
        except (MidflightError, DBAPIError) as wrong:  # the counts of one minute are no reason to stop
            telemetry.log.warning("fleet.traffic_not_kept", reason=str(wrong))


def note_losses(connection: Connection, at: datetime) -> None:
    """Write down who is lost since the last round, and who has come back, each once, whatever conductor finds it."""
    noted = _noted(connection)
    for member in members.everyone(connection, at):
        lost = member.state == State.LOST
        if lost != noted.get(member.id, False):
            journal.write(connection, LOST if lost else BACK, _facts(member))


def _noted(connection: Connection) -> dict[str, bool]:
    """Member → whether the last word about it is that it is lost."""
    said = [entry for kind in (LOST, BACK) for entry in journal.read(connection, kind=kind, latest=_LATEST)]
    return {entry.facts["member"]: entry.kind == LOST for entry in sorted(said, key=lambda entry: entry.id)}


def _facts(member: Member) -> dict[str, str]:
    return {"member": member.id, "service": member.service, "host": member.host, "release": member.release}
