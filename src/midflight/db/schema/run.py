"""What a revision and its runner tell each other: which branch is run, and what is to be done after the transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

from alembic import op

from midflight.db.schema.removals import Removal
from midflight.db.schema.steps import Step
from midflight.errors import ProjectError

OPTION = "midflight"
"""Under this name a Run stands in the options of Alembic's context."""


@dataclass
class Run:
    """One revision, while it is run."""

    revision: str
    branch: str
    steps: list[Step] = field(default_factory=list)
    """What follows after the revision's own transaction, in order."""
    is_purge: bool = True
    """Of a contract revision: what it takes away is dropped now. Else it is only looked for."""
    was_held: bool = False
    """It is hidden by now."""
    removals: list[Removal] = field(default_factory=list)
    """What it takes away."""
    unheld: list[str] = field(default_factory=list)
    """What it forbids or allows, and SQLite does not: a table that is there cannot be told."""

    @property
    def remarks(self) -> list[str]:
        """The same in words, for whoever reads the SQL or applies it."""
        return [f"{what}: SQLite cannot change what a table forbids" for what in self.unheld]


def current(helper: str, branch: str) -> Run:
    """The run of the revision that is being applied. Raises ProjectError for a helper in the wrong branch."""
    try:
        run = op.get_context().opts.get(OPTION)
    except (AttributeError, NameError):  # Alembic's way of saying that no revision is run
        run = None
    if not isinstance(run, Run):
        raise ProjectError(where=helper, reason="it works only in a revision that midflight applies: midflight db")
    if run.branch != branch:
        reason = f"revision {run.revision} is of the {run.branch} branch; this belongs into {branch}/"
        raise ProjectError(where=helper, reason=reason)
    return run


def on_sqlite() -> bool:
    """Whether the revision is run on SQLite."""
    return op.get_context().dialect.name == "sqlite"
