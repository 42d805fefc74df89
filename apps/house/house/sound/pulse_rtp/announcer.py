"""Tells this host's receivers of their streams, again and again, and has those take them anew that are deaf to them."""

from __future__ import annotations

import asyncio
import math
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
HEARD_SECONDS = 30.0
"""For so long it counts that somebody has sent: PulseAudio's senders announce themselves every 5 s."""
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
    restart. PulseAudio's senders announce themselves to their group at their start, under another origin each time, and
    so we hear there when a stream may have to be forgotten and taken anew. That interrupts whoever listens: it is never
    done to a receiver that gets its stream.
    """

    def __init__(self) -> None:
        self._receivers: dict[str, _Receiver] = {}
        self._origins: dict[tuple[str, str], str] = {}
        """Of what was announced, by its group and who has sent it."""
        self._heard: dict[tuple[str, str], float] = {}
        """And when that was last; long ago, for one that has said goodbye."""
        self._began: dict[str, float] = {}
        """When somebody has last begun anew to send to a group."""
        self._groups: set[str] = set()
        self._speaking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._hearing = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._hearing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for each in (self._speaking, self._hearing):
            each.setblocking(False)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Speak and hear from now on."""
        if self._task is not None:
            return
        self._task = asyncio.create_task(self._announce_for_ever(), name="announcements of streams")
        try:
            self._hearing.bind(("", sap.PORT))
        except OSError as wrong:  # we take a silent stream anew in any case, only later
            log.warning("sound.announcements_unheard", reason=str(wrong))
        else:
            asyncio.get_running_loop().add_reader(self._hearing, self._hear)

    def announce(self, feeds: Mapping[str, Feed]) -> None:
        """These from now on, and at once."""
        before = self._receivers
        self._receivers = {address: before.get(address) or _Receiver(feed) for address, feed in feeds.items()}
        groups = {feed.group for feed in feeds.values()}
        for group in groups ^ self._groups:
            verb = socket.IP_ADD_MEMBERSHIP if group in groups else socket.IP_DROP_MEMBERSHIP
            try:
                self._hearing.setsockopt(socket.IPPROTO_IP, verb, socket.inet_aton(group) + bytes(4))
            except OSError as wrong:
                log.warning("sound.group_unheard", group=group, reason=str(wrong))
        self._groups = groups
        self._origins = {key: origin for key, origin in self._origins.items() if key[0] in groups}
        self._heard = {key: at for key, at in self._heard.items() if key[0] in groups}
        self._began = {group: at for group, at in self._began.items() if group in groups}
        self._say()

    def seen(self, address: str, *, fed: bool) -> None:
        """Whether a receiver has something of its stream in hand, as it was seen just now. One that has not takes the
        stream anew: at once where its sender has begun anew since it took it, else when that has lasted for long."""
        receiver, now = self._receivers.get(address), time.monotonic()
        if receiver is None:
            return  # it is not announced any more
        if fed:
            receiver.deaf_since, receiver.patience = None, RENEW_SECONDS
            return
        if receiver.deaf_since is None:
            receiver.deaf_since = now
        outdated = self._began.get(receiver.feed.group, -math.inf) > receiver.took
        if outdated or now - receiver.deaf_since > receiver.patience:
            receiver.took, receiver.deaf_since, receiver.patience = now, None, 2 * receiver.patience
            log.info("sound.taken_anew", stream=receiver.feed.name, receiver=address, began_anew=outdated)
            self._send(address, sap.packet(receiver.feed, goodbye=True))
            self._send(address, sap.packet(receiver.feed))

    def senders(self, feed: Feed) -> list[str]:
        """Who sends to a stream's group, as far as was heard lately; one, where all is well."""
        since = time.monotonic() - HEARD_SECONDS
        return sorted(sender for (group, sender), at in self._heard.items() if group == feed.group and at > since)

    def close(self) -> None:
        """Be silent, and deaf."""
        if self._task is not None:
            self._task.cancel()
            asyncio.get_running_loop().remove_reader(self._hearing)
        self._speaking.close()
        self._hearing.close()

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

    def _hear(self) -> None:
        try:
            data, (sender, _) = self._hearing.recvfrom(65_535)
        except OSError:
            return  # as when an interface is taken away
        announced = sap.parse(data)
        if announced is not None:
            self.heed(announced, sender)

    def heed(self, announced: sap.Announced, sender: str) -> None:
        """Take somebody's announcement."""
        if announced.origin in (sap.origin(receiver.feed) for receiver in self._receivers.values()):
            return  # it is ours, and there was no receiver to take it
        key = announced.group, sender
        self._heard[key] = -math.inf if announced.goodbye else time.monotonic()
        if announced.goodbye:
            return  # its origin is remembered: another one may follow at once
        before = self._origins.get(key)
        self._origins[key] = announced.origin
        if before not in (None, announced.origin):
            log.info("sound.sender_began_anew", group=announced.group, sender=sender)
            self._began[announced.group] = time.monotonic()
