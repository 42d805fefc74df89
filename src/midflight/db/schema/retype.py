"""How a column comes to another type: in place, where no row is read for it; by a column of its own that is kept in
step, where each old value has a new one; else by whoever writes the revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from sqlalchemy import (
    TEXT,
    VARCHAR,
    BigInteger,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Text,
    Unicode,
    UnicodeText,
)
from sqlalchemy.types import TypeEngine

_DIGITS = 20
"""Characters of the longest whole number, with its sign."""
_RANKS = {SmallInteger: 1, BigInteger: 3, Integer: 2}
_TEXTS = (String, Text, Unicode, UnicodeText, VARCHAR, TEXT)
"""An Enum and a CHAR are Strings of SQLAlchemy's, too, and a database keeps them otherwise."""


@dataclass(frozen=True)
class Retyped:
    """A column ``before`` and after: types of SQLAlchemy's."""

    table: str
    column: str
    before: TypeEngine[Any]
    after: TypeEngine[Any]

    @property
    def is_wider_text(self) -> bool:
        """Each text fits as it is: no engine looks at a row, nor sorts an index anew."""
        if not (_is_text(self.before) and _is_text(self.after)):
            return False
        return self.is_wider_on_sqlite and self.before.collation == self.after.collation

    @property
    def is_wider_on_sqlite(self) -> bool:
        """SQLite keeps an enum and a bounded text as any other text."""
        if not (isinstance(self.before, String) and isinstance(self.after, String)):
            return False
        return self.after.length is None or (self.before.length or _ENDLESS) <= self.after.length

    @property
    def is_safe(self) -> bool:
        """Each value of the old type has one of the new type, so that no old release is refused a write."""
        if isinstance(self.before, Integer):
            return _takes_numbers(self.after, _rank(self.before))
        return isinstance(self.before, Numeric | Float) and _takes_texts(self.after, _ENDLESS)

    @property
    def new_column(self) -> str:
        """What the column for the new type is called."""
        return (
            f"{self.column}_{'text' if isinstance(self.after, String) else str(self.after).partition('(')[0].lower()}"
        )

    @property
    def mirror(self) -> str:
        """What keeps both in step."""
        forward, back = (f"CAST({{}} AS {_cast(type_)})" for type_ in (self.after, self.before))
        columns = f"{self.table!r}, {self.column!r}, {self.new_column!r}"
        return f"expand.mirror_column({columns}, forward={forward!r}, back={back!r})"


_ENDLESS = 1_000_000_000


def _rank(type_: TypeEngine[Any]) -> int:
    return next((rank for kind, rank in _RANKS.items() if isinstance(type_, kind)), 0)


def _takes_numbers(type_: TypeEngine[Any], rank: int) -> bool:
    """Whether it takes all whole numbers of a rank."""
    if isinstance(type_, Integer):
        return _rank(type_) > rank
    if type(type_).__name__.lower() == "numeric" and isinstance(type_, Numeric):
        return type_.precision is None or type_.precision - (type_.scale or 0) >= _DIGITS
    return _takes_texts(type_, _DIGITS)


def _takes_texts(type_: TypeEngine[Any], length: int) -> bool:
    return _is_text(type_) and (type_.length or _ENDLESS) >= length


def _is_text(type_: TypeEngine[Any]) -> TypeGuard[String]:
    return type(type_) in _TEXTS


def _cast(type_: TypeEngine[Any]) -> str:
    """A cast to a bounded text cuts off what is too long."""
    return str(Text()) if isinstance(type_, String) else str(type_)
