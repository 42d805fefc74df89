from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from midflight.db.engine import create, parse, transaction
from tests.migrations import cloud


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty cloud, on each engine."""
    engine = create(parse(database_url))
    with transaction(engine, writes=True) as connection:
        cloud.create(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """One transaction in it."""
    with transaction(engine, writes=True) as connection:
        yield connection
