"""Tells this host's receivers of their streams, again and again, and has those take them anew that are deaf to them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from house.sound.pulse_rtp import sap
from house.sound.wanted import Feed

SECONDS = 1.0
"""PulseAudio forgets a stream of which it has heard nothing for 20 s, and a receiver that has just been loaded may not
listen yet."""
RENEW_SECONDS = 10.0
"""After so long without a packet a receiver takes its stream anew: its sender may have begun again unheard. If that has
not helped, it waits twice as long for the next time, for most streams that are silent are idle."""
log = structlog.get_logger("sound")


@dataclass
class _Receiver:
    feed: Feed
    took: float = field(default_factory=time.monotonic)
    """When it has taken its stream, as far as we know."""
    deaf_since: float | None = None
    patience: float = RENEW_SECONDS


class Announcer:
    """To whom and of what is said by ``announce``: addresses of receivers (``sap.address``), and their streams.

    A receiver keeps to the first source of its stream (RTP's SSRC), and is deaf to the one that a sender has after a
    restart: then the stream has to be forgotten and taken anew. That interrupts whoever listens: it is never done to a
    receiver that gets its stream.
    """

    def __init__(self) -> None:
        self._receivers: dict[str, _Receiver] = {}
        self._speaking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._speaking.setblocking(False)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Speak from now on."""
        if self._task is None:
            self._task = asyncio.create_task(self._announce_for_ever(), name="announcements of streams")

    def announce(self, feeds: Mapping[str, Feed]) -> None:
        """These from now on, and at once; a receiver that is none of them any more leaves its stream."""
        before = self._receivers
        self._receivers = {address: before.get(address) or _Receiver(feed) for address, feed in feeds.items()}
        for address in before.keys() - feeds.keys():
            self._send(address, sap.packet(before[address].feed, goodbye=True))
        self._say()

    def seen(self, address: str, *, fed: bool, began: float | None = None) -> None:
        """Whether a receiver has something of its stream in hand, as it was seen just now, and when somebody has last
        begun anew to send it. One that has nothing takes the stream anew: at once where that was since it took it, else
        when it has lasted for long."""
        receiver, now = self._receivers.get(address), time.monotonic()
        if receiver is None:
            return  # it is not announced any more
        if fed:
            receiver.deaf_since, receiver.patience = None, RENEW_SECONDS
            return
        if receiver.deaf_since is None:
            receiver.deaf_since = now
        outdated = began is not None and began > receiver.took
        if outdated or now - receiver.deaf_since > receiver.patience:
            receiver.took, receiver.deaf_since, receiver.patience = now, None, 2 * receiver.patience
            log.info("sound.taken_anew", stream=receiver.feed.name, receiver=address, began_anew=outdated)
            self._send(address, sap.packet(receiver.feed, goodbye=True))
            self._send(address, sap.packet(receiver.feed))

    def close(self) -> None:
        """Be silent."""
        if self._task is not None:
            self._task.cancel()
        self._speaking.close()

    async def _announce_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            self._say()

    def _say(self) -> None:
        for address, receiver in self._receivers.items():
            self._send(address, sap.packet(receiver.feed))

    def _send(self, address: str, packet: bytes) -> None:
        try:
            self._speaking.sendto(packet, (address, sap.PORT))
        except OSError:
            pass  # nobody listens there yet; it is said again
