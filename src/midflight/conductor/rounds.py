"""What a conductor does once a minute: it keeps what it counted, notes who was lost and who is back, and retires who
was lost for as long as the project says. What it counted so far it keeps more often, for whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import DBAPIError

from midflight import telemetry
from midflight.conductor import members, traffic_rows
from midflight.conductor.interface import Member, State
from midflight.conductor.traffic import Minutes, Tally
from midflight.db import journal
from midflight.db.clock import now
from midflight.db.engine import Database
from midflight.db.tables import members as rows
from midflight.errors import MidflightError

LOST: Final = "member.lost"
BACK: Final = "member.back"
RETIRED: Final = "member.retired"
MOST_TOLD = 100
"""So many are told one by one: where a network is cut, thousands may be lost at once."""


class Rounds:
    """Runs in each conductor. What is left of a minute is kept at the end, too."""

    def __init__(
        self,
        database: Database,
        tally: Tally,
        member: str,
        minutes: Minutes | None = None,
        retire_after: timedelta | None = None,
    ) -> None:
        self._database, self._tally, self._member, self._retire_after = database, tally, member, retire_after
        self._minutes = minutes or Minutes()
        self._tally.piece = self._minutes.piece

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(self._minutes.left)
                if (minute := self._minutes.over()) is not None:
                    await self.go(minute)
                else:
                    await self._keep(self._minutes.present, self._tally.turn(self._minutes.piece))
        finally:
            await self._keep(self._minutes.present, self._tally.take())

    async def go(self, minute: int) -> None:
        """One round, at the end of a minute."""
        await self._keep(minute, self._tally.take(self._minutes.piece))
        try:
            await self._database.write(note_losses, now())
            await self._database.write(clear_away, self._retire_after, now())
        except (MidflightError, DBAPIError) as wrong:  # the next round, then
            telemetry.log.warning("fleet.losses_not_noted", reason=str(wrong))

    async def _keep(self, minute: int, content: Mapping[str, Any]) -> None:
        try:
            await self._database.write(traffic_rows.keep, self._member, minute, content)
        except (MidflightError, DBAPIError) as wrong:  # the counts of one minute are no reason to stop
            telemetry.log.warning("fleet.traffic_not_kept", reason=str(wrong))


def note_losses(connection: Connection, at: datetime) -> None:
    """Write down who is lost since the last round, and who has come back, each once, whatever conductor finds it."""
    present, noted = members.everyone(connection, at), _noted(connection)
    lost = [member for member in present if member.state == State.LOST and not noted[member.id].get(LOST)]
    back = [member for member in present if member.state != State.LOST and noted[member.id].get(LOST)]
    changes = [
        {"row": member.id, "facts": noted[member.id] | {LOST: member.state == State.LOST.value}}
        for member in (*lost, *back)
    ]
    if changes:
        connection.execute(update(rows).where(rows.c.id == bindparam("row")), changes)
    noting: list[tuple[journal.Kind, list[Member]]] = [(LOST, lost), (BACK, back)]
    for kind, changed in noting:
        for member in changed[:MOST_TOLD]:
            journal.write(connection, kind, _facts(member))
        if rest := changed[MOST_TOLD:]:
            journal.write(connection, kind, {"members": len(rest), "first": [member.id for member in rest[:MOST_TOLD]]})


def clear_away(connection: Connection, retire_after: timedelta | None, at: datetime) -> None:
    """Retire who has been lost for longer than the project says, and forget the retired of long ago."""
    retired = members.retire_lost(connection, retire_after, at) if retire_after else []
    members.forget_retired(connection, at)
    for member in retired:
        why = {"because": f"lost for more than {retire_after}", "release": member.release}
        journal.write(connection, RETIRED, {"member": member.id, **why})


def _noted(connection: Connection) -> dict[str, dict[str, Any]]:
    """Member → what is kept beside it: among other things, whether the last word about it is that it is lost."""
    found = connection.execute(select(rows.c.id, rows.c.facts).where(rows.c.state != State.RETIRED))
    return {row.id: row.facts for row in found}


def _facts(member: Member) -> dict[str, str]:
    return {"member": member.id, "service": member.service, "host": member.host, "release": member.release}
