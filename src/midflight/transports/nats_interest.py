"""What we want to hear of a NATS broker, whichever connection it comes by."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from midflight.transports.nats_client import BrokerClient, Callback
from midflight.transports.nats_message import MORE, PART, SIGN, message_id_of

DRAIN_SECONDS = 2.0

Past = list[tuple[BrokerClient, Subscription]]


@dataclass(eq=False)
class Interest:
    """A subscription that outlives the connection on which it was made; while we move there are two of them."""

    subject: str
    queue: str
    callback: Callback
    is_hosts: bool = False
    """Whether, but for the time in which a process follows another one, nobody else is in the queue."""
    subscriptions: dict[BrokerClient, Subscription] = field(default_factory=dict)
    seen: set[str] | None = None
    """What has come since a move began, by the subject on which it wants its answer, or its id."""

    async def subscribe(self, client: BrokerClient) -> None:
        """Ask for it by this client too."""
        self.subscriptions[client] = await client.hear(self.subject, self.queue, self._take)

    async def overhear(self, client: BrokerClient) -> None:
        """Ask for it by this client too, and where it is a host's, outside of its queue: what a cluster has on its way
        to a client that leaves a queue would be lost."""
        queue = "" if self.is_hosts else self.queue
        self.subscriptions[client] = await client.hear(self.subject, queue, self._take)

    def _take(self, message: Msg) -> None:
        if self.seen is not None and (name := _name_of(message)):
            if name in self.seen:
                return
            self.seen.add(name)
        self.callback(message)


def _name_of(message: Msg) -> str:
    """All parts of a body, and the words that they are wanted, go between the same two places. Signs of life are many,
    and may come twice."""
    headers = message.headers or {}
    if SIGN in headers:
        return ""
    part = headers.get(PART) or headers.get(MORE)
    return f"{message.subject} {message.reply} {part}" if part else message.reply or message_id_of(message)


async def unsubscribe(past: Past) -> None:
    """Tell the broker that nothing more is wanted by these."""
    for client, subscription in past:
        await client.unsubscribe(subscription)


async def drain(past: Past) -> None:
    """Wait until the broker sends nothing more by them, and all that it had sent was given to its callback."""
    await asyncio.gather(*(client.ping() for client in {client for client, _ in past}))
    draining = (subscription.drain() for _, subscription in past)  # type: ignore[no-untyped-call]  # the library's
    drained = asyncio.gather(*draining, return_exceptions=True)
    await asyncio.wait([drained], timeout=DRAIN_SECONDS)
