"""A row is written only where nobody has written it since it was read."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Integer, MetaData, Table, select

from midflight.db.engine import parse, transaction
from midflight.db.rows import update_row
from midflight.db.sqlite import create
from midflight.errors import Conflict

TABLE = Table(
    "things", MetaData(), Column("id", Integer, primary_key=True), Column("meta", JSON), Column("revision", Integer)
)


def test_the_second_writer_of_a_row_is_told_and_writes_nothing(tmp_path: Path) -> None:
    """Each write counts the revision on; a row that is gone is a conflict too."""
    engine = create(parse(f"sqlite:///{tmp_path}/things.db"))
    with transaction(engine, writes=True) as connection:
        TABLE.metadata.create_all(connection)
        connection.execute(TABLE.insert().values(id=1, meta={"a": 1}, revision=0))

        def read() -> dict[str, Any]:
            return dict(connection.execute(select(TABLE)).mappings().one())

        first, second = read(), read()
        update_row(connection, TABLE, first, {"meta": {"a": 2}})
        with pytest.raises(Conflict, match="things.revision is another by now, not 0"):
            update_row(connection, TABLE, second, {"meta": {"a": 3}})
        assert read() == {"id": 1, "meta": {"a": 2}, "revision": 1}
        with pytest.raises(Conflict):
            update_row(connection, TABLE, read() | {"id": 2}, {"meta": {}})
    engine.dispose()
