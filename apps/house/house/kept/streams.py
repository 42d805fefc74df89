"""The rows of streams. Each function runs inside a transaction, on its connection."""

from __future__ import annotations

from ipaddress import IPv4Address

from sqlalchemy import Connection, delete, update

from house.errors import AddressTaken
from house.kept import rows
from house.kept.tables import players, sendings, settings, sound_hosts, streams
from house.objects.stream import LOCAL, OURS, TEST, WHAT, Stream, place
from house.playing import Kind
from midflight import InvalidValue, to_row


def add(connection: Connection, stream: Stream) -> tuple[int, IPv4Address]:
    """Answers its id, and the address that it was given. Raises what ``Stream.create`` does."""
    address = stream.address or _free(connection, stream)
    _check(connection, stream, address)
    return rows.add(connection, streams, WHAT, stream.name, {**to_row(stream), "address": str(address)}), address


def change(connection: Connection, stream: Stream) -> None:
    """Raises what ``Stream.save`` does."""
    row = rows.one(connection, streams, WHAT, {"name": stream.name})
    if stream.address is not None:
        _check(connection, stream, stream.address)
    values = to_row(stream, only_changes=True, onto=row)
    if stream.address is None and "address" in values:
        values["address"] = str(_free(connection, stream))
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
    beside = _places(connection, stream).get(place(address))
    if beside is not None:
        expected = f"another one, or none: {beside} has the same ports on {stream.host} by it"
        raise InvalidValue(path="Stream.address", received=str(address), expected=expected)


def _places(connection: Connection, stream: Stream) -> dict[int, str]:
    """What is sent from its host beside it, by where its ports are; the test signal may be at any time."""
    others = [row for row in rows.every(connection, streams, {"host": stream.host}) if row["name"] != stream.name]
    return {place(IPv4Address(row["address"])): row["name"] for row in others} | {place(TEST): "the test signal"}


def _free(connection: Connection, stream: Stream) -> IPv4Address:
    """The lowest that is nobody's."""
    taken = {row["address"] for row in rows.every(connection, streams, {}) if row["name"] != stream.name}
    places = _places(connection, stream)
    for address in OURS.hosts():
        if str(address) not in taken and place(address) not in places:
            return address
    raise InvalidValue(path="Stream.address", received="none", expected=f"one of another network: {OURS} is used up")


def remove(connection: Connection, id: int | None, name: str) -> None:
    """Also from the rooms and scenes that play it. Raises NotFound."""
    rows.remove(connection, streams, WHAT, id)
    for table in (settings, sendings):
        connection.execute(delete(table).filter_by(stream=name))
    connection.execute(update(players).filter_by(stream=name).values(stream=None))
