"""What a revision forbids, as the catalogue has it before and afterwards: old releases may write what is forbidden
now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from midflight.db.lint.finding import Code, Finding

_FOUND = text("""
SELECT c.relname, con.conname, con.contype::text AS kind, con.convalidated AS valid,
       ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum = ANY(con.conkey)) AS columns
FROM pg_constraint con JOIN pg_class c ON c.oid = con.conrelid WHERE con.contype IN ('c', 'f')
UNION ALL
SELECT t.relname, i.relname, CASE WHEN x.indisunique THEN 'u' ELSE 'i' END, x.indisvalid,
       ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = t.oid AND attnum = ANY(x.indkey))
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = current_schema()::regnamespace
""")
_CODES = {
    "u": (
        Code.UNIQUE,
        "two rows that say the same",
        "contract.add_unique_index(…): when nobody writes such rows any more",
    ),
    "c": (
        Code.CHECK,
        "rows that the check is false for",
        "contract.add_check(…): when nobody writes such rows any more",
    ),
    "f": (Code.FOREIGN, "rows whose other row is missing", "contract.add_foreign_key(…): when nobody writes such rows"),
}


@dataclass(frozen=True)
class Constraint:
    """One that the catalogue has: an index, a check, or a foreign key."""

    table: str
    name: str
    kind: str
    valid: bool
    columns: tuple[str, ...]


def constraints(connection: Connection) -> dict[tuple[str, str], Constraint]:
    """All of the default schema's, by table and name; the framework's own are left out."""
    found = [
        Constraint(table, name, kind, valid, tuple(columns))
        for table, name, kind, valid, columns in connection.execute(_FOUND)
    ]
    return {(each.table, each.name): each for each in found if not each.table.startswith("mf_")}


def forbidden(
    revision: str, before: dict[tuple[str, str], Constraint], after: dict[tuple[str, str], Constraint], known: set[str]
) -> Iterator[Finding]:
    """What is new, on columns (``column instances.host``) that were known before the revision."""
    for place, each in after.items():
        if place not in before and each.kind in _CODES and _all_known(each, known):
            code, what, rewrite = _CODES[each.kind]
            cause = f"{each.name} forbids {what} in {each.table} ({', '.join(each.columns)})"
            hits = f"old releases that write them: their inserts and updates of {each.table} fail"
            yield Finding(code, revision, each.table, cause, hits, rewrite)


def invalid(revision: str, after: dict[tuple[str, str], Constraint]) -> Iterator[Finding]:
    """What was left half-done."""
    for each in after.values():
        if not each.valid:
            cause = f"{each.name} on {each.table} is left invalid: it is kept up to date, and stands for nothing"
            rewrite = "expand.add_index, add_check or add_foreign_key: they finish what they begin"
            yield Finding(Code.INVALID, revision, each.table, cause, f"who relies on it, in {each.table}", rewrite)


def _all_known(constraint: Constraint, known: set[str]) -> bool:
    return all(f"column {constraint.table}.{column}" in known for column in constraint.columns)
