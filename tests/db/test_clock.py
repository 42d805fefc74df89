from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, MetaData, Table, insert, make_url, select
from sqlalchemy.exc import StatementError

from midflight.db import sqlite
from midflight.db.clock import UtcDateTime, now
from midflight.db.engine import transaction

times = Table("times", MetaData(), Column("at", UtcDateTime))


def stored(path: Path, at: datetime | None) -> datetime | None:
    engine = sqlite.create(make_url(f"sqlite:///{path}"))
    with transaction(engine, writes=True) as connection:
        times.create(connection)
        connection.execute(insert(times).values(at=at))
        found: datetime | None = connection.execute(select(times.c.at)).scalar_one()
    engine.dispose()
    return found


@pytest.mark.parametrize(
    "at",
    [
        datetime(2015, 4, 30, 12, 0, 0, 123457, tzinfo=UTC),
        datetime(2015, 4, 30, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2015, 7, 1, 1, 0, tzinfo=ZoneInfo("Europe/Berlin")),
        now(),
        None,
    ],
)
def test_times_come_back(tmp_path: Path, at: datetime | None) -> None:
    """A time comes back as the same moment, in UTC, to the microsecond."""
    found = stored(tmp_path / "x.db", at)
    assert found == at
    assert found is None or found.tzinfo is UTC


def test_naive_times_are_refused(tmp_path: Path) -> None:
    """A naive time is refused, with the way out."""
    with pytest.raises(StatementError, match=r"naive time 2015-04-30 12:00:00, expected an aware one"):
        stored(tmp_path / "x.db", datetime(2015, 4, 30, 12, 0))
