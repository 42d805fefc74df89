"""What a column carries that a column of its own in its place would not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import Inspector


def burdens(inspector: Inspector, table: str, column: str) -> Iterator[str]:
    """Key, constraints and indexes that would go with it, and what numbers or computes it, in words."""
    if column in inspector.get_pk_constraint(table)["constrained_columns"]:
        yield "the primary key"
    for (_, source), keys in inspector.get_multi_foreign_keys().items():
        for key in keys:
            ends = ((source, key["constrained_columns"]), (key["referred_table"], key["referred_columns"]))
            if any(table == end and column in columns for end, columns in ends):
                yield f"the foreign key {key['name'] or 'without a name'} of {source}"
    for unique in inspector.get_unique_constraints(table):
        if column in unique["column_names"]:
            yield f"the unique constraint {unique['name'] or 'without a name'}"
    for index in inspector.get_indexes(table):
        said = [*index.get("expressions", index["column_names"]), *index.get("dialect_options", {}).values()]
        if not index.get("duplicates_constraint") and any(_is_in(column, part) for part in said):
            yield f"the index {index['name']}"
    for check in inspector.get_check_constraints(table):
        if _is_in(column, check["sqltext"]):
            yield f"the check {check['name'] or 'without a name'}"
    (found,) = [each for each in inspector.get_columns(table) if each["name"] == column]
    if found.get("identity") or "nextval(" in (found["default"] or ""):
        yield "its sequence"
    if found.get("computed"):
        yield "what computes it"


def _is_in(column: str, said: object) -> bool:
    """A column may also be in an expression, or in a condition."""
    return re.search(rf"\b{re.escape(column)}\b", str(said)) is not None
