from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from midflight.db import journal, tables
from midflight.db.clock import now
from midflight.db.engine import create, parse, transaction


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        tables.metadata.create_all(connection)
    yield engine
    engine.dispose()


def test_order_and_kinds(engine: Engine) -> None:
    """Entries come back in order with their facts, all of them, after one of them, or of one kind."""
    with transaction(engine, writes=True) as connection:
        first = journal.write(connection, "pin.set", {"topic": "compute", "release": "juno"})
        journal.write(connection, "form.advanced", {"name": "flavor"})
        journal.write(connection, "pin.cleared", {"topic": "compute"})
        assert [entry.kind for entry in journal.read(connection)] == ["pin.set", "form.advanced", "pin.cleared"]
        assert [entry.kind for entry in journal.read(connection, since=first)] == ["form.advanced", "pin.cleared"]
        assert [entry.facts for entry in journal.read(connection, kind="pin.set")] == [
            {"topic": "compute", "release": "juno"}
        ]


def test_since_a_time(engine: Engine) -> None:
    """Entries can be asked for from a time on."""
    with transaction(engine, writes=True) as connection:
        journal.write(connection, "pin.set", {})
        assert len(journal.read(connection, since=now() - timedelta(minutes=1))) == 1
        assert journal.read(connection, since=now() + timedelta(minutes=1)) == []


def test_kept_with_the_act(engine: Engine) -> None:
    """An entry is kept if and only if the act's transaction is."""

    def fail() -> None:
        with transaction(engine, writes=True) as connection:
            journal.write(connection, "pin.set", {})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with transaction(engine, writes=False) as connection:
        assert journal.read(connection) == []
