"""Where everything of one project lies in a NATS broker.

A subject ends with the service and the host of who publishes to it. So the broker, which knows who may publish where,
proves to everyone who listens who sent a message. Words that stand in the place of a host begin with ``@``, which no
topic or host may contain.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from midflight.transports.base import Address, Identity, check_name, identity_of

ANYONE = "@any"
"""In the place of a host: any member of a topic."""

FROM_ALL = "*.*"
"""In the place of a sender: whoever sends, for who listens."""

WORKERS = "workers"
"""The queue group of those who share a topic, or a host of it."""


@dataclass(frozen=True)
class Subjects:
    """The subjects and streams of a project, whose name is made of letters, digits, ``-`` and ``_``."""

    project: str

    def __post_init__(self) -> None:
        check_name("project name", self.project)

    @property
    def inboxes(self) -> str:
        """What all subjects begin with on which a member, and nobody else, hears what is said to it."""
        return f"_INBOX.{self.project}"

    def inbox(self, identity: Identity) -> str:
        """The same of this member."""
        return f"{self.inboxes}.{identity.service}.{identity.host}"

    @property
    def casts(self) -> str:
        """The stream in which casts wait."""
        return f"MF_{self.project}"

    @property
    def parked(self) -> str:
        """The stream in which parked messages lie."""
        return f"MF_{self.project}_PARKED"

    @property
    def bodies(self) -> str:
        """The stream in which the parts of large bodies lie."""
        return f"MF_{self.project}_BODIES"

    def of_streams(self) -> dict[str, str]:
        """What each stream takes in."""
        return {
            self.casts: f"mfc.{self.project}.>",
            self.parked: f"mfp.{self.project}.>",
            self.bodies: f"mfb.{self.project}.>",
        }

    def call(self, address: Address, sender: Identity | None) -> str:
        """Where calls to this address go from a sender, or are taken from all."""
        return f"mf.{self.project}.call.{_words(address)}.{_from(sender)}"

    def fanout(self, topic: str, sender: Identity | None) -> str:
        """Where a sender tells everyone of a topic, or everyone listens."""
        return f"mf.{self.project}.all.{topic}.{_from(sender)}"

    def cast(self, address: Address, sender: Identity | None) -> str:
        """Where casts to this address wait, from a sender or from all."""
        return f"mfc.{self.project}.{_words(address)}.{_from(sender)}"

    def park(self, address: Address, message_id: str) -> str:
        """Where the cast of this id to this address is parked; an id may be of any characters."""
        return f"mfp.{self.project}.{_words(address)}.{hashlib.sha256(message_id.encode()).hexdigest()[:32]}"

    def parked_at(self, address: Address | None) -> str:
        """Where all are parked that are to this address, or to any."""
        return f"mfp.{self.project}.{_words(address)}.*" if address else f"mfp.{self.project}.*.*.>"

    def bodies_of(self, address: Address) -> str:
        """What the subjects of all bodies begin with that belong to messages to this address."""
        return f"mfb.{self.project}.{_words(address)}"

    def body(self, address: Address, name: str) -> str:
        """Where the parts of a body lie, each under its number behind this."""
        return f"{self.bodies_of(address)}.{name}"


def _words(address: Address) -> str:
    return f"{address.topic}.{address.host or ANYONE}"


def _from(sender: Identity | None) -> str:
    return f"{sender.service}.{sender.host}" if sender else FROM_ALL


@lru_cache(maxsize=10_000)  # a fleet's members call again and again
def sender_in(subject: str) -> Identity | None:
    """Who has published to a subject that ends with its sender; None where it does not."""
    *_, service, host = subject.rsplit(".", 2)
    return identity_of(service, host)


def address_in(subject: str) -> Address:
    """The address of a subject that ``park`` has made."""
    # A host may be of several words.
    _, _, topic, *words, _ = subject.split(".")
    host = ".".join(words)
    return Address(topic, None if host == ANYONE else host)


def last_word(subject: str) -> str:
    """What stands behind the last dot."""
    return subject.rpartition(".")[2]
