"""The epoch: the number of the fleet's present pins, write forms and store floor. It only goes up, by each change."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from midflight.db.tables import epoch

_ROW = 1


def current_epoch(connection: Connection) -> int:
    """The present epoch; 0 before the first change."""
    return connection.execute(select(epoch.c.epoch).where(epoch.c.id == _ROW)).scalar_one_or_none() or 0


def next_epoch(connection: Connection) -> int:
    """Begin a new epoch, in the transaction of the change that it numbers."""
    raised = update(epoch).where(epoch.c.id == _ROW).values(epoch=epoch.c.epoch + 1).returning(epoch.c.epoch)
    number = connection.execute(raised).scalar_one_or_none()
    if number is None:
        connection.execute(insert(epoch).values(id=_ROW, epoch=1))
    return number or 1
