"""What operators ask of a conductor: facts, data migrations, write forms, the store floor."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from midflight.conductor import proving, store_floor
from midflight.conductor.interface import ConductorAPI, Member
from midflight.conductor.server import ConductorServer
from midflight.context import Context
from midflight.db import journal, tables
from midflight.db.clock import now
from midflight.db.engine import Database
from midflight.db.write_form import Form
from midflight.errors import NotDelivered, OutsideWindow, StepBlocked, UsageError
from midflight.migrations import proof
from midflight.migrations.online import DataMigration
from midflight.migrations.proof import Proof
from midflight.service import RunningService
from tests.conductor import juno, kilo
from tests.conductor.world import CONDUCTOR, World, eventually, fleet, member
from tests.engines import ON_POSTGRESQL, ON_SQLITE

HELD_AT = datetime(2030, 1, 1, 12, tzinfo=UTC)


async def ask(endpoint: Any, through: RunningService, *arguments: Any) -> Any:
    return await CONDUCTOR.call(endpoint, through.context(), *arguments)


async def test_facts_of_the_fleet(world: World) -> None:
    """The fleet's facts come in one picture, each with its age where it has one, and cross to an agent as they are."""
    async with world.running("conductor", release=kilo) as conductor, world.running("agent", "h7") as agent:
        epoch = await ask(ConductorAPI.set_pin, conductor, "compute", "3.35")
        facts = await fleet(agent)
    who = {(m.service, m.host, m.release, m.state, m.database) for m in facts.members}
    assert who == {("conductor", "h1", "kilo", "active", True), ("agent", "h7", "juno", "active", False)}
    assert (facts.epoch, facts.pins, facts.releases) == (epoch, {"compute": "3.35"}, ["juno", "kilo"])
    assert facts.taken_by == f"{conductor.id} (kilo)"
    assert facts.schema_release == "juno"
    assert all(0 <= m.age < 10 and m.code.endswith("conductor") for m in facts.members)
    (state,) = facts.migrations
    assert (state.name, state.release, state.table, state.form) == (
        "names_become_notes",
        "kilo",
        "machines",
        "both, read old",
    )
    assert (state.state, state.matched, state.proven, state.proven_age) == ("pending", 0, False, None)


async def test_what_the_database_really_has_is_among_the_facts(world: World) -> None:
    """As the catalogue says, and without midflight's own tables: whoever drops a column by hand is found out. Indexes
    are left out, which nobody asks for."""
    async with world.running("conductor") as conductor:
        assert conductor.database is not None
        await conductor.database.write(lambda db: db.execute(text("CREATE INDEX ix_host ON machines (host)")))
        before = (await fleet(conductor)).catalogue
        await conductor.database.write(lambda db: db.execute(text("ALTER TABLE machines DROP COLUMN note")))
        after = (await fleet(conductor)).catalogue
    assert {"table machines", "column machines.name"} < set(before)
    assert not [thing for thing in before if "mf_" in thing]
    assert {thing.partition(" ")[0] for thing in before} == {"table", "column"}
    assert set(before) - set(after) == {"column machines.note"}


@ON_SQLITE
async def test_held_contracts_are_among_the_facts(world: World) -> None:
    """With the time since when; one that was purged is not, for nothing of it can be brought back."""
    async with world.running("conductor") as conductor:
        assert conductor.database is not None
        await conductor.database.write(_contracted)
        assert (await fleet(conductor)).hidden == {"0002c": HELD_AT}


def _contracted(connection: Connection) -> None:
    rows = [("0002c", "held", HELD_AT), ("0001c", "purged", None)]
    for revision, state, at in rows:
        values = {"revision": revision, "state": state, "release": "kilo", "held_at": at}
        connection.execute(insert(tables.contracts).values(values))


async def test_rejections_of_the_last_hour(world: World) -> None:
    """Only rejections of the last hour are among the facts; the journal has them all."""
    async with world.running("conductor") as conductor:
        assert conductor.database is not None
        await conductor.database.write(_reject)
        clock = (await fleet(conductor)).taken_at
        assert conductor.server is not None
        conductor.server._clock = lambda: clock + timedelta(minutes=59)
        (entry,) = (await fleet(conductor)).rejections
        assert entry.facts == {"sender": "api@h1", "pin_epoch": "3"}
        assert 59 * 60 <= entry.age < 60 * 60
        conductor.server._clock = lambda: clock + timedelta(minutes=61)
        assert (await fleet(conductor)).rejections == []
        assert [e.kind for e in await ask(ConductorAPI.journal, conductor, None)].count("rpc.version_rejected") == 1
        assert await ask(ConductorAPI.journal, conductor, clock + timedelta(minutes=1)) == []


def _reject(connection: Connection) -> None:
    journal.write(connection, "rpc.version_rejected", {"sender": "api@h1", "pin_epoch": "3"})


async def test_a_data_migration_from_its_first_chunk_to_its_end(world: World) -> None:
    """Rows are swept in chunks, proven, and their form goes arrow by arrow to the one-way door; each arrow is an epoch
    that every service with the database obeys before it acknowledges."""
    world.add("a", "b", "c")
    async with world.running("conductor", release=kilo) as conductor, world.running("api", release=kilo) as api:
        name = "names_become_notes"
        with pytest.raises(StepBlocked, match="3 of 3 machines do not agree"):
            await ask(ConductorAPI.advance_form, conductor, name, "both, read new")
        lines = [(await ask(ConductorAPI.sweep, conductor, name, 2)).line for _ in range(2)]
        assert lines == ["2 machines matched query, 2 completed", "1 machines matched query, 1 completed"]
        proof = await ask(ConductorAPI.prove, conductor, name)
        assert (proof.checked, proof.disagreeing, proof.proven) == (3, [], True)
        assert api.database is not None
        for form in (Form.BOTH_READ_NEW, Form.NEW):
            epoch = await ask(ConductorAPI.advance_form, conductor, name, form.value)
            await eventually(lambda epoch=epoch: _acknowledged(conductor, api, epoch))
            assert api.database.form(name) is form
        facts = await fleet(conductor)
        assert (facts.migrations[0].proven, facts.migrations[0].completed, facts.forms) == (True, 3, {name: "new"})
        assert facts.store_floor == "kilo"


async def _acknowledged(asked: RunningService, of: RunningService, epoch: int) -> bool:
    return (await member(asked, of)).epoch >= epoch


async def test_deferred_rows(world: World) -> None:
    """A chunk tells why rows are deferred, and so do the fleet's facts."""
    world.add("a")
    world.add("b", boots=-1)
    async with world.running("conductor", release=kilo) as conductor:
        result = await ask(ConductorAPI.sweep, conductor, "names_become_notes", 10)
        assert (result.matched, result.completed, result.deferred, result.exit_code) == (2, 1, {"booting": 1}, 2)
        proof = await ask(ConductorAPI.prove, conductor, "names_become_notes")
        assert (proof.disagreeing, proof.proven) == (["b"], False)
        (state,) = (await fleet(conductor)).migrations
        assert (state.deferred, state.deferred_by, state.proven) == (1, {"booting": 1}, False)


async def test_wrong_names(world: World) -> None:
    """A data migration, form or release that does not exist is refused with what there is."""
    async with world.running("conductor", release=kilo) as conductor:
        for endpoint, arguments, said in (
            (ConductorAPI.sweep, ("nothing", 1), "has no data migration 'nothing'; it has names_become_notes"),
            (ConductorAPI.advance_form, ("names_become_notes", "newest"), "expected one of 'old', 'both, read old'"),
            (ConductorAPI.advance_form, ("names_become_notes", "both, read nwe"), 'Did you mean "both, read new"'),
            (ConductorAPI.raise_store_floor, ("lima",), "expected one of juno, kilo"),
        ):
            with pytest.raises(UsageError, match=said):
                await ask(endpoint, conductor, *arguments)


async def test_store_floor(world: World) -> None:
    """Below the store floor nobody opens the database any more; the floor never comes down."""
    async with world.running("conductor", release=kilo) as conductor:
        await ask(ConductorAPI.raise_store_floor, conductor, "kilo")
        await ask(ConductorAPI.raise_store_floor, conductor, "juno")
        assert (await fleet(conductor)).store_floor == "kilo"
        with pytest.raises(OutsideWindow, match="api of release juno .* only kilo and later") as refused:
            async with world.running("api", release=juno):
                pass
        assert refused.value.exit_code == 78
        async with world.running("api", release=kilo), world.running("agent", release=juno):
            assert len((await fleet(conductor)).members) == 3


async def test_a_sleeper_below_the_store_floor_is_sent_away(world: World) -> None:
    """An opener that was retired while silent is not let in again when it wakes below the floor: it has to stop."""
    async with world.running("conductor", release=kilo) as conductor, world.running("api", release=juno) as api:
        async with asyncio.timeout(60):
            while not await raised_over_the_forgotten(world, conductor):
                continue  # it has said hello again in between
            await api.membership.refused.wait()
        assert "only kilo and later can read" in str(api.membership.refusal)
        assert {member.service for member in (await fleet(conductor)).members} == {"conductor"}


async def raised_over_the_forgotten(world: World, conductor: RunningService) -> bool:
    """Whether the floor could be raised before the api that was forgotten has joined again."""
    world.forget_members("api")
    try:
        await ask(ConductorAPI.raise_store_floor, conductor, "kilo")
    except StepBlocked:
        return False
    return True


async def test_the_old_form_stays_while_an_older_release_has_the_database(world: World) -> None:
    """An api of juno acknowledges each form and writes the old one alone: neither the last arrow nor the floor moves
    before it has left."""
    name, reason = "names_become_notes", r"still open to api@h1 \(juno, active\): deploy kilo there"
    async with world.running("conductor", release=kilo) as conductor:
        await ask(ConductorAPI.advance_form, conductor, name, "both, read new")
        async with world.running("api", release=juno):
            with pytest.raises(StepBlocked, match=reason):
                await ask(ConductorAPI.advance_form, conductor, name, "new")
            with pytest.raises(StepBlocked, match=reason):
                await ask(ConductorAPI.raise_store_floor, conductor, "kilo")
            facts = await fleet(conductor)
            assert (facts.forms, facts.store_floor) == ({name: "both, read new"}, None)
        await ask(ConductorAPI.advance_form, conductor, name, "new")
        assert (await fleet(conductor)).store_floor == "kilo"


async def test_nobody_relies_on_the_new_form_beside_a_writer_of_the_release_before(world: World) -> None:
    """It changes the old form alone, behind whoever compares the rows."""
    world.add("a")
    name = "names_become_notes"
    async with world.running("conductor", release=kilo) as conductor:
        assert (await ask(ConductorAPI.sweep, conductor, name, 10)).proven
        async with world.running("api", release=juno):
            with pytest.raises(StepBlocked, match=r"Advancing .* is refused: the database is still open to api@h1"):
                await ask(ConductorAPI.advance_form, conductor, name, "both, read new")
        assert (await ask(ConductorAPI.prove, conductor, name)).proven
        assert await ask(ConductorAPI.advance_form, conductor, name, "both, read new") == 1


async def test_an_older_writer_that_came_and_went_while_rows_were_compared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction of the scan has seen it, and it may have changed rows behind it: the arrow does not move, and
    says because of whom. An agent of that release changes no row by itself. Done again, it moves."""
    world.add("a")
    name, seen, scanned = "names_become_notes", list[str](), proving._scanned

    async def disturbed(database: Database, migration: DataMigration, look: proving.Look = proof.look) -> Proof:
        found = await scanned(database, migration, look)
        async with world.running("agent", "h7"), world.running("api") as api:
            seen.append(api.id)
        return found

    async with world.running("conductor", release=kilo) as conductor:
        assert (await ask(ConductorAPI.sweep, conductor, name, 10)).proven
        with monkeypatch.context() as patched:
            patched.setattr(proving, "_scanned", disturbed)
            with pytest.raises(StepBlocked) as refused:
                await ask(ConductorAPI.advance_form, conductor, name, "both, read new")
        who = f"meanwhile the database was opened by {seen[0]} (juno), who may have changed rows; do it again"
        assert who in str(refused.value)
        assert await ask(ConductorAPI.advance_form, conductor, name, "both, read new") == 1


async def test_who_comes_back_to_the_database_has_joined(world: World) -> None:
    """One that was retired while it slept may write again, which is in the journal like its first hello; each hello of
    one that is there is not. Nor is an agent that comes back: it changes no row by itself."""
    async with world.running("conductor", release=kilo) as conductor:
        assert conductor.database is not None
        server, manifest = ConductorServer(world.project(kilo), conductor.database), juno.project().contract.manifest
        for service in ("api", "agent"):
            known = {"release": "juno", "manifest": manifest.digest, "database": service == "api"}
            said = Member(id=f"{service}.h9.1", service=service, host="h9", **known)
            for hello in (True, True, False, True):
                if hello:
                    await server.hello(Context(), said, manifest.to_wire())
                else:
                    await server.leave(Context(), said.id)
        entries = await conductor.database.read(journal.read, None, "member.joined")
    joined = [(entry.facts["member"], entry.facts["database"]) for entry in entries[1:]]
    assert joined == [("api.h9.1", True), ("api.h9.1", True), ("agent.h9.1", False)]


@ON_SQLITE
async def test_a_member_s_own_word_is_no_kind_of_entry(world: World) -> None:
    """It may say that it is whatever it likes, which is in its row; but it cannot say that somebody has joined."""
    async with world.running("conductor", release=kilo) as conductor:
        assert conductor.database is not None
        server, manifest = ConductorServer(world.project(kilo), conductor.database), juno.project().contract.manifest
        known: dict[str, Any] = {"service": "agent", "host": "h9", "release": "juno", "manifest": manifest.digest}
        for state in ("active", "joined", "asleep", "drained"):
            await server.hello(Context(), Member(id="agent.h9.1", state=state, **known), manifest.to_wire())
        entries = await conductor.database.read(journal.read)
    kinds = [each.kind for each in entries if each.facts.get("member") == "agent.h9.1"]
    assert kinds == ["member.joined", "member.asleep"]


@ON_SQLITE
async def test_who_joined_without_a_release_is_older(world: World) -> None:
    """Only an earlier conductor, or a mistake, leaves it out: the step is refused, and nothing breaks."""
    async with world.running("conductor", release=kilo) as conductor:
        assert conductor.database is not None
        known = world.project(kilo).releases
        at = await conductor.database.write(journal.write, "member.joined", {"member": "api.h9.1"})
        with pytest.raises(StepBlocked, match=r"opened by api\.h9\.1 \(of an unknown release\)"):
            await conductor.database.read(store_floor.refuse_joined, "Advancing", "kilo", known, at - 1)


async def test_no_form_is_final_in_a_release_that_is_not_frozen(world: World) -> None:
    """There would be no floor that keeps older releases out."""
    (world.folder / "releases" / "kilo.toml").unlink()
    async with world.running("conductor", release=kilo) as conductor:
        await ask(ConductorAPI.advance_form, conductor, "names_become_notes", "both, read new")
        with pytest.raises(StepBlocked, match="no frozen release 'kilo'"):
            await ask(ConductorAPI.advance_form, conductor, "names_become_notes", "new")
        assert (await fleet(conductor)).forms == {"names_become_notes": "both, read new"}


async def test_versions_at_rest(world: World) -> None:
    """They are counted chunk by chunk, and a wrong number of rows is refused."""
    async with world.running("conductor", release=kilo) as conductor:
        for name in ("a", "b", "c"):
            await kilo.Machine(context=conductor.context(), name=name, disk=kilo.Disk(gigabytes=1)).create()
        await ask(ConductorAPI.raise_store_floor, conductor, "kilo")
        await eventually(lambda: conductor.floors.view.epoch == 1)
        machine = await kilo.Machine.get(conductor.context(), "b")
        machine.disk = kilo.Disk(gigabytes=2)
        await machine.save()
        first = await ask(ConductorAPI.versions_at_rest, conductor, [], 2)
        assert (first.rows, first.columns, first.after) == (2, ["machines.disk"], ["machines", "b"])
        last = await ask(ConductorAPI.versions_at_rest, conductor, first.after, 2)
        assert [first.found, last.found, last.after] == [
            {"machines.disk": {"Disk:1.0": 1, "Disk:1.1": 1}}, {"machines.disk": {"Disk:1.0": 1}}, [],
        ]  # fmt: skip
        with pytest.raises(UsageError, match="received limit 0, expected 1 to 1000 rows"):
            await ask(ConductorAPI.versions_at_rest, conductor, [], 0)


async def test_only_conductors_answer(world: World) -> None:
    """A service with the database keeps its own place in the fleet, but answers for nobody else."""
    async with world.running("api") as api:
        assert api.floors.view.id
        with pytest.raises(NotDelivered):
            await CONDUCTOR.within(0.2).call(ConductorAPI.fleet, api.context())


@ON_POSTGRESQL
async def test_the_database_says_how_it_is(world: World) -> None:
    """And how far the clock of who asks is from its own."""
    async with world.running("conductor") as conductor:
        assert conductor.database is not None
        health = (await fleet(conductor)).health
        ahead = ConductorServer(world.project(kilo), conductor.database, clock=lambda: now() + timedelta(hours=1))
        skewed = (await ahead.fleet(conductor.context())).health
    assert health is not None
    assert set(health) == {"clock", "replica lag", "oldest transaction", "statements that wait for locks"}
    assert all(len(reading) == 2 for reading in health.values())
    assert health["oldest transaction"][1] == 300.0
    assert abs(health["clock"][0]) < 60
    assert skewed is not None
    assert skewed["clock"][0] - health["clock"][0] == pytest.approx(3600, abs=60)
