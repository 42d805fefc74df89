"""A PostgreSQL of one's own, in a temporary folder: for the tests, and to try a schema change out before anybody
meets it.

It listens on a socket in its folder only, and ends with the process that started it. As root, its processes run as the
user postgres, as they refuse to be root. Nothing in it outlives it.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import inspect

from midflight.config import public_url
from midflight.db.engine import create, is_postgresql, parse, transaction
from midflight.errors import MissingExtra, MissingProgram, UsageError

if TYPE_CHECKING:
    import psycopg

_DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps them, a folder for each version; they are not on the PATH."""

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "max_parallel_maintenance_workers": "0",
}

START_SECONDS = 30.0


def programs() -> Path:
    """The folder of PostgreSQL's programs, of the newest version. Raises MissingProgram."""
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    if found is None:
        raise MissingProgram(program="initdb of PostgreSQL", way="install postgresql-15, or name a server by --scratch")
    return Path(found).resolve().parent


class Cluster:
    """A cluster. After ``stop`` or ``kill`` it starts again with the same store; ``settings`` are the server's own."""

    def __init__(self, **settings: str) -> None:
        self._settings, self._programs, self._numbers = SETTINGS | settings, programs(), itertools.count()
        self._account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        # A socket's path has at most 107 characters, which a test's own folder may exceed.
        self._directory = Path(tempfile.mkdtemp(prefix="mf-pg-"))
        if self._account is not None:
            os.chown(self._directory, self._account.pw_uid, self._account.pw_gid)
        self._process: subprocess.Popen[Any] | None = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.remove()

    def start(self) -> Self:
        """Start, and wait until it takes connections. Does nothing where it runs already."""
        if not self._data.exists():
            self._run("initdb", "-D", self._data, "-U", "mf", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N")
        if self._process is None:
            settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
            sockets = ("-c", f"unix_socket_directories={self._directory}")
            with self._log.open("ab") as log:
                command: list[str | Path] = [
                    *_until_we_die(),
                    self._programs / "postgres",
                    "-D",
                    self._data,
                    *sockets,
                    *settings,
                ]
                process = subprocess.Popen(
                    command, stdout=log, stderr=log, start_new_session=True, **self._as_its_user()
                )
            self._process = process
            self._wait_until_ready(process)
        return self

    def stop(self) -> None:
        """End all sessions, and stop. Does nothing where it does not run."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Make an end of it at once: it recovers when it starts again."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._directory)

    def create(self) -> str:
        """A new, empty database; returns its URL."""
        name = f"scratch_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drop a database that ``create`` made, whoever is connected to it."""
        name = url.partition("?")[0].rpartition("/")[2]
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def url(self, database: str) -> str:
        """``postgresql://mf@/DATABASE?host=FOLDER``."""
        return f"postgresql://mf@/{database}?host={self._directory}"

    def connect(self, database: str) -> psycopg.Connection[Any]:
        """A connection whose every statement is a transaction; to be closed by ``with``. Raises MissingExtra."""
        connection: psycopg.Connection[Any] = _psycopg().connect(self.url(database), autocommit=True)
        return connection

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _as_its_user(self) -> dict[str, Any]:
        environment = {**os.environ, "LC_ALL": "C", "HOME": str(self._directory)}
        here: dict[str, Any] = {"cwd": self._directory, "env": environment}
        if self._account is not None:
            here |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return here

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self._programs / program, *arguments]
        subprocess.run(command, check=True, capture_output=True, **self._as_its_user())

    def _wait_until_ready(self, process: subprocess.Popen[Any]) -> None:
        patience = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect("postgres").close()
                return
            except _psycopg().OperationalError:
                if process.poll() is not None or time.monotonic() > patience:
                    raise RuntimeError(self._log.read_text()[-2000:]) from None
                time.sleep(0.02)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@contextmanager
def lent(url: str | None) -> Iterator[str]:
    """The URL of an empty database that may be used up: the one that was given, or one on a server that is started for
    it and removed afterwards. Raises UsageError for one that is none of PostgreSQL's, or not empty, MissingProgram and
    MissingExtra."""
    if url is not None:
        _refuse_used(url)
        yield url
        return
    with Cluster() as cluster:
        yield cluster.create()


def _refuse_used(url: str) -> None:
    if not is_postgresql(parse(url)):
        raise UsageError(reason=f"received {public_url(url)}, expected an empty database of PostgreSQL's")
    engine = create(parse(url))
    try:
        with transaction(engine, writes=False) as connection:
            found = inspect(connection).get_table_names()
    finally:
        engine.dispose()
    if found:
        reason = (
            f"{public_url(url)} is to be used up, and is not empty: it has table {found[0]}; name an empty database"
        )
        raise UsageError(reason=reason)


def _until_we_die() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def _psycopg() -> Any:
    try:
        import psycopg
    except ModuleNotFoundError:
        raise MissingExtra(module="a PostgreSQL of one's own", missing="psycopg", extra="lint") from None
    return psycopg
