"""All rows compared, part by part, while everybody works; and what is allowed on the strength of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from midflight.conductor import members, store_floor
from midflight.conductor.data_objects import ProofResult
from midflight.db import journal
from midflight.db.engine import Database
from midflight.db.write_form import Form
from midflight.migrations import proof
from midflight.migrations.derive import Finding
from midflight.migrations.keys import Key, key_text
from midflight.migrations.online import DataMigration
from midflight.migrations.proof import Proof
from midflight.migrations.state import Standing, State
from midflight.versions import Release

Write = Callable[..., Awaitable[Any]]
"""``Database.write``, in the name of whoever asks."""
Look = Callable[[Connection, DataMigration, Key | None], list[tuple[Key, Finding]]]


async def proven(database: Database, write: Write, migration: DataMigration, at: datetime) -> ProofResult:
    """Prove, and say by what: the query, what it counted, how long all took, who has the database open meanwhile."""
    begun = time.monotonic()
    found, _ = await _prove(database, write, migration)
    query = f"SELECT count(*) FROM {migration.table} WHERE NOT ({migration.proof})"  # noqa: S608  # the project's own
    counted, openers = await database.read(_surroundings, query, at)
    return ProofResult(
        name=migration.name,
        checked=found.checked,
        disagreeing=[key_text(key) for key in found.disagreeing],
        proven=found.proven,
        left=found.left,
        sql=query,
        counted=counted,
        seconds=time.monotonic() - begun,
        releases=dict(openers),
    )


async def advance(
    database: Database, write: Write, migration: DataMigration, to: Form, releases: Sequence[Release]
) -> int:
    """Move the write form one arrow on, after a scan of all rows where readers come to rely on them; the new epoch.

    Raises StepBlocked for rows that do not agree, where something has changed since the scan began, and where a member
    that is older than the migration's release has the database open, or had it meanwhile.
    """

    def look(connection: Connection, migration: DataMigration, after: Key | None) -> list[tuple[Key, Finding]]:
        _refuse_older(connection, migration, to, releases)
        return proof.look(connection, migration, after)

    if not await database.read(proof.needs_scan, migration, to):
        return await _moved(write, migration, to, releases)
    before = await database.read(proof.standing_of, migration)
    if before.state is not State.PROVEN:  # only a proof is taken back by what breaks it
        found, before = await _prove(database, write, migration)
        proof.refuse_unproven(migration, to, found)
    since = await database.read(_latest_entry)
    found = await _scanned(database, migration, look)
    return await _moved(write, migration, to, releases, _Scan(found, before, since))


@dataclass(frozen=True)
class _Scan:
    """What was found, how the migration stood before, and the journal's latest entry then."""

    found: Proof
    before: Standing
    since: int


def _latest_entry(connection: Connection) -> int:
    return next((entry.id for entry in journal.read(connection, latest=1)), 0)


async def _moved(
    write: Write, migration: DataMigration, to: Form, releases: Sequence[Release], scan: _Scan | None = None
) -> int:
    epoch: int = await write(_move, migration, to, releases, scan)
    return epoch


def _move(
    connection: Connection, migration: DataMigration, to: Form, releases: Sequence[Release], scan: _Scan | None
) -> int:
    """Who does not know the new form must not open the database once it is written alone."""
    if scan is None:
        epoch = proof.advance(connection, migration, to)
    else:  # the transactions of the scan see who is there, but not who came and went between two of them
        store_floor.refuse_joined(connection, _step(migration, to), migration.release, releases, scan.since)
        epoch = proof.advance(connection, migration, to, scan.found, scan.before)
    if to is Form.BOTH_READ_NEW:
        _refuse_older(connection, migration, to, releases)
    if to is Form.NEW:
        store_floor.raise_to(connection, migration.release, releases)
    return epoch


def _refuse_older(connection: Connection, migration: DataMigration, to: Form, releases: Sequence[Release]) -> None:
    """Who does not know the new form changes the old one alone."""
    store_floor.refuse_older(connection, _step(migration, to), migration.release, releases)


def _step(migration: DataMigration, to: Form) -> str:
    return f"Advancing {migration.name} to '{to}'"


async def _prove(database: Database, write: Write, migration: DataMigration) -> tuple[Proof, Standing]:
    before = await database.read(proof.standing_of, migration)
    found = await _scanned(database, migration)
    after: Standing = await write(proof.remember, migration, found, before)
    return found, after


async def _scanned(database: Database, migration: DataMigration, look: Look = proof.look) -> Proof:
    found = Proof()
    after: Key | None = None
    while part := await database.read(look, migration, after):
        for key, finding in part:
            found.add(key, finding)
        after = part[-1][0]
    return found


def _surroundings(connection: Connection, query: str, at: datetime) -> tuple[int, dict[str, int]]:
    counted = connection.execute(text(query.replace(":", r"\:"))).scalar_one()
    return counted, Counter(each.release for each in members.everyone(connection, at) if each.database)
