"""What a benchmark breaks: the sweeper, killed again and again; and a table, altered behind a long reader."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import text

from benchmarks.data.table import ask, fill
from midflight.db.engine import create, parse, transaction
from midflight.db.schema.runner import SchemaRunner

ROOT = Path(__file__).parent.parent.parent
READER_SECONDS = 6.0

_COUNT = {
    "sqlite": ["""
        CREATE TRIGGER counted AFTER UPDATE OF flavor ON instances
        BEGIN UPDATE instances SET touched = touched + 1 WHERE id = new.id; END
    """],
    "postgresql": [
        """
        CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN new.touched = new.touched + 1; RETURN new; END $$
        """,
        "CREATE TRIGGER counted BEFORE UPDATE OF flavor ON instances FOR EACH ROW EXECUTE FUNCTION counted()",
    ],
}  # fmt: skip
"""The database itself counts how often each row was migrated."""


def kills(url: str, rows: int, times: int = 20) -> dict[str, int]:
    """Kill the sweeper so many times in one migration, and let the last one end. How many rows were migrated never, or
    more than once; and how often it was really killed in the middle."""
    fill(url, rows)
    engine = create(parse(url))
    with transaction(engine, writes=True) as connection:
        for statement in _COUNT[engine.dialect.name]:
            connection.exec_driver_sql(statement)
    engine.dispose()
    command = [sys.executable, "-m", "benchmarks.data.ours", url, "0.5"]
    killed = 0
    for _ in range(times):
        sweeper = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        _wait_for_its_first_chunk(url, sweeper)
        time.sleep(random.uniform(0, 0.2))
        killed += sweeper.poll() is None
        sweeper.kill()
        sweeper.wait()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return {
        "kills": killed,
        "kills_lost": ask(url, "SELECT count(*) FROM instances WHERE flavor IS NULL"),
        "kills_twice": ask(url, "SELECT count(*) FROM instances WHERE touched <> 1"),
        "kills_proven": ask(url, "SELECT count(*) FROM mf_data_migrations WHERE state = 'proven'"),
    }


def _wait_for_its_first_chunk(url: str, sweeper: subprocess.Popen[bytes]) -> None:
    query = "SELECT coalesce(max(matched), 0) FROM mf_data_migrations"
    before = ask(url, query)
    while ask(url, query) == before and sweeper.poll() is None:
        time.sleep(0.02)


_REVISION = '''"""A column more."""
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.add_column("instances", sa.Column("more", sa.String(10)))
'''


def alter_behind_a_reader(url: str) -> float:
    """The longest that a SELECT took while a column was added behind a transaction that had read the table for long."""
    engine = create(parse(url))
    over, took = threading.Event(), list[float]()

    def read_for_long() -> None:
        with engine.connect().execution_options(writes=False) as connection, connection.begin():
            connection.execute(text("SELECT count(*) FROM instances WHERE id < 100"))
            time.sleep(READER_SECONDS)

    def select() -> None:
        with engine.connect().execution_options(writes=False) as connection:
            while not over.is_set():
                begun = time.perf_counter()
                with connection.begin():
                    connection.execute(text("SELECT host FROM instances WHERE id = 7"))
                took.append(time.perf_counter() - begun)
                time.sleep(0.005)

    threads = [threading.Thread(target=work) for work in (read_for_long, select)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "expand").mkdir()
        (Path(folder) / "expand" / "0001.py").write_text(_REVISION)
        SchemaRunner(url, Path(folder), None, "kilo", patience=60.0).expand()
    over.set()
    for thread in threads:
        thread.join()
    engine.dispose()
    return max(took)
