"""Who may ask for what: by the identity that the broker proves, and not by what a message says of its sender.

A *role* is the name of a service; or ``operator`` and ``guest``, who are no members. A service that opens the database
runs remotables in place, so it has the conductor's role too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from midflight.errors import NotAllowed
from midflight.rpc.messages import Request
from midflight.transports.base import Address, Identity, ParkedMessage

CONDUCTOR, OPERATOR, GUEST = "conductor", "operator", "guest"
"""The roles that are there in every project."""


class Roles:
    """The roles of one project, of which the services ``with_database`` have the conductor's too."""

    def __init__(self, services: Iterable[str] = (), with_database: Collection[str] = ()) -> None:
        self.names = tuple(dict.fromkeys((CONDUCTOR, *services, OPERATOR, GUEST)))
        self._conductors = frozenset({CONDUCTOR, *with_database})

    def admit(self, allow: Collection[str] | None, service: str) -> bool:
        """Whether a service has one of these roles. None stands for all of them."""
        return allow is None or service in allow or (CONDUCTOR in allow and service in self._conductors)


def is_from(request: Request, sender: Identity) -> bool:
    """Whether a message says that it is from whom the broker proves."""
    return request.sender.host == sender.host and request.sender.service == sender.service


def check_sender(request: Request, sender: Identity) -> None:
    """Raises NotAllowed for a message that says it is from somebody else."""
    if not is_from(request, sender):
        said = request.sender
        reason = f"the message says that it is from {said.service}@{said.host}"
        raise NotAllowed(what=request.what, sender=str(sender), reason=reason)


def check_replay(request: Request, replayer: Identity, message: ParkedMessage, own: Identity) -> None:
    """Raises NotAllowed where it is nobody's to replay it but an operator's, and theirs who share what is parked."""
    shares = replayer == own if message.address.host else replayer.service == own.service
    if not shares and replayer.service != OPERATOR:
        raise NotAllowed(what=request.what, sender=str(replayer), reason="what is parked is replayed by an operator")


def forbidden(what: str, request: Request, address: Address) -> NotAllowed:
    """What the broker itself refuses to take from us."""
    sender = f"{request.sender.service}@{request.sender.host}"
    reason = f"the broker does not let it send to {address}: see midflight broker config"
    return NotAllowed(what=what, sender=sender, reason=reason)


def not_allowed(what: str, sender: object, allow: Collection[str]) -> NotAllowed:
    """Somebody whose roles are not among those that are allowed."""
    return NotAllowed(what=what, sender=str(sender), reason=f"that is for {' and '.join(sorted(allow))} alone")
