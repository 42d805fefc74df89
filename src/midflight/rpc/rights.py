"""Who may ask for what: by the identity that the broker proves, and not by what a message says of its sender."""

from __future__ import annotations

from midflight.errors import NotAllowed
from midflight.rpc.messages import Request
from midflight.transports.base import Identity


def check_sender(request: Request, sender: Identity) -> None:
    """Raises NotAllowed for a message that says it is from somebody else."""
    said = request.sender
    if said.host != sender.host or said.service != sender.service:
        reason = f"the message says that it is from {said.service}@{said.host}"
        raise NotAllowed(what=request.what, sender=str(sender), reason=reason)
