"""The steps that follow a revision, done; and what goes wrong in either, in one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from midflight.db.engine import reason_of
from midflight.db.schema.session import Session
from midflight.db.schema.steps import Step, strike
from midflight.errors import MidflightError, SchemaBroken


def finish(session: Session, revision: str, number: int, step: Step) -> None:
    """Do one step, whatever an earlier try has left of it, and strike it out. Raises SchemaBroken with what the
    database says against it, and SchemaBlocked while somebody keeps a lock."""
    what = f"{revision}, {step.thing}"
    with broken(what):
        with session.transaction(writes=False) as connection:
            done = step.is_done(connection)
            statements = [] if done else [*step.clear(connection), *step.statements()]
        for statement in statements:
            if step.in_transaction:
                session.try_(what, partial(_execute, session, statement))
            else:
                session.execute_alone(what, statement)
        with session.transaction(writes=True) as connection:
            strike(connection, revision, number, step)


def _execute(session: Session, statement: str) -> None:
    with session.transaction(writes=True) as connection:
        connection.exec_driver_sql(statement)


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


def lock_timeout(connection: Connection) -> str:
    """How long this session waits for a lock; empty where there is no such setting."""
    if connection.dialect.name == "sqlite":
        return ""
    found: str = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    return found
