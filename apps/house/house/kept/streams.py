"""The rows of streams. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from ipaddress import IPv4Address

from sqlalchemy import Connection, delete, update

from house.errors import AddressTaken
from house.kept import rows
from house.kept.tables import players, sendings, settings, sound_hosts, streams
from house.objects.stream import LOCAL, OURS, WHAT, Stream
from house.playing import Kind
from midflight import InvalidValue, to_row


def add(connection: Connection, stream: Stream) -> tuple[int, IPv4Address]:
    """Answers its id, and the address that it was given. Raises what ``Stream.create`` does."""
    address = stream.address or _free(connection, stream.name)
    _check(connection, stream, address)
    return rows.add(connection, streams, WHAT, stream.name, {**to_row(stream), "address": str(address)}), address


def change(connection: Connection, stream: Stream) -> None:
    """Raises what ``Stream.save`` does."""
    row = rows.one(connection, streams, WHAT, {"name": stream.name})
    if stream.address is not None:
        _check(connection, stream, stream.address)
    values = to_row(stream, only_changes=True, onto=row)
    if stream.address is None and "address" in values:
        values["address"] = str(_free(connection, stream.name))
    rows.change(connection, streams, WHAT, row["id"], values)


def _check(connection: Connection, stream: Stream, address: IPv4Address) -> None:
    if address not in LOCAL:
        expected = f"a multicast group of {LOCAL}, or none, and the house gives one"
        raise InvalidValue(path="Stream.address", received=str(address), expected=expected)
    if stream.kind is not Kind.SINK and not stream.source:
        expected = f"what the {stream.kind} is: a device, a sink, a path or a URL"
        raise InvalidValue(path="Stream.source", received="''", expected=expected)
    rows.one(connection, sound_hosts, "host with sound", {"name": stream.host})
    for other in rows.every(connection, streams, {"address": str(address)}):
        if other["name"] != stream.name:
            raise AddressTaken(stream.name, str(address), other["name"])


def _free(connection: Connection, name: str) -> IPv4Address:
    """The lowest that is nobody's."""
    taken = {row["address"] for row in rows.every(connection, streams, {}) if row["name"] != name}
    for address in OURS.hosts():
        if str(address) not in taken:
            return address
    raise InvalidValue(path="Stream.address", received="none", expected=f"one of another network: {OURS} is used up")


def remove(connection: Connection, id: int | None, name: str) -> None:
    """Also from the rooms and scenes that play it. Raises NotFound."""
    rows.remove(connection, streams, WHAT, id)
    for table in (settings, sendings):
        connection.execute(delete(table).filter_by(stream=name))
    connection.execute(update(players).filter_by(stream=name).values(stream=None))
