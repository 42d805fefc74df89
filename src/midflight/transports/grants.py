"""What one member may do at a broker, whichever broker that is."""

from __future__ import annotations

from dataclasses import dataclass

from midflight.transports.base import Identity

MEMBER = "member"
"""The topic at which every member listens under its own id, which begins with its service and host."""


@dataclass(frozen=True)
class Grant:
    """The rights of one member. What is not here is denied. Each field but the first holds topics, or services."""

    identity: Identity
    serves: tuple[str, ...] = ()
    """Takes work of these topics: what is sent to any member of them, to its own host, and to all."""
    calls: tuple[str, ...] = ()
    """Sends calls and casts to any member of these topics, and to each host."""
    tells: tuple[str, ...] = ()
    """Sends to all members of these topics at once."""
    peers: tuple[str, ...] = ()
    """Answers these services, and tells their members what became of their casts."""
    is_member: bool = True
    """Joins the fleet: it listens under its own id."""
    keeps: bool = False
    """Makes what is kept at the broker, for everyone."""
    replays: tuple[str, ...] = ()
    """Has parked messages of these topics sent again, and lets them go."""
