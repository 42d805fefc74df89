"""What everything of one project is called in a RabbitMQ broker.

The words of a name are joined by dots, which no project, topic or host may contain; so rights can be given by a prefix.
A queue is bound by its name to one exchange for all, since RabbitMQ cannot say of its default exchange who may send to
which queue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from midflight.transports.base import Address, Identity, check_name


@dataclass(frozen=True)
class Names:
    """The queues and exchanges of a project, whose name is made of letters, digits, ``-`` and ``_``."""

    project: str

    def __post_init__(self) -> None:
        check_name("project name", self.project)

    @property
    def exchange(self) -> str:
        """Where everything is sent that goes to one queue, by the queue's name."""
        return f"mf.{self.project}"

    def call(self, address: Address) -> str:
        """The queue from which calls to this address are taken; it is there as long as somebody listens."""
        return self._named("call", *_words(address))

    def cast(self, address: Address) -> str:
        """The queue in which casts to this address wait."""
        return self._named("cast", *_words(address))

    def fanout(self, topic: str) -> str:
        """The exchange that tells everyone of a topic."""
        return self._named("all", topic)

    @property
    def delays(self) -> str:
        """Where a cast is sent that shall come again later, by ``delayed``."""
        return self._named("later")

    def later(self, milliseconds: int) -> str:
        """The queue in which a cast waits for so long before it comes again."""
        return self._named("later", str(milliseconds))

    def parked(self, address: Address) -> str:
        """The queue in which the parked messages of this address lie."""
        return self._named("parked", *_words(address))

    @property
    def places(self) -> str:
        """The queue in which is noted at which addresses something was parked: a broker lists no queues."""
        return self._named("places")

    def reader(self, queue: str) -> str:
        """The queue that its one owner declares while it reads this one, to be alone with what lies there."""
        return queue.replace(self._named(), self._named("reader"), 1)

    def owned_by(self, identity: Identity) -> str:
        """What the names of all queues begin with that only this member uses."""
        return self._named("own", identity.service, identity.host, "")

    def own(self, identity: Identity, member: str, token: str) -> str:
        """A queue that one connection of one member has for itself."""
        return self.owned_by(identity) + re.sub("[^A-Za-z0-9_-]", "-", member)[:100] + "." + token

    def _named(self, *words: str) -> str:
        return ".".join(("mf", self.project, *words))


def delayed(key: str, milliseconds: int) -> str:
    """The key under which a message goes to a queue after so long."""
    return f"{milliseconds}.{key}"


def undelayed(key: str) -> str:
    """The key of the queue to which a message goes, or has come, also after a delay."""
    first, _, rest = key.partition(".")
    return rest if first.isdigit() else key


def _words(address: Address) -> list[str]:
    return [address.topic, address.host] if address.host else [address.topic]
