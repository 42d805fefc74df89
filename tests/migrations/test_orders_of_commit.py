"""A sweeper and a save meet at one row, on PostgreSQL, where both are in the middle of their transactions at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, insert, text

from midflight.db.engine import transaction
from midflight.errors import DatabaseContended
from midflight.migrations import runner
from midflight.migrations.runner import sweep
from tests.engines import ON_POSTGRESQL
from tests.migrations.cloud import boot, migrate_flavor_data, prove, ram_of, resize, system_metadata

pytestmark = ON_POSTGRESQL
Work = Callable[[Connection], None]


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    """Three instances that juno wrote."""
    with transaction(engine, writes=True) as connection:
        for number in (1, 2, 3):
            boot(connection, number, ram=1)
    return engine


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    """Who works beside the test."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


def save(connection: Connection) -> None:
    """Kilo writes both forms."""
    resize(connection, 2, 99)
    migrate_flavor_data.apply(connection, 2)


def swept(connection: Connection) -> None:
    runner.begin(connection)
    sweep(connection, migrate_flavor_data, 10)


def until_done(engine: Engine, work: Work) -> None:
    """As Database.write does it: again, where it could not be ordered with others."""
    while True:
        try:
            with transaction(engine, writes=True) as connection:
                work(connection)
            return
        except DatabaseContended:
            continue


def meet(fleet: Engine, others: ThreadPoolExecutor, first: Work, second: Work, *, keeps: bool = True) -> None:
    """The first has worked and not committed yet when the second comes; then it commits, or gives up."""
    began = threading.Event()

    def come() -> None:
        began.set()
        until_done(fleet, second)

    def work() -> Future[None]:
        with transaction(fleet, writes=True) as connection:
            first(connection)
            coming = others.submit(come)
            began.wait(60)
            with pytest.raises(TimeoutError):
                coming.result(0.3)
            if not keeps:
                raise InterruptedError
            return coming

    if keeps:
        work().result(10)
        return
    with pytest.raises(InterruptedError):
        work()


@pytest.mark.parametrize("keeps", [True, False], ids=["commits", "rolls back"])
@pytest.mark.parametrize(("first", "second"), [(save, swept), (swept, save)], ids=["save first", "sweep first"])
def test_both_orders(
    fleet: Engine, others: ThreadPoolExecutor, first: Work, second: Work, keeps: bool,
) -> None:  # fmt: skip
    """Whoever comes later waits for the row, and derives the new form from what was committed; nothing is lost."""
    meet(fleet, others, first, second, keeps=keeps)
    others.shutdown()
    saved = keeps or first is swept
    with transaction(fleet, writes=True) as connection:
        assert ram_of(connection, 2) == (99 if saved else 1)
        swept_too = keeps or first is save
        assert [ram_of(connection, number) for number in (1, 3)] == [1 if swept_too else None] * 2
        assert len(prove(connection, migrate_flavor_data).disagreeing) == (0 if swept_too else 2)


def test_an_old_writer_is_found_by_the_next_pass(fleet: Engine) -> None:
    """Juno does not derive; what it committed behind the sweeper's back is found when all rows are verified."""
    with transaction(fleet, writes=True) as juno:
        resize(juno, 2, 99)
        with transaction(fleet, writes=True) as connection:
            swept(connection)
    with transaction(fleet, writes=True) as connection:
        assert (ram_of(connection, 2), sweep(connection, migrate_flavor_data, 10).completed) == (1, 1)
        assert ram_of(connection, 2) == 99


def test_rows_in_hand_can_be_referred_to(fleet: Engine) -> None:
    """Who inserts a row that refers to one in the sweeper's hands does not wait for it."""
    with transaction(fleet, writes=True) as connection:
        swept(connection)
        with transaction(fleet, writes=True) as juno:
            juno.execute(text("SET LOCAL lock_timeout = 100"))
            juno.execute(insert(system_metadata).values(instance=2, key="image", value="debian"))


def test_a_chunk_waits_for_no_disk_but_a_proof_does(fleet: Engine) -> None:
    """What a server forgets when it breaks down is migrated again; that all is proven it must not forget."""

    def commits_after(limit: int) -> str:
        with transaction(fleet, writes=True) as connection:
            connection.execute(text("SET LOCAL synchronous_commit = on"))
            runner.begin(connection)
            sweep(connection, migrate_flavor_data, limit)
            return str(connection.execute(text("SHOW synchronous_commit")).scalar_one())

    assert [commits_after(limit) for limit in (2, 10)] == ["off", "on"]
