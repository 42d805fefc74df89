"""Two columns that say the same, kept in step by triggers, whoever writes either of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from midflight.db.schema.words import quoted

_PREFIX = "mf_mirror_"
_SUFFIXES = _INSERTED, _FORWARD, _BACK = "_i", "_f", "_b"
"""On SQLite, a mirror is three triggers."""

_ON_POSTGRESQL = text(
    "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
    " WHERE tgrelid = to_regclass(quote_ident(:table)) AND NOT tgisinternal"
)
_ON_SQLITE = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")


def mirror_name(table: str, new: str) -> str:
    """What a mirror's triggers are called."""
    return f"{_PREFIX}{table}_{new}"[:60]


def mirror(
    table: str, old: str, new: str, forward: str, back: str, default: str | None, *, on_sqlite: bool
) -> Sequence[str]:
    """The statements that begin it. A write of both columns is left as it is, but for an insert that has the old
    column's ``default`` in it: that cannot be told from one of the new column alone, so the new column is believed."""
    made = _on_sqlite if on_sqlite else _on_postgresql
    return made(mirror_name(table, new), table, (quoted(old), quoted(new)), (forward, back), default)


def trial(table: str, old: str, new: str, forward: str, back: str, *, on_sqlite: bool) -> str:
    """A statement that changes nothing, and fails where the mirror would fail at each write: for a word in one of its
    two ways that the database does not know there."""
    to_new, to_old = forward.replace("{}", f"NEW.{quoted(old)}"), back.replace("{}", f"NEW.{quoted(new)}")
    # Planned, and not run: no function is called, and no sequence asked. A trigger of PostgreSQL's knows no column
    # without NEW before it: with the table there twice, such a name is ambiguous.
    rows = f"{quoted(table)} AS NEW" + ("" if on_sqlite else f", {quoted(table)} AS mf_other")
    return f"SELECT {to_new}, {to_old} FROM {rows} LIMIT 0"  # noqa: S608  # a revision's own words


def of_column(connection: Connection, table: str, column: str) -> list[str]:
    """The names of the mirrors that a column is part of, as the catalogue has them."""
    on_sqlite = connection.dialect.name == "sqlite"
    rows = connection.execute(_ON_SQLITE if on_sqlite else _ON_POSTGRESQL, {"table": table})
    named = {name for name, body in rows if name.startswith(_PREFIX) and f"NEW.{quoted(column)}" in body}
    return sorted({name[: -len(_INSERTED)] for name in named} if on_sqlite else named)


def follow(table: str, new: str, before: str, after: str, *, on_sqlite: bool) -> Sequence[str]:
    """The statements by which it goes on under another name of the old column; SQLite's triggers follow by
    themselves."""
    if on_sqlite:
        return []
    body = f"pg_get_functiondef({_literal(quoted(mirror_name(table, new)))}::regproc)"
    for row in ("NEW", "OLD"):
        body = f"replace({body}, {_literal(f'{row}.{quoted(before)}')}, {_literal(f'{row}.{quoted(after)}')})"
    return [f"DO $mf$ BEGIN EXECUTE {body}; END $mf$"]


def _literal(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def unmirror(table: str, new: str, *, on_sqlite: bool) -> Sequence[str]:
    """The statements that end it."""
    name = mirror_name(table, new)
    if on_sqlite:
        return [f"DROP TRIGGER IF EXISTS {quoted(name + suffix)}" for suffix in _SUFFIXES]
    return [f"DROP TRIGGER IF EXISTS {quoted(name)} ON {quoted(table)}", f"DROP FUNCTION IF EXISTS {quoted(name)}()"]


def _on_postgresql(
    name: str, table: str, columns: tuple[str, str], ways: tuple[str, str], default: str | None
) -> Sequence[str]:
    old, new = columns
    forward, back = ways[0].replace("{}", f"NEW.{old}"), ways[1].replace("{}", f"NEW.{new}")
    # Compared as jsonb, which every type has: json, xml and others have no equality of their own.
    new_changed, old_changed = (f"to_jsonb(NEW.{each}) IS DISTINCT FROM to_jsonb(OLD.{each})" for each in (new, old))
    as_kept = f"CASE WHEN false THEN NEW.{old} ELSE ({default}) END"  # so that a bare literal is of the column's type
    unsaid = "" if default is None else f" OR to_jsonb(NEW.{old}) IS NOT DISTINCT FROM to_jsonb({as_kept})"
    body = f"""
    BEGIN
      IF TG_OP = 'INSERT' THEN
        IF NEW.{new} IS NULL THEN NEW.{new} := {forward};
        ELSIF NEW.{old} IS NULL{unsaid} THEN NEW.{old} := {back}; END IF;
      ELSIF {new_changed} AND NOT ({old_changed}) THEN
        NEW.{old} := {back};
      ELSIF {old_changed} AND NOT ({new_changed}) THEN
        NEW.{new} := {forward};
      END IF;
      RETURN NEW;
    END"""
    called = f"{quoted(name)}()"
    return [
        f"CREATE FUNCTION {called} RETURNS trigger LANGUAGE plpgsql AS $mf${body}$mf$",
        f"CREATE TRIGGER {quoted(name)} BEFORE INSERT OR UPDATE ON {quoted(table)}"
        f" FOR EACH ROW EXECUTE FUNCTION {called}",
    ]


def _on_sqlite(
    name: str, table: str, columns: tuple[str, str], ways: tuple[str, str], default: str | None
) -> Sequence[str]:
    old, new = columns
    forward, back = ways[0].replace("{}", f"NEW.{old}"), ways[1].replace("{}", f"NEW.{new}")
    on, row = quoted(table), "WHERE rowid = NEW.rowid"

    def set_(assignments: str) -> str:
        return f"UPDATE {on} SET {assignments} {row}"  # noqa: S608  # a revision's own words

    to_new, to_old = set_(f"{new} = {forward}"), set_(f"{old} = {back}")
    # A trigger's own write lets the others fire: what says the same already is left alone, or a form that cannot say
    # all of the other one would come back as less.
    only_old = f"NEW.{old} IS NOT OLD.{old} AND NEW.{new} IS OLD.{new} AND NEW.{old} IS NOT {back}"
    only_new = f"NEW.{new} IS NOT OLD.{new} AND NEW.{old} IS OLD.{old} AND NEW.{new} IS NOT {forward}"
    unsaid = f"NEW.{old} IS NULL"
    if default is not None:  # NEW has lost the type of its column, by which a default is compared
        unsaid += f" OR (SELECT {old} FROM {on} {row}) IS ({default})"  # noqa: S608  # a revision's own words
    old_is_due = f"NEW.{new} IS NOT NULL AND ({unsaid})"
    is_due = f"(NEW.{new} IS NULL AND NEW.{old} IS NOT NULL) OR ({old_is_due})"
    inserted = set_(
        f"{new} = coalesce(NEW.{new}, {forward}), {old} = CASE WHEN {old_is_due} THEN {back} ELSE NEW.{old} END"
    )
    return [
        f"CREATE TRIGGER {quoted(name + _INSERTED)} AFTER INSERT ON {on} WHEN {is_due} BEGIN {inserted}; END",
        f"CREATE TRIGGER {quoted(name + _FORWARD)} AFTER UPDATE OF {old} ON {on} WHEN {only_old} BEGIN {to_new}; END",
        f"CREATE TRIGGER {quoted(name + _BACK)} AFTER UPDATE OF {new} ON {on} WHEN {only_new} BEGIN {to_old}; END",
    ]
