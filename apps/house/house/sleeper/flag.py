"""Whether a network card wakes its machine for a magic packet: the kernel's ethtool interface.

https://docs.kernel.org/networking/ethtool-netlink.html#wol-set, in its older form, which needs no more than one ioctl.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from collections.abc import Callable

from house.errors import HouseError

SIOCETHTOOL = 0x8946
GET, SET = 5, 6
MAGIC = 1 << 5
WOL = struct.Struct("=III6s")
"""ethtool_wolinfo: the command, what the card can, what it does, a password."""

Ask = Callable[[str, bytes], bytes]
"""(interface, request) → answer, or OSError."""


class NotArmed(HouseError):
    """A machine that cannot be woken must not sleep."""

    def __init__(self, interface: str, reason: str) -> None:
        super().__init__(interface, reason)
        self.interface, self.reason = interface, reason

    def __str__(self) -> str:
        return f"{self.interface} would not wake it: {self.reason}"


def ethtool(interface: str, request: bytes) -> bytes:
    """Have the kernel ask the card. Raises OSError."""
    memory = array.array("B", request)
    name = struct.pack("16sP", interface.encode()[:15], memory.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, name)
    return memory.tobytes()


def arm(interface: str, ask: Ask = ethtool) -> None:
    """Have the card wake the machine for magic packets, and read back that it will. What else it wakes for stays as it
    is. Raises NotArmed."""
    try:
        can, does, password = _read(interface, ask)
        if not can & MAGIC:
            raise NotArmed(interface, "its card knows no magic packet")
        if not does & MAGIC:
            ask(interface, WOL.pack(SET, can, does | MAGIC, password))
            _, does, _ = _read(interface, ask)
    except OSError as wrong:
        raise NotArmed(interface, f"its card cannot be asked: {wrong.strerror}") from None
    if not does & MAGIC:
        raise NotArmed(interface, "its card was armed, and read back it is not: look into the firmware's set-up")


def armed(interface: str, ask: Ask = ethtool) -> bool | None:
    """Whether it is; None where the card cannot be asked."""
    try:
        return bool(_read(interface, ask)[1] & MAGIC)
    except OSError:
        return None


def _read(interface: str, ask: Ask) -> tuple[int, int, bytes]:
    _, can, does, password = WOL.unpack(ask(interface, WOL.pack(GET, 0, 0, b"")))
    return can, does, password
