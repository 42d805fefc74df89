"""What a conductor does once a minute, and what it tries out when it starts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update

from midflight.conductor import members
from midflight.conductor.interface import ConductorAPI, Member
from midflight.conductor.rounds import clear_away, note_losses
from midflight.conductor.self_test import note, self_tests, tried_out
from midflight.db import journal, tables
from midflight.db.clock import now
from tests.conductor import kilo
from tests.conductor.world import CONDUCTOR, World, fleet
from tests.engines import ON_POSTGRESQL, ON_SQLITE

MINUTES = timedelta(minutes=5)


def fall_silent(connection: Connection) -> None:
    """As if nobody but the conductors had beaten for a while."""
    agents = update(tables.members).where(tables.members.c.service == "agent")
    connection.execute(agents.values(seen_at=now() - MINUTES))


def speak_again(connection: Connection) -> None:
    connection.execute(update(tables.members).values(seen_at=now()))


def told(connection: Connection) -> list[tuple[str, str]]:
    said = [entry for entry in journal.read(connection) if entry.kind.startswith("member.")]
    return [(entry.kind, entry.facts["member"].partition(".")[0]) for entry in said]


@ON_SQLITE
async def test_who_is_lost_is_noted_once_and_who_is_back_too(world: World) -> None:
    """However many rounds are gone, and whoever goes them; that of a member which leaves is the last word of it."""
    async with world.running("conductor", release=kilo) as conductor:
        assert conductor.database is not None
        async with world.running("agent", beat_seconds=60.0):
            for change in (fall_silent, speak_again):
                await conductor.database.write(change)
                for _ in range(2):
                    await conductor.database.write(note_losses, now())
        said = await conductor.database.read(told)
    assert said == [
        ("member.joined", "conductor"),
        ("member.tested", "conductor"),
        ("member.joined", "agent"),
        ("member.lost", "agent"),
        ("member.back", "agent"),
        ("member.draining", "agent"),
        ("member.left", "agent"),
    ]


@ON_SQLITE
async def test_thousands_who_are_lost_at_once_are_told_together(world: World) -> None:
    """The first of them one by one, the others in one entry; and all of them once."""
    async with world.running("conductor", release=kilo, beat_seconds=60.0) as conductor:
        assert conductor.database is not None

        def cut(connection: Connection) -> None:
            copied = connection.execute(select(tables.members)).mappings().one()
            many = [
                {**copied, "id": f"agent.h{n}.a", "service": "agent", "host": f"h{n}", "facts": {}} for n in range(150)
            ]
            connection.execute(insert(tables.members), many)
            fall_silent(connection)
            for _ in range(2):
                note_losses(connection, now())

        await conductor.database.write(cut)
        entries = await conductor.database.read(journal.read, kind="member.lost")
    assert len(entries) == 101
    assert entries[-1].facts["members"] == 50


@ON_SQLITE
async def test_a_round_keeps_what_was_answered(world: World) -> None:
    """With the manifest of who asked; and what is left of a minute is kept when the conductor stops."""
    world.add("m1")
    async with world.running("conductor", release=kilo) as conductor, world.running("agent") as agent:
        assert conductor.server is not None
        await kilo.Machine.get(agent.context(), name="m1")
        await conductor.server.rounds.go(1)
        assert conductor.database is not None
        kept = await conductor.database.read(lambda c: c.execute(select(tables.traffic.c.content)).scalars().all())
    assert [each["calls"] for each in kept] == [1]
    assert kept[0]["reads"]["Machine"] == {f"agent {agent.contract.manifest.digest}": 1}


async def test_who_opens_the_database_tests_itself(world: World) -> None:
    """What it found is among the facts of the fleet, with the files that it has; an agent has nothing to test."""
    async with world.running("conductor", release=kilo) as conductor, world.running("agent") as agent:
        facts = await fleet(agent)
    (test,) = facts.self_tests
    assert (test.facts["member"], test.facts["release"], test.facts["failed"]) == (conductor.id, "kilo", {})
    assert test.facts["tried"] > 1
    assert test.facts["schema"] == ""


async def test_a_table_that_lacks_a_column_fails_the_test(world: World) -> None:
    """It is named, and why; nothing else is spoilt by it."""
    async with world.running("conductor", release=kilo) as conductor:
        assert conductor.database is not None
        project = world.project(kilo)
        assert project.tables is not None
        (table, *_) = [each.name for each in project.tables.sorted_tables]

        def spoilt(connection: Connection) -> dict[str, object]:
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone")
            return note(connection, tried_out(connection, project), conductor.id, "kilo", "")

        found = await conductor.database.write(spoilt)
        (entry,) = await conductor.database.read(self_tests, now())
    assert list(found["failed"]) == [f"read {table}"]
    assert entry.facts["failed"] == found["failed"]
    assert 0 <= entry.age < 60


@ON_POSTGRESQL
async def test_a_test_that_reads_all_tables_is_in_nobodys_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction that writes down what came of it has read the framework's own rows only: one that had read all
    others as well could be ordered with hardly anybody, and a busy fleet would let no conductor start."""
    asked = text("SELECT relation::regclass::text FROM pg_locks WHERE mode = 'SIReadLock' AND pid = pg_backend_pid()")
    async with world.running("conductor", release=kilo) as conductor:
        assert conductor.opened is not None
        database, read = conductor.opened.database, set[str]()
        write = database.write

        async def seen(work: Callable[..., Any], *given: Any) -> Any:
            def watched(connection: Connection) -> Any:
                result = work(connection, *given)
                read.update(connection.execute(asked).scalars())
                return result

            return await write(watched)

        monkeypatch.setattr(database, "write", seen)
        await conductor.opened.test_itself()
    assert read
    assert {name for name in read if not name.startswith("mf_")} == set()


@ON_SQLITE
async def test_who_is_lost_for_as_long_as_the_project_says_is_retired(world: World) -> None:
    """Not before, and not without such a word; the journal says why. Who sleeps is not lost, and the retired of long
    ago are forgotten."""
    async with world.running("conductor") as conductor:
        assert conductor.database is not None
        write, start = conductor.database.write, now()
        for name in ("h1", "h2"):
            gone = Member(id=f"agent.{name}.0", service="agent", host=name, release="juno", manifest="x")
            await write(members.register, gone, start)
        await write(members.hear, ["agent.h2.0"], start, state="asleep")
        for after, hours in ((None, 100), (timedelta(hours=3), 2), (timedelta(hours=3), 4)):
            assert {each.host for each in (await fleet(conductor)).members if each.service == "agent"} == {"h1", "h2"}
            await write(clear_away, after, start + timedelta(hours=hours))
        found = await fleet(conductor)
        entries = await CONDUCTOR.call(ConductorAPI.journal, conductor.context(), None)
        await write(clear_away, None, start + timedelta(days=3))
        rows = await conductor.database.read(members.manifests_of, "agent", "h1")
    assert [each.host for each in found.members if each.service == "agent"] == ["h2"]
    retired = next(each for each in entries if each.kind == "member.retired" and "agent" in each.facts["member"])
    assert (retired.facts["member"], retired.facts["because"]) == ("agent.h1.0", "lost for more than 3:00:00")
    assert rows == set()
