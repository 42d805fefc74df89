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


def claimed(said: Arp | Neighbour) -> ip.Address | None:
    """The address that its sender says to have, if it does."""
    if isinstance(said, Arp):
        return said.sender if said.claims else None
    return said.target if said.kind == ndp.ADVERTISEMENT else None


def probes(addresses: tuple[ip.Address, ...], says: Mac, to: Mac, vlan: int | None) -> list[Frame]:
    """Ask who has these addresses: the owner itself, which disturbs nobody else, or everybody. No cache learns from
    it."""
    return [
        arp.probe(a, says, to, vlan) if isinstance(a, IPv4Address) else ndp.probe(a, says, to, vlan) for a in addresses
    ]
