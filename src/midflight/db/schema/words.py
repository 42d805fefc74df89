"""Names and statements as a revision's author has written them."""

from __future__ import annotations

from sqlalchemy import TextClause, text


def quoted(name: str) -> str:
    """A name as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'


def verbatim(statement: str) -> TextClause:
    """A statement that is executed as it stands: a colon in it begins no parameter, and a percent sign is one."""
    return text(statement.replace(":", "\\:"))
