"""Streams: what can be heard in the house."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Self

from msgspec import Meta

from house import kept
from house.names import Name, Port
from house.playing import Kind
from house.rights import PEOPLE
from midflight import Context, VersionedObject, field, from_row, remotable

WHAT = "stream"
LOCAL = IPv4Network("239.0.0.0/8")
"""Multicast that stays within an organisation (RFC 2365). Below it, switches flood or routers forward."""
OURS = IPv4Network("239.255.12.0/24")
"""Where a stream is given its group address: in the scope that stays on the local network."""
TEST = OURS.broadcast_address
"""The group of the signal of ``house sound test``: no stream's."""
_PORTS = 10_000


def place(group: IPv4Address) -> int:
    """From 0 to 9,999: where the ports of a stream lie among those of the engines that need some for each. No two
    streams of one host have the same, and those that the house gives an address lie side by side."""
    return int(group) % _PORTS


class Stream(VersionedObject, version="1.0"):
    """Something to be heard, and the host whose agent sends it. ``source`` is the capture device, the sink whose
    monitor it is, the path of a file, or the URL of a radio; for a sink of its own it may be empty. ``address`` is the
    multicast group to which engines send it that need one, and by which its ports are found: the house gives one where
    it is None, and no two streams have the same."""

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
        row = await context.db.read(kept.rows.one, kept.tables.streams, WHAT, {"name": name})
        return from_row(cls, row, context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Have it sent. Raises AlreadyExists, AddressTaken, NotFound for a host that has no sound, and InvalidValue."""
        self.id, self.address = await self.context.db.write(kept.streams.add, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def save(self) -> None:
        """Keep what changed. Raises what ``create`` does. Rooms that a disabled stream is patched to are silent, and
        play it again when it is enabled."""
        await self.context.db.write(kept.streams.change, self)
        self.reset_changes()

    @remotable(allow=PEOPLE)
    async def destroy(self) -> None:
        """Take it away, also from the rooms and scenes that it is patched to. Raises NotFound."""
        await self.context.db.write(kept.streams.remove, self.id, self.name)
