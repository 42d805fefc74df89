"""What everything of one project is called in a RabbitMQ broker.

The words of a name are joined by dots, which no project, topic or host may contain; so rights can be given by a prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from midflight.transports.base import Address, check_name


@dataclass(frozen=True)
class Names:
    """The queues and exchanges of a project, whose name is made of letters, digits, ``-`` and ``_``."""

    project: str

    def __post_init__(self) -> None:
        check_name("project name", self.project)

    def call(self, address: Address) -> str:
        """The queue from which calls to this address are taken; it is there as long as somebody listens."""
        return self._named("call", *_words(address))

    def cast(self, address: Address) -> str:
        """The queue in which casts to this address wait."""
        return self._named("cast", *_words(address))

    def fanout(self, topic: str) -> str:
        """The exchange that tells everyone of a topic."""
        return self._named("all", topic)

    def later(self, milliseconds: int) -> str:
        """The exchange, and the queue, in which a cast waits for so long before it comes again."""
        return self._named("later", str(milliseconds))

    @property
    def parked(self) -> str:
        """The queue in which parked messages lie."""
        return self._named("parked")

    @property
    def parked_reader(self) -> str:
        """The queue that its one owner declares while it reads the parked messages, to be alone with them."""
        return self._named("parked", "reader")

    def own(self, member: str, token: str) -> str:
        """A queue that one connection of one member has for itself."""
        return self._named("own", re.sub("[^A-Za-z0-9_-]", "-", member)[:100], token)

    def _named(self, *words: str) -> str:
        return ".".join(("mf", self.project, *words))


def _words(address: Address) -> list[str]:
    return [address.topic, address.host] if address.host else [address.topic]
