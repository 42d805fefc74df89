"""What the tables in the code have and the revisions do not, as lines for a pair of revisions: what only adds, and what
takes away or forbids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Inspector, MetaData, inspect

from midflight.db.schema.burdens import burdens
from midflight.db.schema.retype import Retyped

_OWN = ("mf_", "alembic_version")


@dataclass
class Pair:
    """The bodies of two revisions, line by line."""

    expand: list[str] = field(default_factory=list)
    contract: list[str] = field(default_factory=list)


def compare(connection: Connection, tables: MetaData) -> Pair:
    """What a database to which all revisions were applied lacks of the tables, and has too much.

    SQLite cannot be told to forbid anything afterwards, so what it lacks there is no difference.
    """
    options = {"target_metadata": tables, "compare_type": True, "include_name": _is_a_project_s}
    script = produce_migrations(MigrationContext.configure(connection, opts=options), tables)
    assert script.upgrade_ops is not None
    pair, writer = Pair(), _Writer(inspect(connection))
    for change in _flat(script.upgrade_ops):
        if connection.dialect.name != "sqlite" or not _forbids(change):
            writer.write(change, pair)
    return pair


def _is_a_project_s(name: str | None, kind: str, parents: Any) -> bool:
    return kind != "table" or name is None or not name.startswith(_OWN)


def _forbids(change: ops.MigrateOperation) -> bool:
    if isinstance(change, ops.AlterColumnOp):
        kept = change.modify_type is None or _retyped(change).is_wider_on_sqlite
        return kept and change.modify_nullable is not True
    return isinstance(change, ops.CreateForeignKeyOp)


def _retyped(change: ops.AlterColumnOp) -> Retyped:
    assert change.existing_type is not None
    assert change.modify_type is not None
    return Retyped(change.table_name, change.column_name, change.existing_type, change.modify_type)


def _flat(container: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    for change in container.ops:
        if isinstance(change, ops.OpContainer):
            yield from _flat(change)
        else:
            yield change


class _Writer:
    """Knows which tables are new: on those, nobody is held up."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._new = set[str]()

    def write(self, change: Any, pair: Pair) -> None:
        kind = type(change).__name__
        getattr(self, f"_{kind}", self._other)(change, pair)

    def _CreateTableOp(self, change: ops.CreateTableOp, pair: Pair) -> None:
        self._new.add(change.table_name)
        pair.expand += _rendered(change)

    def _AddColumnOp(self, change: ops.AddColumnOp, pair: Pair) -> None:
        column = change.column
        strict = not column.nullable and column.server_default is None
        line = _in_a_line(change).replace("op.add_column(", "expand.add_column(", 1)
        pair.expand.append(line.replace("nullable=False", "nullable=True") if strict else line)
        if strict:
            pair.contract.append(f"contract.set_not_null({change.table_name!r}, {column.name!r})")

    def _CreateIndexOp(self, change: ops.CreateIndexOp, pair: Pair) -> None:
        if change.table_name in self._new:
            pair.expand += _rendered(change)
            return
        columns = [getattr(column, "name", None) or str(column) for column in change.columns]
        said = f"{change.index_name!r}, {change.table_name!r}, {columns!r}"
        if change.unique:
            pair.contract.append(f"contract.add_unique_index({said})")
        else:
            pair.expand.append(f"expand.add_index({said})")

    def _CreateUniqueConstraintOp(self, change: ops.CreateUniqueConstraintOp, pair: Pair) -> None:
        columns = list(map(str, change.columns))
        name = change.constraint_name or f"ux_{change.table_name}_{'_'.join(columns)}"
        pair.contract.append(f"contract.add_unique_index({name!r}, {change.table_name!r}, {columns!r})")

    def _CreateForeignKeyOp(self, change: ops.CreateForeignKeyOp, pair: Pair) -> None:
        name = change.constraint_name or f"fk_{change.source_table}_{'_'.join(change.local_cols)}"
        there = f"{change.referent_table!r}, {change.remote_cols!r}"
        pair.expand.append(f"expand.add_foreign_key({name!r}, {change.source_table!r}, {change.local_cols!r}, {there})")

    def _AlterColumnOp(self, change: ops.AlterColumnOp, pair: Pair) -> None:
        column = change.column_name
        if change.modify_type is not None:
            column = self._retype(_retyped(change), change, pair)
        place = f"{change.table_name!r}, {column!r}"
        is_new = column != change.column_name
        if change.modify_nullable is True and not is_new:
            pair.expand.append(f"expand.relax_column({place})")
        elif change.modify_nullable is False or (
            is_new and change.modify_nullable is None and not change.existing_nullable
        ):
            pair.contract.append(f"contract.set_not_null({place})")

    def _retype(self, retyped: Retyped, change: ops.AlterColumnOp, pair: Pair) -> str:
        """The name of the column that has the new type."""
        table, column = retyped.table, retyped.column
        if retyped.is_wider_text:
            pair.expand.append(_in_a_line(ops.AlterColumnOp(table, column, modify_type=retyped.after)))
            return column
        if not retyped.is_safe:
            pair.expand += _by_hand(retyped, "which may not take what is in it as it is")
            return column
        if carried := list(burdens(self._inspector, table, column)):
            pair.expand += _by_hand(retyped, f"and {', '.join(carried)} would go with the old column")
            return column
        new = Column(retyped.new_column, retyped.after, nullable=True)
        pair.expand += [
            f"# {table}.{column} gets its type in a column of its own, which is to be in the tables instead of it:",
            f"# Column({new.name!r}, …, key={column!r}). Rows that nobody writes are for a data migration.",
            _in_a_line(ops.AddColumnOp(table, new)).replace("op.add_column(", "expand.add_column(", 1),
            retyped.mirror,
        ]
        pair.contract.append(f"contract.drop_column({table!r}, {column!r}, mirrored_by={new.name!r})")
        return new.name

    def _DropColumnOp(self, change: ops.DropColumnOp, pair: Pair) -> None:
        before = change.to_column()
        if not before.nullable and before.server_default is None:
            pair.expand.append(f"expand.relax_column({change.table_name!r}, {change.column_name!r})")
        pair.contract.append(f"contract.drop_column({change.table_name!r}, {change.column_name!r})")

    def _DropTableOp(self, change: ops.DropTableOp, pair: Pair) -> None:
        pair.contract.append(f"contract.drop_table({change.table_name!r})")

    def _DropIndexOp(self, change: ops.DropIndexOp, pair: Pair) -> None:
        pair.contract.append(f"contract.drop_index({change.index_name!r}, {change.table_name!r})")

    def _other(self, change: Any, pair: Pair) -> None:
        pair.contract += _rendered(change)


def _by_hand(retyped: Retyped, why: str) -> list[str]:
    return [
        f"# {retyped.table}.{retyped.column} is to be {retyped.after!r}, {why}:",
        "# give the new form a column of its own, with all that it needs, and keep both in step with",
        "# expand.mirror_column(…, forward=…, back=…)",
    ]


def _rendered(change: ops.MigrateOperation) -> list[str]:
    code = render_python_code(ops.UpgradeOps([change]), render_as_batch=False)
    return [line.removeprefix("    ") for line in code.splitlines() if not line.lstrip().startswith("#")]


def _in_a_line(change: ops.MigrateOperation) -> str:
    return " ".join(part.strip() for part in _rendered(change))
