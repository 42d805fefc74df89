"""What can be wrong with a network, or with what was said of it.

LanError
├── BadAddress       a MAC or IP address that is none           (also a ValueError)
├── BadEthers        a line of /etc/ethers that says nothing    (also a ValueError)
├── NoSuchInterface  an interface that is not there, or no Ethernet
├── NoWay            addresses that are in no interface's network
├── NotPermitted     the process may not open packet sockets    (also a PermissionError)
├── CannotListen     the kernel refuses a socket, its filter, or its groups
├── TooMany          more addresses than one filter can hold    (also a ValueError)
└── Malformed        a frame that is none                       (also a ValueError)
"""

from __future__ import annotations

from house.errors import HouseError


class LanError(HouseError):
    """Something about the network is not as it was said to be."""


class BadAddress(LanError, ValueError):
    """An address cannot be read."""

    def __init__(self, received: str, expected: str) -> None:
        self.received, self.expected = received, expected
        super().__init__(f"received {received[:60]!r}, expected {expected}")


class BadEthers(LanError, ValueError):
    """A line of an ethers file is not ``MAC name``."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        self.path, self.line, self.reason = path, line, reason
        super().__init__(f"{path}:{line}: {reason}; each line is a MAC address and a name")


class NoSuchInterface(LanError):
    """There is no Ethernet interface of this name."""

    def __init__(self, name: str, there: list[str]) -> None:
        self.name, self.there = name, there
        super().__init__(f"there is no Ethernet interface {name[:30]!r}; there are: {', '.join(there) or 'none'}")


class NoWay(LanError):
    """Nobody can tell on which interface a machine is."""

    def __init__(self, addresses: list[str], there: list[str]) -> None:
        self.addresses, self.there = addresses, there
        where, names = ", ".join(addresses), ", ".join(there) or "none"
        super().__init__(
            f"no Ethernet interface leads to {where}; there are: {names}. Name the one where the machine is"
        )


class NotPermitted(LanError, PermissionError):
    """A packet socket was refused."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        super().__init__(
            f"may not listen on {interface}: packet sockets need CAP_NET_RAW. Start it as root, by its systemd unit"
            " (AmbientCapabilities=CAP_NET_RAW), or in `setpriv --ambient-caps +net_raw`"
        )


class CannotListen(LanError):
    """The kernel does not let anybody listen there in this way."""

    def __init__(self, interface: str, what: str, reason: str) -> None:
        self.interface, self.what, self.reason = interface, what, reason
        super().__init__(f"cannot listen {what} on {interface}: {reason}")


class TooMany(LanError, ValueError):
    """A filter would be longer than the kernel takes."""

    def __init__(self, instructions: int, most: int) -> None:
        self.instructions, self.most = instructions, most
        super().__init__(f"a filter of {instructions} instructions; the kernel takes {most}: watch fewer machines")


class Malformed(LanError, ValueError):
    """A frame is cut short, or contradicts itself."""

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason
        super().__init__(f"malformed {what}: {reason}")
