"""Streams: what can be heard in the house."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Self

from msgspec import Meta
from sqlalchemy import Connection, delete, update

from house import rows
from house.errors import AddressTaken
from house.names import Name, Port
from house.playing import Kind
from house.rights import PEOPLE
from house.tables import players, sendings, settings, sound_hosts, streams
from midflight import Context, InvalidValue, VersionedObject, field, from_row, remotable, to_row

WHAT = "stream"
LOCAL = IPv4Network("239.0.0.0/8")
"""Multicast that stays within an organisation (RFC 2365). Below it, switches flood or routers forward."""
OURS = IPv4Network("239.255.12.0/24")
"""Where a stream is given its group address: in the scope that stays on the local network."""


class Stream(VersionedObject, version="1.0"):
    """Something to be heard, and the host whose agent sends it. ``source`` is the capture device, the sink whose
    monitor it is, the path of a file, or the URL of a radio; for a sink of its own it may be empty. ``address`` is the
    multicast group to which engines send it that need one: the house gives one where it is None, and no two streams
    have the same."""

    id: int | None = None
    name: Name = field(read_only=True)
    kind: Kind = field(default=Kind.SINK, fallback=Kind.UNKNOWN)
    source: Annotated[str, Meta(max_length=255)] = ""
    host: Name
    enabled: bool = True
    address: IPv4Address | None = None
    port: Port = 5004

    @classmethod
    @remotable
    async def get(cls, context: Context, name: str) -> Self:
        """One stream. Raises NotFound."""
        return from_row(cls, await context.db.read(rows.one, streams, WHAT, {"name": name}), context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Have it sent. Raises AlreadyExists, AddressTaken, NotFound for a host that has no sound, and InvalidValue."""
        self.id, self.address = await self.context.db.write(_insert, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed. Raises what ``create`` does. Rooms that a disabled stream is patched to are silent, and
        play it again when it is enabled."""
        await self.context.db.write(_save, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Take it away, also from the rooms and scenes that it is patched to. Raises NotFound."""
        await self.context.db.write(_delete, self.id, self.name)


def _insert(connection: Connection, stream: Stream) -> tuple[int, IPv4Address]:
    address = stream.address or _free(connection, stream.name)
    _check(connection, stream, address)
    return rows.add(connection, streams, WHAT, stream.name, {**to_row(stream), "address": str(address)}), address


def _save(connection: Connection, stream: Stream) -> None:
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


def _delete(connection: Connection, id: int | None, name: str) -> None:
    rows.remove(connection, streams, WHAT, id)
    for table in (settings, sendings):
        connection.execute(delete(table).filter_by(stream=name))
    connection.execute(update(players).filter_by(stream=name).values(stream=None))
