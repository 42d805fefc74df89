"""Wirings: what the agent of one host is to do, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from sqlalchemy import Connection, Table, delete, insert, update

from house import clock, rows
from house.names import Name
from house.objects import away, scene
from house.objects.hearing import Hearing, Sending
from house.objects.player import Player
from house.objects.stream import Stream
from house.playing import Engine
from house.rights import SOUND, check_own
from house.rows import Row
from house.tables import hearings, players, sendings, sound_hosts, streams
from midflight import Context, VersionedObject, field, from_row, remotable, to_row


class SoundHost(VersionedObject, version="1.0"):
    """A host with sound: the engines that it can use, what is wrong there in words, and when its agent spoke last."""

    name: Name
    engines: list[str] = field(default_factory=list)
    troubles: tuple[str, ...] = ()
    seen_at: datetime | None = None


class Wiring(VersionedObject, version="1.0"):
    """The part of the patch bay that is one host's: its ``players``, and all ``streams`` that these hear or that are
    sent from here (see ``Stream.host``). Each of the latter, where it is enabled, is sent by each of ``engines``: those
    by which some room of the house hears. A room that hears a stream of its own host needs none."""

    host: str
    streams: list[Stream] = field(default_factory=list)
    players: list[Player] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)

    @classmethod
    @remotable(allow=SOUND)
    async def report(cls, context: Context, host: SoundHost, hearings: list[Hearing], sendings: list[Sending]) -> Self:
        """Say how a host stands; the answer is what it is to do from now on. Scenes and sleep timers whose time has
        come are heeded first. What is said of rooms and streams that are not on this host is passed over. Raises
        NotYours for another host than the agent's own."""
        check_own(context, host.name)
        wiring: Self = await context.db.write(_report, cls, host, hearings, sendings, clock.now())
        return wiring


def _report(
    connection: Connection,
    kind: type[Wiring],
    host: SoundHost,
    heard: Iterable[Hearing],
    sent: Iterable[Sending],
    now: datetime,
) -> Wiring:
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
    if away.latest(connection, now) is None:
        scene.heed(connection, now)


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
