"""Hears what the network brings of the streams that rooms of this host play, beside PulseAudio, which tells nobody what
it has missed."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterable

import structlog

from house.sound.pulse_rtp.arrivals import HEADER, Arrivals

PORT = 5004
"""Where streams of the house are sent to. Of one that is sent elsewhere nothing is known."""
SECONDS = 0.1
"""So often packets are taken out of the socket. At 150 packets a second for each stream it has room for those of ten
streams meanwhile."""
_ANY = bytes(4)
"""A group is joined by whichever interface leads there."""
_TIMESTAMPNS, _OVERFLOW, _PKTINFO, _MULTICAST_ALL = 35, 40, 8, 49
"""SO_TIMESTAMPNS, SO_RXQ_OVFL, IP_PKTINFO and IP_MULTICAST_ALL, which ``socket`` has no names for."""
_TIME, _COUNT, _INFO = struct.Struct("@ll"), struct.Struct("@I"), struct.Struct("@I4s4s")
_ROOM = sum(socket.CMSG_SPACE(each.size) for each in (_TIME, _COUNT, _INFO))
log = structlog.get_logger("sound")


class Ear:
    """It hears nothing before ``start``. Its times are those of ``time.monotonic``. ``turned`` is called when several
    begin to send to a group, and when they do so no more."""

    def __init__(self, turned: Callable[[], None] = lambda: None) -> None:
        self._turned = turned
        self._groups: dict[str, Arrivals] = {}
        self._contenders: dict[str, list[str]] = {}
        self._overflows = 0
        self._task: asyncio.Task[None] | None = None
        self._is_deaf = False
        self._unheard: set[str] = set()
        """Groups that could not be joined or left: that is logged once."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.IPPROTO_IP, _MULTICAST_ALL, 0)
        self._socket.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
        for option in (_TIMESTAMPNS, _OVERFLOW):
            self._socket.setsockopt(socket.SOL_SOCKET, option, 1)

    def start(self) -> None:
        """Hear from now on."""
        if self._task is not None:
            return
        self._bind()
        self._task = asyncio.create_task(self._hear_for_ever(), name="what comes of streams")

    def _bind(self) -> None:
        """Rooms play also where that cannot be, and nothing is known of their packets."""
        was_deaf, self._is_deaf = self._is_deaf, False
        try:
            self._socket.bind(("", PORT))
        except OSError as wrong:
            self._is_deaf = True
            if not was_deaf:
                log.warning("sound.packets_unheard", port=PORT, reason=str(wrong))

    def listen(self, groups: Iterable[str]) -> None:
        """To these from now on, and to no others. One that cannot be joined is none of them, and is tried again."""
        if self._is_deaf:
            self._bind()
        wanted = set[str]() if self._is_deaf else set(groups)
        self._unheard &= wanted
        for group in self._groups.keys() - wanted:
            self._change(socket.IP_DROP_MEMBERSHIP, group)
            del self._groups[group]
        for group in wanted - self._groups.keys():
            if self._change(socket.IP_ADD_MEMBERSHIP, group):
                self._groups[group] = Arrivals(time.monotonic())

    def _change(self, verb: int, group: str) -> bool:
        try:
            self._socket.setsockopt(socket.IPPROTO_IP, verb, socket.inet_aton(group) + _ANY)
        except OSError as wrong:
            if group not in self._unheard:
                log.warning("sound.group_unheard", group=group, reason=str(wrong))
            self._unheard.add(group)
            return False
        self._unheard.discard(group)
        return True

    def heard(self, group: str) -> Arrivals | None:
        """What has come of a group; None where it is not heard."""
        return self._groups.get(group)

    def contenders(self, group: str) -> list[str]:
        """Who all send to a group at once, or did so when it was heard last, if nobody was alone since; else nobody."""
        return self._contenders.get(group, [])

    def close(self) -> None:
        """Be deaf."""
        if self._task is not None:
            self._task.cancel()
        self._socket.close()

    async def _hear_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            self._take_all()
            self._judge()

    def _take_all(self) -> None:
        """All that waits. Of a packet only the head is read, for the rest is PulseAudio's."""
        since = time.monotonic() - time.time()
        while True:
            try:
                header, told, _, sender = self._socket.recvmsg(HEADER.size, _ROOM)
            except OSError:
                return  # nothing waits any more, or an interface was taken away
            at, group, overflows = _told(told)
            if overflows != self._overflows:
                self._overflows = overflows
                for arrivals in self._groups.values():
                    arrivals.overflown()
            if group in self._groups:
                self._groups[group].take(header, sender[0], at + since)

    def _judge(self) -> None:
        now, before = time.monotonic(), set(self._contenders)
        for group, arrivals in self._groups.items():
            if len(senders := arrivals.senders(now)) > 1:
                self._contenders[group] = senders
            elif arrivals.is_alone(now):
                self._contenders.pop(group, None)
        if self._contenders.keys() != before:
            self._turned()


def _told(told: Iterable[tuple[int, int, bytes]]) -> tuple[float, str, int]:
    """What the kernel says of a packet: when it came, to which group, and how many had to be thrown away so far."""
    at, group, overflows = time.time(), "", 0
    for _, kind, value in told:
        if kind == _TIMESTAMPNS:
            seconds, nanoseconds = _TIME.unpack(value)
            at = seconds + nanoseconds / 1e9
        elif kind == _OVERFLOW:
            (overflows,) = _COUNT.unpack(value)
        elif kind == _PKTINFO:
            group = socket.inet_ntoa(_INFO.unpack(value)[2])
    return at, group, overflows
