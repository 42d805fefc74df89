"""Beats are written down together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update
from structlog.testing import capture_logs

from midflight.conductor import members
from midflight.conductor.beats import Beats, Said
from midflight.conductor.interface import Member
from midflight.conductor.rounds import clear_away, note_losses
from midflight.db import journal, tables
from midflight.db.engine import Database
from midflight.errors import DatabaseBusy, InvalidValue, NotAMember
from tests.conductor.world import World, eventually

START = datetime(2025, 1, 1, tzinfo=UTC)
LATER = START + timedelta(seconds=10)
AS_BEFORE = Said("active", 1)
NAMES = [f"agent.h{number}.0" for number in range(40)]


class Rows:
    """A database with members in it, which counts what is written, and waits where it is told to."""

    def __init__(self, database: Database) -> None:
        self.database, self.writes = database, 0
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, work: Any, *args: Any) -> Any:
        self.writes += 1
        await self.open.wait()
        return await self.database.write(work, *args)

    async def of(self, name: str) -> tuple[str, int, datetime]:
        wanted = select(tables.members.c["state", "epoch", "seen_at"]).where(tables.members.c.id == name)
        row = await self.database.read(lambda connection: connection.execute(wanted).one())
        return tuple(row)

    async def set(self, name: str, **values: Any) -> None:
        change = update(tables.members).where(tables.members.c.id == name).values(values)
        await self.database.write(lambda connection: connection.execute(change))


@pytest.fixture
async def rows(world: World) -> AsyncIterator[Rows]:
    database = await Database.open(world.database)
    for name in NAMES:
        service, host, _ = name.split(".")
        member = Member(id=name, service=service, host=host, release="juno", manifest="x", epoch=1)
        await database.write(members.register, member, START)
    yield Rows(database)
    await database.close()


async def heard(rows: Rows) -> Beats:
    """A conductor that has heard of all of them."""
    made = Beats(rows, lambda: LATER)  # type: ignore[arg-type]
    await asyncio.gather(*(made.beat(name, AS_BEFORE, []) for name in NAMES))
    for name in NAMES:
        await rows.set(name, seen_at=START)
    rows.writes = 0
    return made


async def test_who_lives_as_before_is_written_with_others(rows: Rows) -> None:
    """Many beats that say nothing new are answered before any of them is written, and are one transaction."""
    made = await heard(rows)
    for name in NAMES:
        await made.beat(name, AS_BEFORE, [])
    assert rows.writes == 0
    await made.flush()
    assert rows.writes == 1
    assert {await rows.of(name) for name in NAMES} == {("active", 1, LATER)}


async def test_nobody_has_to_ask_for_it(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was gathered is written a moment later, again and again."""
    monkeypatch.setattr(members, "GATHER_SECONDS", 0.01)
    made = await heard(rows)
    for round_ in (1, 2):
        await made.beat(NAMES[0], AS_BEFORE, [])
        await eventually(lambda round_=round_: rows.writes == round_)
    assert (await rows.of(NAMES[0]))[2] == LATER


async def test_who_turns_to_another_state_is_in_the_journal_once(rows: Rows) -> None:
    """Whichever conductor hears it, and however often it is said; and an epoch that all acknowledge is no news."""
    made, other = await heard(rows), Beats(rows, lambda: LATER)  # type: ignore[arg-type]
    for beats in (made, made, other):
        await beats.beat(NAMES[0], Said("draining", 1), [])
    await asyncio.gather(*(beats.beat(name, Said("active", 2), []) for name in NAMES[1:] for beats in (made, other)))
    await made.beat(NAMES[0], Said("active", 2), [])
    entries = await rows.database.read(journal.read)
    told = [(entry.kind, entry.facts) for entry in entries if not entry.kind.startswith("schema.")]
    assert told == [("member.draining", {"member": NAMES[0]}), ("member.active", {"member": NAMES[0]})]


async def test_rows_come_before_the_journal(rows: Rows) -> None:
    """As wherever members are written: entries take their turns, and whoever waited for a row in its turn would wait
    for ever for one who has the row, and waits for the turn."""
    made, said = await heard(rows), list[str]()
    event.listen(rows.database._engine, "before_cursor_execute", lambda *given: said.append(given[2]))

    def order() -> str:
        """R for rows of members, J for the journal."""
        changes = [each for each in said if each.startswith(("INSERT", "UPDATE", "DELETE"))]
        said.clear()
        return "".join("R" if "mf_members" in each else "J" for each in changes)

    await made.beat(NAMES[0], AS_BEFORE, [])
    await made.beat(NAMES[1], Said("draining", 2), [{"method": "look"}])
    beats = order()
    await rows.database.write(note_losses, LATER + timedelta(days=1))
    losses = order()
    await rows.database.write(clear_away, timedelta(hours=1), LATER + timedelta(days=2))
    assert (beats, losses, order()) == ("RRJJ", "R" + "J" * len(NAMES), "R" * (len(NAMES) + 1) + "J" * len(NAMES))


async def test_a_word_of_its_own_is_no_entry(rows: Rows) -> None:
    """Kinds of entries are the conductors': a member that says so has neither joined nor been drained."""
    made = await heard(rows)
    for state in ("joined", "drained", "dreaming", "asleep"):
        await made.beat(NAMES[0], Said(state, 1), [])
    entries = await rows.database.read(journal.read)
    assert [each.kind for each in entries if not each.kind.startswith("schema.")] == ["member.asleep"]
    assert (await rows.of(NAMES[0]))[0] == "asleep"


async def test_an_epoch_is_acknowledged_when_it_is_written(rows: Rows) -> None:
    """What others decide on is answered after it is written; those that come meanwhile are written together."""
    made = await heard(rows)
    rows.open.clear()
    asked = [asyncio.create_task(made.beat(name, Said("active", 2), [])) for name in NAMES]
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in asked)
    assert (await rows.of(NAMES[0]))[1] == 1
    rows.open.set()
    await asyncio.gather(*asked)
    assert {await rows.of(name) for name in NAMES} == {("active", 2, LATER)}
    assert rows.writes <= 2


async def test_a_gathered_beat_takes_nothing_back(rows: Rows) -> None:
    """Who says through another conductor that it drains does not become active again by a beat from before."""
    made = await heard(rows)
    await made.beat(NAMES[0], AS_BEFORE, [])
    await rows.set(NAMES[0], state="draining", epoch=2)
    await made.flush()
    assert await rows.of(NAMES[0]) == ("draining", 2, LATER)


async def test_retired_through_another_conductor(rows: Rows) -> None:
    """Such a member is told that it is none at its next beat but one, and its beats do not bring it back."""
    made = await heard(rows)
    await rows.set(NAMES[0], state="retired")
    await made.beat(NAMES[0], AS_BEFORE, [])
    await made.flush()
    with pytest.raises(NotAMember, match=NAMES[0]):
        await made.beat(NAMES[0], AS_BEFORE, [])
    assert await rows.of(NAMES[0]) == ("retired", 1, START)


async def test_a_stranger(rows: Rows) -> None:
    """Who never joined is told so at its first beat, whoever else beats with it."""
    made = await heard(rows)
    beating = [made.beat(name, Said("active", 2), []) for name in (NAMES[0], "agent.nobody.0")]
    assert [type(answer) for answer in await asyncio.gather(*beating, return_exceptions=True)] == [
        type(None),
        NotAMember,
    ]


class Spoilt(Rows):
    """Cannot write what one member says; or nothing at all."""

    wrong: Exception = InvalidValue(path="x", received="y", expected="z")
    member = NAMES[0]

    async def write(self, work: Any, living: Any, telling: Any, at: Any) -> Any:
        self.writes += 1
        if not self.member or any(beat.member == self.member for beat in telling):
            raise self.wrong
        return await self.database.write(work, living, telling, at)


async def test_what_one_says_spoils_no_other_s_beat(rows: Rows) -> None:
    """Where a batch cannot be written, each is written alone, and only who is at fault is told of it."""
    made: Any = Beats(Spoilt(rows.database), lambda: LATER)  # type: ignore[arg-type]
    beating = [made.beat(name, Said("active", 2), []) for name in NAMES[:4]]
    answers = await asyncio.gather(*beating, return_exceptions=True)
    assert [type(answer) for answer in answers] == [InvalidValue, type(None), type(None), type(None)]
    assert (await rows.of(NAMES[3]))[1] == 2


async def test_a_database_that_is_away(rows: Rows) -> None:
    """While nothing can be written, whoever beats is told so, from the first batch that failed on; nobody is tried
    alone."""
    made = await heard(rows)
    spoilt = Spoilt(rows.database)
    spoilt.member, spoilt.wrong = "", DatabaseBusy(url="sqlite://", seconds=5.0)
    made._database = spoilt  # type: ignore[assignment]
    await made.beat(NAMES[0], AS_BEFORE, [])
    with capture_logs() as logs:
        await made.flush()
    assert [log["event"] for log in logs] == ["fleet.beats_not_written"]
    beating = [made.beat(name, AS_BEFORE, []) for name in NAMES]
    assert {type(answer) for answer in await asyncio.gather(*beating, return_exceptions=True)} == {DatabaseBusy}
    assert spoilt.writes <= 3
