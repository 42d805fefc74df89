"""Objects at rest are written for the oldest release that must still read them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Text, cast, select, text, update

from midflight.conductor import store_floor
from midflight.conductor.interface import ConductorAPI
from midflight.db import tables as db_tables
from midflight.db.engine import Database, create, parse, transaction
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import OutsideWindow, PinnedOut, ProjectError, SchemaTooOld
from midflight.migrations.online import Row, RowContext, data_migration
from midflight.project import Project
from midflight.service import RunningService
from midflight.versions import Manifest, Release
from tests.conductor import juno, kilo, tables
from tests.conductor.world import CONDUCTOR, World, eventually, freeze, member


def stored(world: World, name: str) -> str:
    """A machine's disk as it lies in the row."""
    engine = create(parse(world.database))
    with transaction(engine, writes=False) as connection:
        query = select(cast(tables.machines.c.disk, Text)).where(tables.machines.c.name == name)
        found: str = connection.execute(query).scalar_one()
    engine.dispose()
    return found


def execute(world: World, statement: str) -> list[tuple[Any, ...]]:
    """One statement on the rows, from outside of the fleet."""
    engine = create(parse(world.database))
    with transaction(engine, writes=True) as connection:
        found = connection.execute(text(statement))
        rows = [tuple(row) for row in found] if found.returns_rows else []
    engine.dispose()
    return rows


async def raised(world: World, conductor: RunningService, release: str, *members: RunningService) -> None:
    """Raise the floor, and wait until everybody obeys it."""
    await CONDUCTOR.call(ConductorAPI.raise_store_floor, conductor.context(), release)
    epoch = (await CONDUCTOR.call(ConductorAPI.fleet, conductor.context())).epoch

    async def obeyed() -> bool:
        return all([(await member(conductor, each)).epoch == epoch for each in members])

    await eventually(obeyed)


@pytest.mark.parametrize("floor", [None, "juno"])
async def test_rows_of_a_newer_release_are_read_by_the_oldest_that_may(world: World, floor: str | None) -> None:
    """Also before any floor was raised, for the release that expanded the schema first may be here still; what it
    cannot read is refused, not dropped."""
    new: dict[str, Any] = {"release": kilo}
    async with world.running("conductor", **new) as conductor, world.running("api", "a1", **new) as api:
        if floor:
            await raised(world, conductor, floor, conductor, api)
        async with world.running("api", "a2", juno) as old, world.running("agent", **new) as agent:
            await kilo.Machine(context=api.context(), name="a", disk=kilo.Disk(gigabytes=7)).create()
            await kilo.Machine(context=agent.context(), name="b", disk=kilo.Disk(gigabytes=8)).create()
            assert stored(world, "a") == '{"$": "Disk:1.0", "gigabytes": 7}'
            assert (await juno.Machine.get(old.context(), "a")).disk == juno.Disk(gigabytes=7)
            assert (await juno.Machine.get(old.context(), "b")).disk == juno.Disk(gigabytes=8)
            machine = await kilo.Machine.get(api.context(), "a")
            assert machine.disk is not None
            machine.disk.encrypted = True
            with pytest.raises(PinnedOut, match=r"Disk.encrypted = True needs Disk 1.1"):
                await machine.save()


async def test_after_the_floor_has_risen_rows_are_written_in_the_new_versions(world: World) -> None:
    """All who open the database learn of it by an epoch, without a restart; what lies in the old versions is brought
    forward when it is loaded, and written anew when it is saved."""
    new: dict[str, Any] = {"release": kilo}
    async with world.running("conductor", **new) as conductor, world.running("api", **new) as api:
        await kilo.Machine(context=api.context(), name="a", disk=kilo.Disk(gigabytes=7)).create()
        await raised(world, conductor, "kilo", conductor, api)
        machine = await kilo.Machine.get(api.context(), "a")
        assert (machine.disk, machine.changes()) == (kilo.Disk(gigabytes=7, encrypted=False), {})
        assert machine.disk is not None
        machine.disk.encrypted = True
        await machine.save()
        assert stored(world, "a") == '{"$": "Disk:1.1", "gigabytes": 7, "encrypted": true}'
    async with world.running("api", **new) as later:
        await kilo.Machine(context=later.context(), name="b", disk=kilo.Disk(gigabytes=8)).create()
        assert stored(world, "b") == '{"$": "Disk:1.1", "gigabytes": 8, "encrypted": false}'


async def test_a_floor_that_does_not_rise_begins_no_epoch(world: World) -> None:
    """Asking twice changes nothing."""
    async with world.running("conductor", release=kilo) as conductor:
        for _ in range(2):
            await raised(world, conductor, "kilo", conductor)
        assert conductor.floors.epoch == 1


KILO_S_BRANCH = {"juno": 1, "kilo": 2, "kilo.1": 3}
LIBERTY = {"juno": 1, "kilo": 2, "liberty": 3}


def history(sequences: dict[str, int]) -> list[Release]:
    return [Release(name, Manifest({}), sequence) for name, sequence in sequences.items()]


@pytest.mark.parametrize(
    ("floor", "release", "known", "admitted"),
    [
        ("liberty", "kilo.1", KILO_S_BRANCH, False),
        ("liberty", "kilo.1", {**LIBERTY, "kilo.1": 4}, False),
        ("liberty", "not frozen yet", KILO_S_BRANCH, False),
        ("liberty", "liberty", LIBERTY, True),
        ("liberty", "mitaka", {**LIBERTY, "kilo.1": 4, "mitaka": 5}, True),
        ("kilo.1", "kilo", {"juno": 1, "kilo": 2}, False),
        ("kilo.1", "kilo.1", KILO_S_BRANCH, True),
        ("kilo.1", "liberty", LIBERTY, True),
        ("kilo.1", "liberty", {**LIBERTY, "kilo.1": 4}, True),
    ],
)
async def test_a_fix_is_below_every_later_release(
    tmp_path: Path, floor: str, release: str, known: dict[str, int], admitted: bool
) -> None:
    """Whatever number it was frozen under: beside that release, or on a branch of its own, whose code has never heard
    of it."""
    url = f"sqlite:///{tmp_path}/fleet.db"
    SchemaRunner(url, None, None, "juno").expand()
    database = await Database.open(url)
    raisers = LIBERTY if floor == "liberty" else KILO_S_BRANCH
    assert await database.write(store_floor.raise_to, floor, history(raisers))
    with nullcontext() if admitted else pytest.raises(OutsideWindow, match=f"only {floor} and later"):
        await database.read(store_floor.admit, "api", release, history(known))
    await database.close()


def test_a_member_of_a_late_fix_holds_the_door() -> None:
    """Its code is older than the next release, whose form it does not know."""
    assert store_floor.is_older("kilo.1", "liberty", history({**LIBERTY, "kilo.1": 4}))
    assert not store_floor.is_older("liberty", "kilo.1", history({**LIBERTY, "kilo.1": 4}))


@pytest.mark.parametrize(
    ("name", "release", "refused"),
    [("flavors_move", "kilo", False), ("disks_move", "kilo", True), ("disks_move", "juno", True),
     ("disks_move", "liberty", False)],
)  # fmt: skip
async def test_a_finalized_data_migration_keeps_its_name(
    tmp_path: Path, name: str, release: str, refused: bool
) -> None:
    """By another one its rows would be taken for rows in their old form. One of a later release is another one."""
    url = f"sqlite:///{tmp_path}/fleet.db"
    SchemaRunner(url, None, None, "juno").expand(["flavors_move"])
    for sequence, frozen in enumerate(("juno", "kilo", "liberty"), start=1):
        freeze(tmp_path / "releases", frozen, sequence, Manifest({}))
    moves = data_migration(release=release, table="machines", key="id")(namesake(name))
    project = Project("cloud", migrations=[moves], releases=tmp_path / "releases")
    database = await Database.open(url)
    await database.read(store_floor.refuse_renamed, project)
    await database.write(store_floor.raise_to, "kilo", project.releases)
    await database.write(lambda connection: connection.execute(update(db_tables.forms).values(form="new")))
    said = (
        rf"disks_move: is of {release}, which is finalized, and not among those that have moved rows \(flavors_move\): "
        "if it had that name, give it back, .*; if it is a new one, name the release that brings it"
    )
    with pytest.raises(ProjectError, match=said) if refused else nullcontext():
        await database.read(store_floor.refuse_renamed, project)
    await database.close()


def namesake(name: str) -> Any:
    def moves(row: Row, db: RowContext) -> Mapping[str, Any]:
        return {}

    moves.__name__ = name
    return moves


@pytest.mark.parametrize("taken", [False, True])
async def test_who_is_below_the_floor_and_starts_while_no_conductor_answers(world: World, taken: bool) -> None:
    """The rows say it: it does not join, and is not told to expand the schema, though what its code needs may have been
    dropped since."""
    async with world.running("conductor", release=kilo) as conductor:
        await raised(world, conductor, "kilo", conductor)
    if taken:
        execute(world, "ALTER TABLE machines DROP COLUMN boots")
    with pytest.raises(OutsideWindow, match="api of release juno .* only kilo and later can read") as refused:
        async with world.running("api", release=juno):
            pass
    assert refused.value.exit_code == 78
    assert execute(world, "SELECT service FROM mf_members WHERE state <> 'retired'") == []


async def test_who_is_older_than_the_schema_and_starts_while_no_conductor_answers(world: World) -> None:
    """Code without the last expand works on at the same floor: it asks the rows what all others are told, obeys it, and
    writes for itself and for those who are newer."""
    async with world.running("conductor", release=kilo) as conductor:
        await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), "*", "juno")
        epoch = (await CONDUCTOR.call(ConductorAPI.fleet, conductor.context())).epoch
    execute(world, "ALTER TABLE machines ADD COLUMN power TEXT")
    async with world.running("api", release=juno) as old:
        assert old.floors.epoch == epoch
        await juno.Machine(context=old.context(), name="a", disk=juno.Disk(gigabytes=7)).create()
        (row,) = execute(world, "SELECT service, epoch FROM mf_members WHERE state <> 'retired'")
        assert row == ("api", epoch)
    async with world.running("api", release=kilo) as new:
        assert (await kilo.Machine.get(new.context(), "a")).disk == kilo.Disk(gigabytes=7, encrypted=False)


async def test_who_is_newer_than_the_schema_and_starts_while_no_conductor_answers(world: World) -> None:
    """Without the expand of its own release it does not join, and is told what is missing."""
    execute(world, "ALTER TABLE machines DROP COLUMN note")
    with pytest.raises(SchemaTooOld, match="lacks column machines.note, which release kilo needs") as refused:
        async with world.running("api", release=kilo):
            pass
    assert refused.value.exit_code == 78
    assert execute(world, "SELECT service FROM mf_members") == []
