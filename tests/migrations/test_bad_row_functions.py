"""Row functions that are wrong: whatever they do, each row has one clear error, the others are migrated, it ends."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from midflight.db.engine import transaction
from midflight.migrations import runner, state
from midflight.migrations.online import DataMigration, Deferred, Row, RowContext
from midflight.migrations.progress import Progress
from midflight.migrations.runner import sweep
from midflight.migrations.stuck import limited
from tests.engines import ON_SQLITE
from tests.migrations.cloud import boot, migrate_flavor_data, migrated, variant


def swept(connection: Connection, migration: DataMigration, limit: int = 100) -> Progress:
    """The last chunk, however many there are."""
    for _ in range(50):
        progress = sweep(connection, migration, limit)
        if not progress.more:
            return progress
    raise AssertionError("it never ends")


def on_row_7(what: Any) -> DataMigration:
    """The good row function, but for one row."""

    def row_function(row: Row, db: RowContext) -> Any:
        return what() if row.id == 7 else migrate_flavor_data(row, db)

    return variant(function=row_function)


@pytest.fixture
def fleet(connection: Connection) -> Connection:
    """Thirty instances."""
    for number in range(1, 31):
        boot(connection, number)
    return connection


def for_ever() -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:  # noqa: BLE001  # as somebody might write it
            pass


def computes_for_ever() -> None:
    while True:
        try:
            sum(range(1000))
        except Exception:  # noqa: BLE001  # as somebody might write it
            pass


@pytest.mark.parametrize("what", [for_ever, computes_for_ever])
def test_one_that_does_not_end(fleet: Connection, monkeypatch: pytest.MonkeyPatch, what: Callable[[], None]) -> None:
    """It is stopped, whatever it catches, and its row is in quarantine; the other rows are migrated."""
    monkeypatch.setattr("midflight.migrations.runner.limited", lambda: limited(0.1))
    progress = swept(fleet, on_row_7(what))
    assert progress.failed == {"7": "TimeoutError: the row function did not end within 0.1 s"}
    assert (migrated(fleet), progress.exit_code) == (29, 3)


def test_one_that_waits_is_given_more_time() -> None:
    """What a busy machine or database makes wait is no fault of the row's."""
    with limited(0.05) as limit:
        limit.run(time.sleep, 0.2)


def test_a_slow_one_is_not_stopped_afterwards() -> None:
    """A stop that comes when the function has ended by itself does not reach what follows."""
    with limited(0.002) as limit:
        for _ in range(20):
            try:
                limit.run(time.sleep, 0.02)
            except TimeoutError:
                continue
        time.sleep(0.05)
        assert limit.run(lambda: 5) == 5


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (lambda: {"flavor": {1}}, "the new form was refused: Object of type set is not JSON serializable"),
        (lambda: {"flavour": 1}, "ValueError: the row function returned flavour; the columns are"),
        (lambda: 5, "TypeError: the row function returned int, expected a mapping of columns to values"),
        (lambda: [][0], "IndexError: list index out of range"),
        (lambda: {"flavor": {"n": next(itertools.count())}, "id": 1}, "ValueError: the row function returned the key"),
    ],
)
def test_one_bad_row_among_good_ones(fleet: Connection, what: Any, error: str) -> None:
    """All the others are written with it in one chunk; it alone is named."""
    progress = swept(fleet, on_row_7(what))
    assert list(progress.failed) == ["7"]
    assert progress.failed["7"].startswith(error)
    assert migrated(fleet) == 29


@ON_SQLITE
def test_a_row_that_the_database_refuses(fleet: Connection) -> None:
    """A chunk is halved until the bad row stands alone."""
    fleet.execute(text("CREATE TRIGGER no BEFORE UPDATE ON instances WHEN old.id = 7 "
                       "BEGIN SELECT RAISE(ABORT, 'not this one'); END"))  # fmt: skip
    progress = swept(fleet, migrate_flavor_data)
    assert progress.failed == {"7": "the new form was refused: not this one"}
    assert (migrated(fleet), progress.exit_code) == (29, 3)


def test_one_that_gives_another_result_each_time(fleet: Connection) -> None:
    """What it wrote is found to differ when it is verified, for each row, and it does not run in circles."""
    count = itertools.count()
    progress = swept(fleet, variant(function=lambda row, db: {"flavor": {"serial": next(count)}}))
    assert len(progress.failed) == 30
    assert set(progress.failed.values()) == {
        "flavor was written and differs still: the row function gives another result each time, or the column does "
        "not keep what it is given"
    }
    assert not progress.proven


def test_a_proof_that_never_holds(fleet: Connection) -> None:
    """Each row says so as soon as it was written, and none is kept: the conditions of a migration are its promise."""
    progress = swept(fleet, variant(proof="host = 'nowhere'"))
    assert len(progress.failed) == 30
    assert set(progress.failed.values()) == {"both forms agree, and yet the proof (host = 'nowhere') does not hold"}
    assert (migrated(fleet), progress.exit_code) == (0, 3)


def test_reasons_without_end(fleet: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row function that makes up a reason for each row does not fill the histogram."""
    monkeypatch.setattr(state, "MOST_REASONS", 3)

    def always(row: Row, db: RowContext) -> dict[str, Any]:
        raise Deferred(f"row {row.id}")

    progress = swept(fleet, variant(function=always))
    assert progress.deferred == {"row 1": 1, "row 2": 1, "row 3": 1, "other reasons": 27}
    assert progress.exit_code == 2


def test_errors_without_end(fleet: Connection) -> None:
    """An error of any length is kept as far as somebody may read it."""

    def fails() -> None:
        raise ValueError("x" * 100_000)

    swept(fleet, on_row_7(fails))
    (error,) = state.quarantined(fleet, "row_function").values()
    assert len(error) == state.LONGEST


def test_it_ends_while_rows_are_inserted(engine: Engine) -> None:
    """Each pass ends at the key that was the last when it began; what came meanwhile is compared before it is proven,
    and where more comes than can be compared, nothing is called proven."""
    with transaction(engine, writes=True) as connection:
        for number in range(1, 21):
            boot(connection, number)
    seen: list[Progress] = []
    for insert in range(40):
        with transaction(engine, writes=True) as connection:
            seen.append(sweep(connection, migrate_flavor_data, 10))
            if insert < 20:
                boot(connection, 100 + insert)
        if not seen[-1].more:
            break
    assert seen[-1].proven
    assert len(seen) < 20
    with transaction(engine, writes=True) as connection:
        assert state.read(connection, "migrate_flavor_data").passes == 1


def test_rows_inserted_faster_than_they_are_verified(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass ends after some extensions, and is not proven; there is more to do."""
    monkeypatch.setattr(runner, "_EXTENSIONS", 1)
    with transaction(engine, writes=True) as connection:
        for number in range(1, 11):
            boot(connection, number)
    seen: list[Progress] = []
    for chunk in range(1, 40):
        with transaction(engine, writes=True) as connection:
            seen.append(sweep(connection, migrate_flavor_data, 5, looks=5))
            for number in range(6):
                boot(connection, chunk * 100 + number)
    with transaction(engine, writes=True) as connection:
        assert state.read(connection, "migrate_flavor_data").passes >= 1
    assert not any(progress.proven for progress in seen)
