"""What agents report, and what they are to do. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Table, delete, insert, update

from house.kept import aways, rows, scenes
from house.kept.rows import Row
from house.kept.tables import hearings, players, sendings, sound_hosts, streams
from house.objects.hearing import Hearing, Sending
from house.objects.player import Player
from house.objects.stream import Stream
from house.objects.wiring import SoundHost, Wiring
from midflight import from_row, to_row


def report(
    connection: Connection,
    kind: type[Wiring],
    host: SoundHost,
    heard: Iterable[Hearing],
    sent: Iterable[Sending],
    now: datetime,
) -> Wiring:
    """See ``Wiring.report``."""
    _heed_times(connection, now)
    _keep(connection, sound_hosts, {"name": host.name}, {**to_row(host), "seen_at": now})
    ours = {row["name"] for row in rows.every(connection, players, {"host": host.name})}
    for each in heard:
        if each.player in ours:
            _keep(connection, hearings, {"player": each.player}, {**to_row(each), "at": now})
    _keep_sendings(connection, host.name, sent, now)
    return _wiring(connection, kind, host.name)


def _heed_times(connection: Connection, now: datetime) -> None:
    """Do what is due by now: rooms whose sleep timer has run out fall silent, scenes whose time has come are played,
    unless nobody is at home."""
    over = update(players).where(players.c.off_at <= now)
    connection.execute(over.values(stream=None, off_at=None))
    if aways.latest(connection, now) is None:
        scenes.heed(connection, now)


def _keep(connection: Connection, table: Table, by: Row, values: Row) -> None:
    """The latest word replaces the one before."""
    if connection.execute(update(table).filter_by(**by).values(dict(values))).rowcount == 0:
        connection.execute(insert(table).values(dict(values)))


def _keep_sendings(connection: Connection, host: str, sent: Iterable[Sending], now: datetime) -> None:
    ours = {row["name"] for row in rows.every(connection, streams, {"host": host})}
    connection.execute(delete(sendings).where(sendings.c.stream.in_(ours)))
    for each in sent:
        if each.stream in ours:
            connection.execute(insert(sendings).values({**to_row(each), "at": now}))


def _wiring(connection: Connection, kind: type[Wiring], host: str) -> Wiring:
    """See ``Wiring``."""
    all_players = [from_row(Player, row) for row in rows.every(connection, players, {})]
    ours = [player for player in all_players if player.host == host]
    heard = {player.stream for player in ours}
    found = [from_row(Stream, row) for row in rows.every(connection, streams, {})]
    return kind(
        host=host,
        streams=[stream for stream in found if stream.host == host or stream.name in heard],
        players=ours,
        engines=sorted({player.engine for player in all_players}),
    )
