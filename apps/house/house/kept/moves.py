"""How a machine goes from state to state: each move is one transaction on its row as it is.

Who moves it may be late, or say a thing twice: a move that has been made already changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Table, insert, or_, select, update

from house import leave
from house.errors import NotNow
from house.kept import aways, patching, rows, scenes
from house.kept.rows import Row
from house.kept.tables import holds, machines, naps, rules, wakes
from house.objects.hold import Hold
from house.objects.rule import Rule
from house.states import Cause, State
from midflight import from_row

NEAR = timedelta(minutes=5)
"""A machine wakes a little before it is needed, and takes its time."""


def ask_leave(
    connection: Connection,
    name: str,
    because: Sequence[str],
    needed_at: datetime | None,
    forced: bool,
    now: datetime,
) -> datetime | None:
    """Let it fall, unless something speaks against that; when it is to wake by plan. Raises StaysAwake, NotFound."""
    row = _row(connection, name)
    left = aways.latest(connection, now)
    away_until = None if left is None else rows.utc(left["until"])
    last_wake = row["last_wake"] and rows.utc(row["last_wake"])
    held = [from_row(Hold, each) for each in _of_machine(connection, holds, name)]
    bound = [from_row(Rule, each) for each in _of_machine(connection, rules, name)]
    needed = [needed_at, scenes.needed_on(connection, name, away_until or now)]
    planned = leave.next_wake(bound, needed, away_until, now)
    if not forced:
        shortest, heard = row["shortest_awake_seconds"], patching.in_use(connection, name)
        leave.check(name, last_wake, shortest, held, bound, away_until, planned, heard, now)
    _become(connection, row, State.FALLING, now, because=list(because), planned_wake=planned)
    return planned


def stay(connection: Connection, name: str, because: Sequence[str], now: datetime) -> None:
    """It does not fall after all."""
    _become(connection, _row(connection, name), State.AWAKE, now, because=list(because))


def fall_asleep(connection: Connection, name: str, method: str, now: datetime) -> None:
    """It sleeps. Raises NotNow where it has no leave to: it was woken meanwhile, or never asked."""
    row = _row(connection, name)
    if row["state"] == State.ASLEEP:
        return
    if row["state"] != State.FALLING:
        raise NotNow(name, f"is {row['state']}, and has no leave to sleep: let it ask again")
    _become(connection, row, State.ASLEEP, now)
    _begin_nap(connection, row, method, now)


def wake_up(connection: Connection, name: str, now: datetime) -> None:
    """It is awake, by its own word or somebody's who has seen it. If nobody was waking it, that is a wake too."""
    row = _row(connection, name)
    if row["state"] == State.ASLEEP:
        connection.execute(insert(wakes).values(_own_wake(row, now)))
    woken(connection, name, now)


def woken(connection: Connection, name: str, now: datetime) -> None:
    """It is awake, by a wake that is known. What it had slept for is over."""
    row = _row(connection, name)
    end_nap(connection, name, now)
    slept = row["state"] in (State.ASLEEP, State.WAKING)
    woke = {"last_wake": now, "because": [], "planned_wake": None} if slept else {}
    _become(connection, row, State.AWAKE, now, **woke)


def stay_awake(connection: Connection, name: str, because: Sequence[str], armed: bool | None, now: datetime) -> None:
    """It is awake as before, whatever somebody has seen of it."""
    woken(connection, name, now)
    _become(connection, _row(connection, name), State.AWAKE, now, because=list(because), flag_armed=armed)


def begin_to_wake(connection: Connection, name: str, now: datetime) -> None:
    """Somebody wakes it."""
    row = _row(connection, name)
    if row["state"] == State.ASLEEP:
        _become(connection, row, State.WAKING, now)


def note_seen(connection: Connection, name: str, alive: bool, now: datetime) -> None:
    """A watcher's word on a machine that has no agent to say it."""
    row = _row(connection, name)
    if row["since"] is not None and rows.utc(row["since"]) > now:
        return
    if alive:
        wake_up(connection, name, now)
    elif row["state"] == State.WAKING:
        _become(connection, row, State.ASLEEP, now)  # it did not wake, and its nap goes on
    elif row["state"] in (State.AWAKE, State.UNKNOWN):
        _become(connection, row, State.ASLEEP, now, because=["it answers no more"])
        _begin_nap(connection, row, "seen", now)


def end_nap(connection: Connection, name: str, now: datetime) -> None:
    """A nap is over when its end is known for the first time."""
    connection.execute(update(naps).filter_by(machine=name, woke_at=None).values(woke_at=now))


def _begin_nap(connection: Connection, row: Row, method: str, now: datetime) -> None:
    end_nap(connection, row["name"], now)  # one of which nobody has seen the end
    values = {"machine": row["name"], "because": row["because"], "method": method, "fell_at": now}
    connection.execute(insert(naps).values(values))


def _own_wake(row: Row, now: datetime) -> dict[str, Any]:
    """Of a machine that nobody has woken: its alarm did, for what was planned, or its button, or whatever else."""
    planned = row["planned_wake"] and rows.utc(row["planned_wake"])
    cause = Cause.PLANNED if planned and abs(planned - now) <= NEAR else Cause.ITSELF
    wake = {"uuid": str(uuid4()), "machine": row["name"], "cause": cause.value}
    return {**wake, "asked_at": now, "awake_at": now, "tries": 0}


def _become(connection: Connection, row: Row, state: State, now: datetime, **more: Any) -> None:
    since = {"state": state.value, "since": now} if row["state"] != state else {}
    values = {**since, "seen_at": now, **more}
    connection.execute(update(machines).where(machines.c.id == row["id"]).values(values))


def _row(connection: Connection, name: str) -> Row:
    return rows.one(connection, machines, "machine", {"name": name})


def _of_machine(connection: Connection, table: Table, name: str) -> Sequence[Row]:
    """The rows for one machine, and those for all."""
    ours = select(table).where(or_(table.c.machine == name, table.c.machine.is_(None)))
    return rows.found(connection, ours.order_by(table.c.id))
