"""The rows of instances: the same table and the same statements on both sides, through SQLAlchemy Core on SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)

from benchmarks.objects import payload

_TYPES: dict[str, Any] = {
    "int": Integer, "bool": Boolean, "time": DateTime, "{str}": JSON, "[str]": JSON, "Flavor": JSON,
    "SecurityGroupList": JSON,
}  # fmt: skip

instances = Table(
    "instances",
    MetaData(),
    *(
        Column(name, _TYPES.get(short.rstrip("?"), String(255)), primary_key=name == "id", unique=name == "uuid")
        for name, short in payload.FIELDS["Instance"].items()
    ),
)
"""A column for each field; what is no plain value is JSON."""

_BY_UUID = instances.c.uuid == bindparam("wanted")
_FIND, _CHANGE = select(instances).where(_BY_UUID), update(instances).where(_BY_UUID)


def find(connection: Connection, uuid: str) -> dict[str, Any]:
    """One row."""
    return dict(connection.execute(_FIND, {"wanted": uuid}).mappings().one())


def change(connection: Connection, uuid: str, values: Mapping[str, Any]) -> None:
    """Give a row these values."""
    connection.execute(_CHANGE, {"wanted": uuid, **values})


def opened(path: Path) -> Engine:
    """A database as the incumbent's server opens it: as ours does, but with a connection for each of its threads."""
    engine = create_engine(f"sqlite:///{path}", pool_size=64)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def fill(path: Path) -> None:
    """Make the table, with a hundred instances."""
    engine = opened(path)
    with engine.begin() as connection:
        instances.metadata.create_all(connection)
        connection.execute(insert(instances), [payload.instance(at) for at in range(1, 101)])
    engine.dispose()
