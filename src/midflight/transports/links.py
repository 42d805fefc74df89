"""What lies between the members of a memory bus and the bus. Tests cut it, slow it down, and have it stutter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from midflight.transports.base import Identity


@dataclass
class Links:
    """The links of one bus; each is whole until somebody says otherwise of it.

    Who is ``cut`` off reaches nobody and is reached by nobody, like behind a broken network: calls to and from there
    find nobody, casts to there wait, and what is said about work in hand does not arrive. What goes to or comes from
    who is ``delayed`` takes so many seconds longer. To who is ``doubled``, each call and cast comes twice.
    """

    cut: set[Identity] = field(default_factory=set)
    delayed: dict[Identity, float] = field(default_factory=dict)
    doubled: set[Identity] = field(default_factory=set)

    def forget(self, end: Identity) -> None:
        """The link there is whole."""
        self.cut.discard(end)
        self.delayed.pop(end, None)
        self.doubled.discard(end)

    def holds(self, *ends: Identity) -> bool:
        """Whether none of them is cut off."""
        return self.cut.isdisjoint(ends)

    async def crossed(self, sender: Identity, receiver: Identity) -> None:
        """Return when a message that leaves now has arrived."""
        if self.delayed and (seconds := sum(self.delayed.get(end, 0) for end in {sender, receiver})):
            await asyncio.sleep(seconds)
