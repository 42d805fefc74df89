"""A data migration as its author declares it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from midflight.migrations.rows import Row, RowContext, RowFunction

ALL = "1 = 1"
"""A condition that all rows fulfil."""


class Declared:
    """A row function, with the table that it is for and the conditions on its rows."""

    def __init__(
        self, function: RowFunction, *, release: str, table: str, key: tuple[str, ...], todo: str, proof: str,
        needs: tuple[str, ...],
    ) -> None:  # fmt: skip
        self.function, self.name = function, function.__name__
        self.release, self.table, self.key = release, table, key
        self.todo, self.proof, self.needs = todo, proof, needs
        self.derivers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        """By engine, the row function on the table as it is there; see ``saving.deriver``."""
        functools.update_wrapper(self, function)

    def __call__(self, row: Row, db: RowContext) -> Mapping[str, Any]:
        return self.function(row, db)

    @property
    def says_nothing(self) -> bool:
        """Whether the proof condition holds for every row, so that only the comparison proves anything."""
        return self.proof == ALL

    def __repr__(self) -> str:
        return f"<data migration {self.name} of {self.table}>"
