"""The Ethernet interfaces of this machine."""

from __future__ import annotations

import fcntl
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from house.lan import ip
from house.lan.errors import NoSuchInterface, NoWay
from house.lan.mac import Mac

_ADDRESS, _NETMASK, _HARDWARE = 0x8915, 0x891B, 0x8927
_ETHERNET = 1
_REQUEST = struct.Struct("16s24s")


@dataclass(frozen=True, slots=True)
class Interface:
    """One of them; ``network`` is that of its first IPv4 address, None without any."""

    name: str
    index: int
    mac: Mac
    address: IPv4Address
    """Its first one, 0.0.0.0 without any."""
    network: IPv4Network | None

    def reaches(self, addresses: tuple[ip.Address, ...]) -> bool:
        """Whether one of them is in its network, as far as that is known."""
        four = [each for each in addresses if isinstance(each, IPv4Address)]
        return not four or self.network is None or any(each in self.network for each in four)


def get(name: str) -> Interface:
    """The interface of this name. Raises NoSuchInterface."""
    try:
        index = socket.if_nametoindex(name)
    except OSError:
        raise NoSuchInterface(name, _names()) from None
    mac = _mac(name)
    if mac is None:
        raise NoSuchInterface(name, _names())
    address = _ask(_ADDRESS, name)
    mask = _ask(_NETMASK, name)
    if address is None or mask is None:
        return Interface(name, index, mac, IPv4Address(0), None)
    own = IPv4Address(address[4:8])
    return Interface(name, index, mac, own, IPv4Network((own, str(IPv4Address(mask[4:8]))), strict=False))


def towards(addresses: tuple[ip.Address, ...]) -> Interface:
    """The interface in whose network one of the addresses is, else the only one. Raises NoWay."""
    names = _names()
    found = [get(name) for name in names]
    for each in found:
        if each.network is not None and any(a in each.network for a in addresses):
            return each
    if len(found) == 1:
        return found[0]
    raise NoWay([*map(str, addresses)], names)


def _names() -> list[str]:
    return [name for _, name in socket.if_nameindex() if _mac(name) is not None]


def _mac(name: str) -> Mac | None:
    """None for what is no Ethernet."""
    found = _ask(_HARDWARE, name)
    if found is None or struct.unpack_from("=H", found)[0] != _ETHERNET:
        return None
    return Mac(found[2:8])


def _ask(what: int, name: str) -> bytes | None:
    """A ``sockaddr`` of the interface; None where it has none. The kernel's netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, what, _REQUEST.pack(name.encode()[:15], b""))
        except OSError:
            return None
    return answer[16:]
