"""The inbox: what had an effect on the database has it once, whoever is given the message again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, func, insert, select, update

from midflight.conductor import inbox as module
from midflight.conductor.inbox import Inbox
from midflight.db.clock import now
from midflight.db.engine import Database
from midflight.db.journal import write
from midflight.db.schema.runner import SchemaRunner
from midflight.db.tables import inbox, journal, members
from midflight.errors import IdReused, Unknown
from midflight.rpc.messages import PROTOCOL, Request, Sender
from midflight.rpc.repeats import Note, Receipt, Running, State


def receipt(name: str, kind: str = "cast", arguments: bytes = b"\x80", *, by_word: bool = False) -> Receipt:
    request = Request(
        protocol=PROTOCOL, sender=Sender("agent", "h1", "kilo"), kind=kind, interface="conductor", version="1.0",
        method="run", arguments=msgspec.Raw(arguments), manifest="", message_id=name, ttl=5.0,
    )  # fmt: skip
    return Receipt(request, name, by_word)


class Process:
    """One process that opens the database. ``effect`` is what a handler does there."""

    def __init__(self, database: Database, member: str) -> None:
        self.database, self.member = database, member
        self.inbox = Inbox(database, member)

    async def effect(self, given: Receipt, *, fail: bool = False) -> None:
        def work(connection: Connection) -> None:
            write(connection, "effect", {"of": given.message_id})
            if fail:
                raise ValueError("rolled back")

        await self.inbox.begin(given)
        with Running(given):
            await self.database.write(work)

    async def count(self, table: Any = journal) -> int:
        statement = select(func.count()).select_from(table)
        return int(await self.database.read(lambda connection: connection.execute(statement).scalar_one()))


@pytest.fixture
async def processes(database_url: str) -> AsyncIterator[tuple[Process, Process]]:
    """Two of them on one database."""
    SchemaRunner(database_url, None, None, "kilo").expand()
    one, two = await Database.open(database_url), await Database.open(database_url)
    await one.write(lambda connection: connection.execute(journal.delete()) and None)
    yield Process(one, "one"), Process(two, "two")
    await one.close()
    await two.close()


async def test_effect_and_note_are_one(processes: tuple[Process, Process]) -> None:
    """Both are committed, or neither."""
    one, two = processes
    with pytest.raises(ValueError, match="rolled back"):
        await one.effect(receipt("a"), fail=True)
    assert (await one.count(), await one.count(inbox), await two.inbox.find("a")) == (0, 0, None)
    given = receipt("a")
    await one.effect(given)
    assert (await one.count(), await one.count(inbox), given.kept) == (1, 1, True)


async def test_reads_and_what_is_no_message_leave_no_row(processes: tuple[Process, Process]) -> None:
    """Nothing came of them that could be there twice."""
    one, _ = processes
    given = receipt("a")
    with Running(given):
        await one.count()
    await one.inbox.end(given, State.DONE)
    await one.database.write(write, "effect", {})
    assert (given.kept, await one.count(inbox)) == (False, 0)


async def test_several_transactions_of_one_message_have_one_row(processes: tuple[Process, Process]) -> None:
    """The first of them carries the note."""
    one, _ = processes
    given = receipt("a")
    await one.effect(given)
    await one.effect(given)
    await one.inbox.end(given, State.DONE)
    assert (await one.count(), await one.count(inbox)) == (2, 1)
    assert await one.inbox.find("a") == Note(given.digest, "done")


async def test_transactions_of_one_message_at_once_have_one_row(processes: tuple[Process, Process]) -> None:
    """A handler may write from several tasks: whoever commits first carries the note, and where it fails the next."""
    one, _ = processes
    given = receipt("a")
    efforts = [one.effect(given, fail=number < 2) for number in range(6)]
    failed = [error for error in await asyncio.gather(*efforts, return_exceptions=True) if error]
    assert ([str(error) for error in failed], await one.count(), await one.count(inbox)) == (["rolled back"] * 2, 4, 1)


async def test_two_processes_at_once_have_one_effect(processes: tuple[Process, Process]) -> None:
    """One of them commits, and the other is told."""
    for number in range(20):
        given = [receipt(f"n{number}") for _ in processes]
        efforts = (process.effect(each) for process, each in zip(processes, given, strict=True))
        outcomes = await asyncio.gather(*efforts, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Unknown"]
        assert sorted(each.kept for each in given) == [False, True]
    assert await processes[0].count() == 20


@pytest.mark.parametrize("kind", ["call", "cast"])
async def test_a_second_run_commits_nothing(processes: tuple[Process, Process], kind: str) -> None:
    """In whichever process; who asks is told that it has run."""
    for process in processes:
        given = receipt("a", kind)
        if process is processes[0]:
            await process.effect(given)
        else:
            with pytest.raises(Unknown, match="it has run before, and its answer is not kept"):
                await process.effect(given)
            assert (given.met, given.kept) == (True, False)
    assert await processes[1].count() == 1


async def test_a_call_that_meets_its_own_note_is_told_so_at_once(processes: tuple[Process, Process]) -> None:
    """A handler that writes again, where it could not know that its commit had gone through, is told Unknown, and so is
    its caller: unlike for another process's note, there is nobody else who answers."""
    one, two = processes
    given, other = receipt("a", "call"), receipt("a", "call")
    await one.effect(given)
    given.kept = False  # as after CommitUnknown
    for process, each, met in ((one, given, False), (two, other, True)):
        with pytest.raises(Unknown, match="it has run before, and its answer is not kept"):
            await process.effect(each)
        assert each.met is met
    assert await one.count() == 1


async def test_another_request_under_a_used_id_commits_nothing(processes: tuple[Process, Process]) -> None:
    """It is refused, and not taken for a repeat."""
    await processes[0].effect(receipt("a"))
    with pytest.raises(IdReused):
        await processes[1].effect(receipt("a", arguments=b"\x81\xa1a\x01"))
    assert await processes[1].count() == 1


async def test_whoever_has_it_in_hand_is_waited_for_until_it_is_lost(processes: tuple[Process, Process]) -> None:
    """A member that beats may still be at it; one that is lost, retired or forgotten was killed in it."""
    one, two = processes
    await one.effect(receipt("a"))

    async def found() -> Any:
        note = await two.inbox.find("a")
        return note and (note.state, note.in_hand)

    own = await one.inbox.find("a")
    assert (own and own.in_hand, await found()) == (True, ("begun", False))
    row = {
        "id": "one", "service": "conductor", "host": "h1", "release": "kilo", "manifest": "", "beat_seconds": 60.0,
        "state": "active", "joined_at": now(), "seen_at": now(),
    }  # fmt: skip
    await one.database.write(lambda connection: connection.execute(insert(members), [row]) and None)
    assert await found() == ("begun", True)
    for change in ({"state": "retired"}, {"state": "active", "beat_seconds": -1.0}):
        await one.database.write(lambda connection, to=change: connection.execute(update(members).values(to)) and None)
        assert await found() == ("begun", False)


async def test_an_operators_word_lets_run_what_is_parked(processes: tuple[Process, Process]) -> None:
    """Once; nobody else's repeat does."""
    one, two = processes
    given = receipt("a")
    await one.effect(given)
    await one.inbox.end(given, State.PARKED)
    with pytest.raises(Unknown):
        await two.effect(receipt("a"))
    await two.effect(receipt("a", by_word=True))
    with pytest.raises(Unknown):
        await one.effect(receipt("a", by_word=True))
    assert await one.count() == 2


async def test_old_rows_go(processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of calls soon after their callers have given up, those of casts later; some at once."""
    monkeypatch.setattr(module, "PRUNED_AT_ONCE", 2)
    one, _ = processes
    for number in range(5):
        await one.effect(receipt(f"call {number}", "call"))
    await one.effect(done := receipt("done"))
    await one.inbox.end(done, State.DONE)
    await one.effect(receipt("open"))
    left = [
        await one.database.write(module.prune, time.time() + later) for later in (0, 66, 66, 66, 66, 86_460, 86_460)
    ]
    assert (left, await one.count(inbox)) == ([0, 2, 2, 1, 0, 1, 0], 1)
    assert await one.inbox.find("open") is not None
