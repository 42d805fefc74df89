from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from midflight.db.clock import now
from midflight.db.schema.lock import file_lock
from midflight.errors import SchemaBusy


def refusal(path: Path) -> str:
    with pytest.raises(SchemaBusy) as busy, file_lock(path):
        raise AssertionError("two owners")
    return str(busy.value)


def test_one_owner(tmp_path: Path) -> None:
    """The lock has one owner at a time, and is free after the block, also when the block fails."""
    path = tmp_path / "x.db"

    def fail() -> None:
        with file_lock(path):
            assert "for 0 s. Try again when it is done." in refusal(path)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with file_lock(path):
        pass


@pytest.mark.parametrize(("seconds", "words"), [(90, "for 90 s"), (600, "for 10 min"), (8000, "for 2 h")])
def test_age(tmp_path: Path, seconds: int, words: str) -> None:
    """Who waits is told since when, in words that fit."""
    path = tmp_path / "x.db"
    with file_lock(path):
        owner = {"pid": 77, "host": "db1", "since": (now() - timedelta(seconds=seconds)).isoformat()}
        Path(f"{path}.schema-lock").write_text(json.dumps(owner))
        assert (
            refusal(path) == f"Another schema change is running: process 77 on db1, {words}. Try again when it is done."
        )


def test_an_owner_that_goes_while_it_is_looked_for(tmp_path: Path) -> None:
    """Who finds no signature tries once more before it speaks of an owner that nobody knows."""
    path = tmp_path / "x.db"
    with ExitStack() as owner, ThreadPoolExecutor() as others:
        owner.enter_context(file_lock(path))
        Path(f"{path}.schema-lock").write_text("")
        second = others.submit(_own, path)
        time.sleep(0.2)
        owner.close()
        assert second.result() == "owned"


def _own(path: Path) -> str:
    with file_lock(path):
        return "owned"


def test_a_change_that_fails_leaves_no_signature(tmp_path: Path) -> None:
    """Who comes next is not told of an owner that is no more."""
    path = tmp_path / "x.db"
    with pytest.raises(KeyError), file_lock(path):
        raise KeyError
    assert Path(f"{path}.schema-lock").read_text() == ""


def test_unsigned(tmp_path: Path) -> None:
    """An owner that has not signed yet is an owner all the same."""
    path = tmp_path / "x.db"
    with file_lock(path):
        Path(f"{path}.schema-lock").write_text("")
        assert "a process that has not signed" in refusal(path)
