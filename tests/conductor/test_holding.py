"""Whoever finalizes leaves the proof to PostgreSQL, as a check that it has validated."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from midflight.conductor.server import ConductorServer
from midflight.context import Context
from midflight.db import forms
from midflight.db.engine import Database
from midflight.db.write_form import Form
from midflight.errors import StepBlocked
from midflight.migrations import constraint
from midflight.migrations.online import DataMigration
from midflight.migrations.runner import sweep
from midflight.project import Project
from tests.engines import ON_POSTGRESQL, ON_SQLITE
from tests.migrations import cloud
from tests.migrations.cloud import boot, migrate_flavor_data, variant

NAME = migrate_flavor_data.name
WITH_PROOF = variant(proof="flavor IS NOT NULL AND host <> 'a:b%'")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Three instances that are migrated."""
    database = await Database.open(database_url)
    await database.write(cloud.create)
    await database.write(lambda connection: [boot(connection, number) for number in range(1, 4)])
    await database.write(sweep, WITH_PROOF, 10)
    await database.write(forms.advance, NAME, Form.BOTH_READ_NEW)
    yield database
    await database.close()


def server(database: Database, migration: DataMigration = WITH_PROOF) -> ConductorServer:
    migration.name = NAME
    return ConductorServer(Project("cloud", migrations=[migration]), database, "conductor")


async def finalize(database: Database) -> None:
    await database.write(forms.advance, NAME, Form.NEW)


@ON_POSTGRESQL
async def test_the_database_holds_the_proof(database: Database) -> None:
    """Who writes a row without its new form is refused by the database itself; a second proof finds the check there."""
    await finalize(database)
    for _ in range(2):
        proof = await server(database).prove(Context(), NAME)
        assert (proof.proven, proof.sql) == (True, f"CHECK ({WITH_PROOF.proof}) on instances")
        assert proof.constraint == f"the database holds the proof: the check mf_{NAME} of instances is validated"
    with pytest.raises(IntegrityError, match=f'violates check constraint "mf_{NAME}"'):
        await database.write(lambda connection: boot(connection, 7))


@ON_POSTGRESQL
async def test_not_before_the_old_form_is_gone(database: Database) -> None:
    """While anybody may come back who knows nothing of the new form, nothing is refused."""
    assert await database.write(constraint.add, WITH_PROOF) is False
    assert await database.read(constraint.state_of, WITH_PROOF) is None
    await database.write(lambda connection: boot(connection, 7))


@ON_POSTGRESQL
async def test_a_row_that_does_not_fulfil_it(database: Database) -> None:
    """Is told, and the check goes, so that the row can be mended."""
    await finalize(database)
    await database.write(lambda connection: boot(connection, 7))
    proof = await server(database).prove(Context(), NAME)
    assert not proof.proven
    assert proof.constraint.startswith(
        f"a row does not fulfil the proof, and the check mf_{NAME} of instances was taken"
    )
    await database.write(lambda connection: connection.execute(text("UPDATE instances SET flavor = '{}'")) and None)
    assert (await server(database).prove(Context(), NAME)).proven


@ON_POSTGRESQL
async def test_a_condition_that_no_check_can_have(database: Database) -> None:
    """Is told; nothing else depends on it."""
    await finalize(database)
    query = variant(proof="EXISTS (SELECT 1 FROM system_metadata)")
    proof = await server(database, query).prove(Context(), NAME)
    assert (proof.proven, proof.constraint) == (
        False, "the database does not hold the proof: cannot use subquery in check constraint",
    )  # fmt: skip


@pytest.mark.parametrize("migration", [variant(), variant(proof="flavor IS NOT NULL")], ids=["trivial", "sqlite"])
@ON_SQLITE
async def test_nothing_to_hold(database: Database, migration: DataMigration) -> None:
    """A proof that says nothing, or another database: there is nothing to prove any more."""
    await finalize(database)
    with pytest.raises(StepBlocked, match="nothing to compare with"):
        await server(database, migration).prove(Context(), NAME)
