"""The tables as a release's code uses them, in a file that is kept with the revisions: ``schema/tables/NAME.toml``.

A process of that release reads and writes these columns for as long as there is one, so nothing of them is taken away
before; and a schema change is tried against them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, Table, make_url

from midflight import toml
from midflight.errors import ProjectError

_HEADER = """\
# The tables as the code of {name} uses them, written by `midflight release freeze {name}`.
# Review it; never edit it: a process of {name} may read and write them still.
"""
_POSTGRESQL = make_url("postgresql+psycopg://").get_dialect()()
_FACTS = ("not null", "default")


@dataclass(frozen=True)
class FrozenColumn:
    """``type`` is PostgreSQL's word for it; ``has_default`` says that an insert may leave it out."""

    type: str
    nullable: bool
    has_default: bool

    def __str__(self) -> str:
        facts = zip(_FACTS, (not self.nullable, self.has_default), strict=True)
        return ", ".join([self.type, *(fact for fact, holds in facts if holds)])

    @classmethod
    def read(cls, text: str) -> FrozenColumn:
        """What ``str`` has made."""
        words = text.split(", ")
        facts = [word for word in words if word in _FACTS]
        type_ = ", ".join(word for word in words if word not in _FACTS)
        return cls(type_, "not null" not in facts, "default" in facts)


@dataclass(frozen=True)
class FrozenTable:
    """Columns in their order, and those of the primary key."""

    columns: Mapping[str, FrozenColumn]
    key: tuple[str, ...]


@dataclass(frozen=True)
class FrozenTables:
    """All tables of one release."""

    release: str
    tables: Mapping[str, FrozenTable] = field(default_factory=dict)

    @property
    def things(self) -> frozenset[str]:
        """What it uses, in the catalogue's words."""
        columns = (f"column {name}.{column}" for name, table in self.tables.items() for column in table.columns)
        return frozenset([*(f"table {name}" for name in self.tables), *columns])


def of_code(release: str, metadata: MetaData) -> FrozenTables:
    """As the code has them now."""
    return FrozenTables(release, {table.name: _table(table) for table in metadata.sorted_tables})


def folder_of(schema: Path) -> Path:
    """Where they are kept."""
    return schema / "tables"


def write(schema: Path, tables: FrozenTables) -> None:
    """Keep them."""
    folder_of(schema).mkdir(parents=True, exist_ok=True)
    (folder_of(schema) / f"{tables.release}.toml").write_text(render(tables))


def read(schema: Path, release: str) -> FrozenTables | None:
    """Those of one release; None where they were never frozen. Raises ProjectError for a file that says something
    else."""
    path = folder_of(schema) / f"{release}.toml"
    try:
        said = tomllib.loads(path.read_text())
        return FrozenTables(said.pop("release"), {name: _read(words) for name, words in said.items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise ProjectError(where=str(path), reason=f"has no frozen tables: {wrong!r}") from None


def render(tables: FrozenTables) -> str:
    """The text of the file; the same tables give the same text."""
    said = {name: _said(table) for name, table in sorted(tables.tables.items())}
    return f"{_HEADER.format(name=tables.release)}\n{toml.dumps({'release': tables.release, **said})}"


def _said(table: FrozenTable) -> dict[str, Any]:
    return {"key": table.key, "columns": {name: str(column) for name, column in table.columns.items()}}


def _table(table: Table) -> FrozenTable:
    key = tuple(column.name for column in table.primary_key.columns)
    return FrozenTable({column.name: _column(column) for column in table.columns}, key)


def _column(column: Column[object]) -> FrozenColumn:
    type_ = column.type.compile(dialect=_POSTGRESQL)
    counted = column is column.table.autoincrement_column
    return FrozenColumn(type_, bool(column.nullable), counted or column.server_default is not None)


def _read(words: Mapping[str, Mapping[str, str]]) -> FrozenTable:
    return FrozenTable({name: FrozenColumn.read(text) for name, text in words["columns"].items()}, tuple(words["key"]))
