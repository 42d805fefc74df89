from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from midflight.db.clock import now
from midflight.db.schema_lock import schema_lock
from midflight.errors import SchemaBusy


def refusal(path: Path) -> str:
    with pytest.raises(SchemaBusy) as busy, schema_lock(path):
        raise AssertionError("two owners")
    return str(busy.value)


def test_one_owner(tmp_path: Path) -> None:
    """The lock has one owner at a time, and is free after the block, also when the block fails."""
    path = tmp_path / "x.db"

    def fail() -> None:
        with schema_lock(path):
            assert "for 0 s. Try again when it is done." in refusal(path)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with schema_lock(path):
        pass


@pytest.mark.parametrize(("seconds", "words"), [(90, "for 90 s"), (600, "for 10 min"), (8000, "for 2 h")])
def test_age(tmp_path: Path, seconds: int, words: str) -> None:
    """Who waits is told since when, in words that fit."""
    path = tmp_path / "x.db"
    with schema_lock(path):
        owner = {"pid": 77, "host": "db1", "since": (now() - timedelta(seconds=seconds)).isoformat()}
        Path(f"{path}.schema-lock").write_text(json.dumps(owner))
        assert (
            refusal(path) == f"Another schema change is running: process 77 on db1, {words}. Try again when it is done."
        )


def test_unsigned(tmp_path: Path) -> None:
    """An owner that has not signed yet is an owner all the same."""
    path = tmp_path / "x.db"
    with schema_lock(path):
        Path(f"{path}.schema-lock").write_text("")
        assert "a process that has not signed" in refusal(path)
