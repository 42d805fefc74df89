"""What a watcher says of an address, in the words of its kind: ARP or neighbour discovery."""

from __future__ import annotations

from ipaddress import IPv4Address

from house.lan import arp, ip, ndp
from house.lan.arp import Arp
from house.lan.ethernet import Frame
from house.lan.mac import Mac
from house.lan.ndp import Neighbour


def announcement(address: ip.Address, has: Mac, says: Mac, vlan: int | None) -> Frame:
    """``has`` has the address from now on."""
    if isinstance(address, IPv4Address):
        return arp.announcement(address, has, says, vlan)
    return ndp.announcement(address, has, says, vlan)


def answer(asked: Arp | Neighbour, to: Mac, has: Mac, says: Mac, vlan: int | None) -> Frame:
    """The answer to a question."""
    if isinstance(asked, Arp):
        return arp.answer(asked, has, says, vlan)
    return ndp.answer(asked, to, has, says, vlan)


def probes(addresses: tuple[ip.Address, ...], says: Mac, to: Mac, vlan: int | None) -> list[Frame]:
    """Ask the owner itself whether it lives, by its first address of each kind. No cache learns from it, and nobody
    else is disturbed."""
    first = {address.version: address for address in reversed(addresses)}
    return [
        arp.probe(a, says, to, vlan) if isinstance(a, IPv4Address) else ndp.probe(a, says, to, vlan)
        for _, a in sorted(first.items())
    ]
