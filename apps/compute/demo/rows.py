"""The rows, read straight from the database: neither the framework nor the services are asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from sqlalchemy import JSON, RowMapping, bindparam, create_engine, inspect, make_url, text

MIGRATION = "migrate_flavor_data"
OLD_HOME = "instance_system_metadata"
"""The table in which flavors lay, a row a field."""
OLD_FORM = f"SELECT instance_uuid, value FROM {OLD_HOME} WHERE key = 'instance_type_name'"  # noqa: S608 - a constant
SET_OLD = f"UPDATE {OLD_HOME} SET value = :name WHERE instance_uuid = :uuid AND key = 'instance_type_name'"  # noqa: S608 - the same
SET_NEW = text("UPDATE instances SET flavor = :flavor WHERE uuid = :uuid").bindparams(bindparam("flavor", type_=JSON))


class Rows:
    """One database, of SQLite's or PostgreSQL's. To be closed by ``with``."""

    def __init__(self, url: str) -> None:
        dialect = {"postgresql": "postgresql+psycopg"}
        found = make_url(url)
        wait = {"timeout": 10} if found.drivername == "sqlite" else {}
        self._engine = create_engine(
            found.set(drivername=dialect.get(found.drivername, found.drivername)), connect_args=wait, pool_size=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._engine.dispose()

    def instances(self) -> dict[str, dict[str, Any]]:
        """The instances by uuid, each with the flavor that its authoritative form names."""
        reads_new = self._form() in ("both, read new", "new")
        old = {} if reads_new else self._old()
        return {
            row["uuid"]: {**row, "flavor": flavor_name(row["flavor"]) if reads_new else old.get(row["uuid"])}
            for row in self._ask("SELECT * FROM instances")
        }

    def unmigrated(self) -> list[str]:
        """The uuids of the instances whose new form is missing, or does not say the same as the old one."""
        old = self._old()
        rows = self._ask("SELECT uuid, flavor FROM instances")
        return [row["uuid"] for row in rows if flavor_name(row["flavor"]) != old.get(row["uuid"])]

    def completed(self) -> int:
        """The rows that the data migration has done, as the framework wrote it down."""
        found = self._ask("SELECT completed FROM mf_data_migrations WHERE name = :name", name=MIGRATION)
        return int(found[0]["completed"]) if found else 0

    def tables(self) -> list[str]:
        """What the catalogue has."""
        with self._engine.connect() as connection:
            return sorted(inspect(connection).get_table_names())

    def engine(self) -> str:
        """Name and version of the server, or of the library."""
        if self._engine.dialect.name == "sqlite":
            return f"SQLite {self._ask('SELECT sqlite_version() AS version')[0]['version']}"
        return " ".join(self._ask("SELECT version()")[0]["version"].split()[:2])

    def set_flavor(self, uuid: str, name: str) -> None:
        """Let an instance's rows say another flavor, in each form that there is."""
        if OLD_HOME in self.tables():
            self.change(SET_OLD, uuid=uuid, name=name)
        [stored] = self._ask("SELECT flavor FROM instances WHERE uuid = :uuid", uuid=uuid)
        if stored["flavor"] is not None:
            with self._engine.begin() as connection:
                flavor = {**_read(stored["flavor"]), "name": name}
                connection.execute(SET_NEW, {"uuid": uuid, "flavor": flavor})

    def change(self, statement: str, **values: Any) -> None:
        """What somebody does behind the framework's back."""
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def _form(self) -> str:
        found = self._ask("SELECT form FROM mf_forms WHERE name = :name", name=MIGRATION)
        return str(found[0]["form"]) if found else "both, read old"

    def _old(self) -> dict[str, str]:
        return {row["instance_uuid"]: row["value"] for row in self._ask(OLD_FORM)}

    def _ask(self, query: str, **values: Any) -> list[RowMapping]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query), values).mappings())


def flavor_name(stored: str | Mapping[str, Any] | None) -> str | None:
    """The name inside a flavor that is stored as a versioned object."""
    content = _read(stored)
    name = content.get("name") or content.get("data", {}).get("name")
    return str(name) if name else None


def _read(stored: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """SQLite gives JSON as text, PostgreSQL as what it says."""
    content: Mapping[str, Any] = json.loads(stored) if isinstance(stored, str) else stored or {}
    return content
