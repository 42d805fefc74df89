from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from midflight.errors import ProjectError
from midflight.migrations import state
from midflight.migrations.keys import Key, from_json, from_text, key_text
from midflight.migrations.online import DataMigration, Row, RowContext
from midflight.migrations.runner import sweep
from tests.migrations.cloud import prove, variant


def doubles(row: Row, db: RowContext) -> dict[str, Any]:
    if row.n < 0:
        raise ValueError("less than nothing")
    return {"twice": 2 * row.n}


def shelf(key: tuple[str, ...] = ("room", "place")) -> DataMigration:
    return variant(table="shelf", key=key, function=doubles)


@pytest.fixture
def books(connection: Connection) -> Connection:
    """Three rooms of four places."""
    connection.execute(text("CREATE TABLE shelf (room TEXT, place INTEGER, n INTEGER, twice INTEGER, "
                            "PRIMARY KEY (room, place))"))  # fmt: skip
    books = [{"room": room, "place": place} for room in "abc" for place in range(4)]
    connection.execute(text("INSERT INTO shelf VALUES (:room, :place, :place, NULL)"), books)
    return connection


def test_composite_keys_are_walked_in_their_order(books: Connection) -> None:
    """Chunks end and begin in the middle of a room, and no row is missed or taken twice."""
    seen = [sweep(books, shelf(), 5) for _ in range(3)]
    assert [(progress.completed, progress.proven) for progress in seen] == [(5, False), (5, False), (2, True)]
    assert books.scalar(text("SELECT count(*) FROM shelf WHERE twice = 2 * n")) == 12


def test_a_composite_cursor_is_kept(books: Connection) -> None:
    """As the values of all parts."""
    sweep(books, shelf(), 5)
    assert state.read(books, "doubles").cursor.after == ("b", 0)


def test_the_order_is_that_of_the_migration(books: Connection) -> None:
    """And not that of the table's primary key."""
    sweep(books, shelf(("place", "room")), 5)
    assert state.read(books, "doubles").cursor.after == (1, "b")


def test_quarantine_and_proof_name_composite_keys(books: Connection) -> None:
    """As JSON; when the row is gone, it is forgotten."""
    books.execute(text("UPDATE shelf SET n = -1 WHERE room = 'b' AND place = 2"))
    progress = sweep(books, shelf(), 20)
    assert progress.failed == {'["b", 2]': "ValueError: less than nothing"}
    assert prove(books, shelf()).failed == {("b", 2): "ValueError: less than nothing"}
    books.execute(text("DELETE FROM shelf WHERE n = -1"))
    assert sweep(books, shelf(), 20).proven
    assert state.quarantined(books, "doubles") == {}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (("room",), "key 'room' of table shelf is neither its primary key nor unique and not null"),
        (("room", "n"), "key 'room', 'n' of table shelf is neither its primary key nor unique and not null"),
        (("room", "shelf"), "table shelf has no column 'shelf'"),
        ((), "received no key, expected the columns that tell all rows apart"),
    ],
)
def test_a_key_tells_all_rows_apart(books: Connection, key: tuple[str, ...], reason: str) -> None:
    """Else a chunk would end between two rows that it cannot tell apart."""
    with pytest.raises(ProjectError) as refused:
        sweep(books, shelf(key), 5)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("key", "written"), [(7, "7"), ("a, b", "a, b"), (("a, b", 7), '["a, b", 7]'), (("ü", "7"), '["ü", "7"]')]
)
def test_a_key_as_text_is_read_back(key: Key, written: str) -> None:
    """What an operator copies from a list names the same row."""
    like = [type(part) for part in (key if isinstance(key, tuple) else (key,))]
    assert key_text(key) == written
    assert from_text(written, like) == key


@pytest.mark.parametrize(("written", "like"), [("x", [int]), ('["a"]', [str, int]), ("7", [str, int])])
def test_what_is_no_key(written: str, like: list[type]) -> None:
    """Is refused."""
    with pytest.raises(ValueError, match="received|invalid literal"):
        from_text(written, like)


def test_json_has_no_tuples() -> None:
    """A cursor comes back as it was."""
    assert (from_json([1, "a"]), from_json(7), from_json(None)) == ((1, "a"), 7, None)
