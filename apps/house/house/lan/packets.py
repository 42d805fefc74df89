"""The socket that carries frames, of one interface. It needs CAP_NET_RAW and nothing else."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from ipaddress import IPv6Address
from typing import Self

from house.lan import ethernet, filters, ndp
from house.lan.errors import CannotListen, Malformed, NoSuchInterface, NotPermitted
from house.lan.ethernet import Frame
from house.lan.interfaces import Interface

_SOL_PACKET, _AUXDATA, _IGNORE_OUTGOING = 263, 8, 23
_ATTACH_FILTER = 26
_ALL = 0x0003
_STATUS_VLAN_VALID = 0x10
_AUX = struct.Struct("=IIIHHHH")
"""``struct tpacket_auxdata``: status, length, captured, offsets of mac and net, VLAN's tci and tpid."""
_LONGEST = 2048
"""Of who asks, the head is read; a frame of the owner may be longer, and is only a sign of life."""
_SHORTEST = 64
"""Of what is only counted."""
_VLAN_NUMBER = 0x0FFF
_AWAY = errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.ENOBUFS


class PacketSocket:
    """Frames of one interface, of which the kernel passes on what a filter asks for; what this machine sends itself is
    never among them.

    It hears nothing before ``watch``. ``taken`` is a socket of an earlier process, in which frames may wait.
    """

    def __init__(self, interface: Interface, taken: socket.socket | None = None) -> None:
        self.interface = interface
        self.malformed = 0
        """Frames that were none."""
        self._groups: dict[IPv6Address, socket.socket] = {}
        self._taken = taken is not None
        self.socket = taken or _opened(interface.name)
        self.socket.setblocking(False)

    def fileno(self) -> int:
        """For the event loop."""
        return self.socket.fileno()

    def watch(self, program: Iterable[filters.Instruction]) -> None:
        """Hear what the program passes from now on, and nothing else. What waits stays as it is. Raises LanError."""
        code = filters.encode(program)
        held = ctypes.create_string_buffer(code, len(code))
        count = len(code) // 8
        attached = struct.pack("HP", count, ctypes.addressof(held))
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, attached)
        except OSError as wrong:
            way_out = f"{wrong}; watch fewer machines, or give net.core.optmem_max more"
            raise CannotListen(self.interface.name, f"with a filter of {count} instructions", way_out) from None
        if not self._taken:
            self._bind()

    def _bind(self) -> None:
        try:
            self.socket.bind((self.interface.name, _ALL))
        except OSError as wrong:
            if wrong.errno in (errno.ENODEV, errno.ENXIO):
                raise NoSuchInterface(self.interface.name, []) from None
            raise CannotListen(self.interface.name, "for frames", str(wrong)) from None
        self._taken = True

    def received(self, most: int = 256) -> Iterator[Frame]:
        """The frames that wait, each with the VLAN of which it came; at most so many."""
        for _ in range(most):
            try:
                data, extra, _, _ = self.socket.recvmsg(_LONGEST, 64)
            except BlockingIOError:
                return
            except OSError as wrong:
                if wrong.errno in _AWAY:  # said once, when the interface goes down
                    continue
                raise
            try:
                yield ethernet.decode(data, _vlan(extra))
            except Malformed:
                self.malformed += 1

    def raw(self, most: int = 4096) -> Iterator[bytes]:
        """The same as bytes, whichever VLAN they are of: for who only counts."""
        for _ in range(most):
            try:
                yield self.socket.recv(_SHORTEST)
            except OSError:
                return

    def send(self, frame: Frame) -> bool:
        """Send a frame; False if the interface does not take it: it is down, its queue is full, the frame too long."""
        try:
            self.socket.send(frame.encode())
        except OSError:
            return False
        return True

    def join(self, addresses: Iterable[IPv6Address]) -> None:
        """Hear those who ask for these addresses, and for no others. Only membership of the group brings their
        questions through a switch that snoops. Raises CannotListen."""
        wanted = {ndp.group(address) for address in addresses}
        for group in self._groups.keys() - wanted:
            self._groups.pop(group).close()
        for group in wanted - self._groups.keys():
            self._groups[group] = self._member_of(group)

    def _member_of(self, group: IPv6Address) -> socket.socket:
        request = struct.pack("=16sI", group.packed, self.interface.index)
        try:
            with ExitStack() as undo:
                member = undo.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
                member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
                undo.pop_all()
        except OSError as wrong:
            way_out = f"{wrong}; let the interface have IPv6, or guard the machine by its IPv4 addresses alone"
            raise CannotListen(self.interface.name, "for IPv6", way_out) from None
        return member

    def close(self) -> None:
        """Hear nothing more, and leave the groups."""
        for member in self._groups.values():
            member.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(interface: str) -> socket.socket:
    """One that hears nothing yet: it is bound when it has its filter, so that nothing else waits in it."""
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError:
        raise NotPermitted(interface) from None
    except OSError as wrong:
        raise CannotListen(interface, "for frames", str(wrong)) from None
    opened.setsockopt(_SOL_PACKET, _AUXDATA, 1)
    opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    return opened


def _vlan(extra: list[tuple[int, int, bytes]]) -> int | None:
    """The number in the tag, which the kernel has taken off."""
    for level, kind, data in extra:
        if level == _SOL_PACKET and kind == _AUXDATA and len(data) >= _AUX.size:
            status, *_, tci, _ = _AUX.unpack_from(data)
            return tci & _VLAN_NUMBER if status & _STATUS_VLAN_VALID else None
    return None
