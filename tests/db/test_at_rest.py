"""Versions of objects in the rows of a project's tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    insert,
    make_url,
    text,
)

from midflight.db import at_rest, sqlite
from midflight.db.at_rest import Chunk
from midflight.db.engine import transaction


class OwnJson(TypeDecorator[Any]):
    """A project's own type of column, on JSON."""

    impl = JSON
    cache_ok = True


cloud = MetaData()
instances = Table(
    "instances",
    cloud,
    Column("id", Integer, primary_key=True),
    Column("flavor", JSON(none_as_null=True)),
    Column("more", OwnJson),
)
pairs = Table(
    "pairs",
    cloud,
    Column("host", String, primary_key=True),
    Column("raw", LargeBinary, primary_key=True),
    Column("disks", JSON),
)
heap = Table("heap", cloud, Column("disk", JSON))
plain = Table("plain", cloud, Column("id", Integer, primary_key=True), Column("note", String))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = sqlite.create(make_url("sqlite://"))
    with transaction(engine, writes=True) as connection:
        cloud.create_all(connection)
        yield connection
    engine.dispose()


def flavor(version: str, **more: Any) -> dict[str, Any]:
    return {"$": f"Flavor:{version}", "ram": 1, **more}


def counted(connection: Connection, limit: int) -> list[Chunk]:
    """All chunks; where each one ends goes over the wire as plain values."""
    chunks = [at_rest.count(connection, cloud, (), limit)]
    while chunks[-1].after:
        chunks.append(at_rest.count(connection, cloud, chunks[-1].after, limit))
    return chunks


def together(chunks: list[Chunk]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for chunk in chunks:
        for column, names in chunk.found.items():
            found.setdefault(column, Counter()).update(names)
    return found


def test_objects_are_found_at_any_depth(connection: Connection) -> None:
    """Alone, in lists and dicts, inside other objects and in half-loaded ones; by column, name and version."""
    deep = {"a": [{"b": flavor("1.0")}, flavor("1.1", of={"$": "Maker:2.0"})]}
    connection.execute(insert(instances), [
        {"id": 1, "flavor": flavor("1.1"), "more": deep},
        {"id": 2, "flavor": {"$": "Flavor:1.0~"}, "more": None},
        {"id": 3, "flavor": None, "more": [1, "Flavor:1.0", {"x": None}]},
    ])  # fmt: skip
    assert together(counted(connection, 10)) == {
        "instances.flavor": {"Flavor:1.1": 1, "Flavor:1.0": 1},
        "instances.more": {"Flavor:1.0": 1, "Flavor:1.1": 1, "Maker:2.0": 1},
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_chunks_see_each_row_once(connection: Connection, limit: int) -> None:
    """However large they are, over all tables with JSON columns and keys of several columns; no chunk is larger."""
    connection.execute(insert(instances), [{"id": n, "flavor": flavor("1.0")} for n in (5, 2, 9, 7, 1, 40)])
    keys = [(host, raw) for host in ("a", "b", "ö") for raw in (b"\x00", b"\xff")]
    connection.execute(insert(pairs), [{"host": h, "raw": r, "disks": [flavor("1.1")] * 2} for h, r in keys])
    chunks = counted(connection, limit)
    assert sum(chunk.rows for chunk in chunks) == 12
    assert max(chunk.rows for chunk in chunks) <= limit
    assert together(chunks) == {"instances.flavor": {"Flavor:1.0": 6}, "pairs.disks": {"Flavor:1.1": 12}}
    assert {column for chunk in chunks for column in chunk.columns} == {
        "heap.disk", "instances.flavor", "instances.more", "pairs.disks",
    }  # fmt: skip


def test_what_is_no_json_is_counted_with_the_key_of_a_row(connection: Connection) -> None:
    """The rows beside it are counted all the same; so is what Python's JSON takes and others do not."""
    bad = ("{", "nonsense", "", "[" * 100_000)
    rows = [*enumerate(bad, 1), (10, json.dumps(flavor("1.0", x=float("nan"))))]
    for id, value in rows:
        connection.execute(text("INSERT INTO instances (id, flavor) VALUES (:id, :value)"), {"id": id, "value": value})
    (_, chunk, _) = counted(connection, 100)
    assert (chunk.unreadable, chunk.examples) == ({"instances.flavor": 4}, {"instances.flavor": "1"})
    assert chunk.found == {"instances.flavor": {"Flavor:1.0": 1}}


def test_a_tag_that_names_no_object_is_counted_as_such(connection: Connection) -> None:
    """Somebody's own text may have the same key."""
    strange = ["Flavor", "Flavor:one", 7, None, {"$": "Flavor:1.0"}, "9x:1.0", "Flavor:1.0:1"]
    connection.execute(insert(instances), [{"id": n, "more": {"$": value}} for n, value in enumerate(strange)])
    assert together(counted(connection, 100)) == {"instances.more": {"?": 7, "Flavor:1.0": 1}}


def test_a_table_without_a_key_is_named(connection: Connection) -> None:
    """It cannot be walked in chunks, and holds up nothing."""
    connection.execute(insert(heap), [{"disk": flavor("1.0")}])
    assert [chunk.unkeyed for chunk in counted(connection, 100)] == [["heap"], [], []]


def test_a_place_of_other_code_is_gone_on_from(connection: Connection) -> None:
    """The conductor that answers next may have other tables."""
    assert at_rest.count(connection, cloud, ["images", 7], 10).columns[0] == "instances.flavor"
    assert at_rest.count(connection, cloud, ["zones", 7], 10) == Chunk()
    assert at_rest.count(connection, MetaData(), (), 10) == Chunk()
