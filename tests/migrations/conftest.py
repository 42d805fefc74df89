from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, make_url

from midflight.db import sqlite
from midflight.db.engine import transaction
from tests.migrations import cloud


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty cloud in a file."""
    engine = sqlite.create(make_url(f"sqlite:///{tmp_path}/cloud.db"))
    with transaction(engine, writes=True) as connection:
        cloud.create(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """One transaction in it."""
    with transaction(engine, writes=True) as connection:
        yield connection
