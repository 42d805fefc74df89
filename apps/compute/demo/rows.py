"""The rows, read straight from the SQLite file: neither the framework nor the services are asked."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MIGRATION = "migrate_flavor_data"
OLD_FORM = "SELECT value FROM instance_system_metadata WHERE instance_uuid = ? AND key = 'instance_type_name'"


class Rows:
    """One database file, read-only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def instances(self) -> dict[str, dict[str, Any]]:
        """The instances by uuid, each with the flavor that its authoritative form names."""
        with self._open() as connection:
            form = self._form(connection)
            read = self._new if form in ("both, read new", "new") else self._old
            return {row["uuid"]: {**dict(row), "flavor": read(connection, row)} for row in self._living(connection)}

    def _living(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        return connection.execute("SELECT * FROM instances").fetchall()

    def _form(self, connection: sqlite3.Connection) -> str:
        row = connection.execute("SELECT form FROM mf_forms WHERE name = ?", [MIGRATION]).fetchone()
        return row["form"] if row else "both, read old"

    def _old(self, connection: sqlite3.Connection, row: sqlite3.Row) -> str | None:
        found = connection.execute(OLD_FORM, [row["uuid"]]).fetchone()
        return str(found["value"]) if found else None

    def _new(self, _: sqlite3.Connection, row: sqlite3.Row) -> str | None:
        return flavor_name(row["flavor"])

    def unmigrated(self) -> list[str]:
        """The uuids of the instances whose new form is missing, or does not say the same as the old one."""
        with self._open() as connection:
            rows = self._living(connection)
            return [row["uuid"] for row in rows if self._new(connection, row) != self._old(connection, row)]

    def completed(self) -> int:
        """The rows that the data migration has done, as the framework wrote it down."""
        with self._open() as connection:
            row = connection.execute("SELECT completed FROM mf_data_migrations WHERE name = ?", [MIGRATION]).fetchone()
        return int(row["completed"]) if row else 0


def flavor_name(stored: str | bytes | None) -> str | None:
    """The name inside a flavor that is stored as a versioned object."""
    content: dict[str, Any] = json.loads(stored) if stored else {}
    name = content.get("name") or content.get("data", {}).get("name")
    return str(name) if name else None
