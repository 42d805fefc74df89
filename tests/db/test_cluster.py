"""A PostgreSQL of one's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from midflight.db import cluster
from midflight.db.cluster import Cluster, lent
from midflight.db.engine import create, parse, transaction
from midflight.errors import MissingProgram, UsageError


def test_nothing_is_left_behind() -> None:
    """Its folder goes with it, and so does its process."""
    with Cluster() as one:
        folder = folder_of(one)
        process = one._process
        assert (folder / "data").is_dir()
    assert not folder.exists()
    assert process is not None
    assert process.poll() is not None


def test_one_that_cannot_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it says that it cannot, or never answers: neither its folder nor its process."""
    wrong, silent = Cluster(no_such_setting="1"), Cluster()
    with pytest.raises(RuntimeError, match="unrecognized configuration parameter"), wrong:
        pass
    started: list[subprocess.Popen[bytes]] = []

    def never_ready(self: Cluster, process: subprocess.Popen[bytes]) -> None:
        started.append(process)
        raise RuntimeError("it never answers")

    monkeypatch.setattr(Cluster, "_wait_until_ready", never_ready)
    with pytest.raises(RuntimeError, match="it never answers"), silent:
        pass
    assert [process.poll() is not None for process in started] == [True]
    assert not [each for each in (wrong, silent) if folder_of(each).exists()]


def folder_of(one: Cluster) -> Path:
    return Path(one.url("x").partition("?host=")[2])


def test_without_postgresql(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What to do is said, and no folder is left."""
    monkeypatch.setattr(cluster, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingProgram, match=r"install postgresql-15, or name a server by --scratch") as missing:
        Cluster()
    assert missing.value.exit_code == 64


def test_what_may_not_be_used_up(postgresql_url: str) -> None:
    """A database that has a table in it is somebody's, and one of another kind is of no use."""
    with lent(postgresql_url) as url:
        assert url == postgresql_url
    engine = create(parse(postgresql_url))
    with transaction(engine, writes=True) as connection:
        connection.exec_driver_sql("CREATE TABLE precious (id INTEGER)")
    engine.dispose()
    with pytest.raises(UsageError, match="is not empty: it has table precious"), lent(postgresql_url):
        pass
    with pytest.raises(UsageError, match=r"received sqlite:///x.db, expected an empty database of PostgreSQL's"):
        lent("sqlite:///x.db").__enter__()
