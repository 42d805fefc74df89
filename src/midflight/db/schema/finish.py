"""The steps that follow a revision, done; and what goes wrong in either, in one error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, event, inspect
from sqlalchemy.exc import DBAPIError

from midflight.db.engine import reason_of
from midflight.db.schema.session import Session
from midflight.db.schema.steps import Step, kept, strike
from midflight.db.schema.words import verbatim
from midflight.db.tables import steps
from midflight.errors import MidflightError, SchemaBroken

_ENDS = re.compile(r"\s*(COMMIT|END|BEGIN|START\s+TRANSACTION|ROLLBACK(?!\s+TO))\b", re.IGNORECASE)


def left(connection: Connection) -> list[tuple[str, int, Step]]:
    """The steps that are left, each with its revision and number, also where the framework has no tables yet."""
    return kept(connection) if inspect(connection).has_table(steps.name) else []


def finish_all(session: Session) -> None:
    """Do the steps that are left, in their order."""
    with session.transaction(writes=False) as connection:
        waiting = left(connection)
    for revision, number, step in waiting:
        finish(session, revision, number, step)


def finish(session: Session, revision: str, number: int, step: Step) -> None:
    """Do one step, whatever an earlier try has left of it, and strike it out. Raises SchemaBroken with what the
    database says against it, and SchemaBlocked while somebody keeps a lock."""
    what = f"{revision}, {step.thing}"
    with broken(what):
        while statements := _statements(session, step):
            for statement in statements:
                if step.in_transaction or session.is_sqlite:
                    session.try_(what, partial(_execute, session, statement))
                else:
                    session.execute_alone(what, statement)
            if not step.until_done:
                break
        with session.transaction(writes=True) as connection:
            strike(connection, revision, number, step)


def _statements(session: Session, step: Step) -> list[str]:
    with session.transaction(writes=False) as connection:
        if step.is_done(connection):
            return []
        return [*step.clear(connection), *(step.on_sqlite() if session.is_sqlite else step.statements())]


def _execute(session: Session, statement: str) -> None:
    with session.transaction(writes=True) as connection:
        connection.execute(verbatim(statement))


@contextmanager
def broken(revision: str) -> Iterator[None]:
    """Whatever a revision raises is told as what it did not do."""
    try:
        yield
    except MidflightError:
        raise
    except DBAPIError as wrong:
        statement = " ".join(str(wrong.statement).split())
        raise SchemaBroken(revision=revision, reason=f"{reason_of(wrong)}, in: {statement}") from wrong
    except Exception as wrong:
        raise SchemaBroken(revision=revision, reason=f"{type(wrong).__name__}: {wrong}") from wrong


@contextmanager
def whole(connection: Connection, revision: str) -> Iterator[None]:
    """What a revision executes in the block is one transaction with the runner's bounds. Raises SchemaBroken before it
    ends its transaction, and where it has set how long it waits for locks."""

    def look(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if _ENDS.match(statement):
            reason = f"it has {' '.join(statement.split())[:40]}; a revision is one transaction, which the runner ends"
            raise SchemaBroken(revision=revision, reason=reason)

    patience = _lock_timeout(connection)
    with watched(connection, look):
        yield
    if _lock_timeout(connection) != patience:
        raise SchemaBroken(revision=revision, reason="it sets lock_timeout, which is the runner's to set")


@contextmanager
def watched(connection: Connection, look: Callable[..., None]) -> Iterator[None]:
    """Show each statement to ``look`` before it is executed."""
    event.listen(connection, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", look)


def _lock_timeout(connection: Connection) -> str:
    """How long this session waits for a lock; empty where there is no such setting."""
    if connection.dialect.name == "sqlite":
        return ""
    found: str = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    return found
