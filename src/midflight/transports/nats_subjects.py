"""Where everything of one project lies in a NATS broker.

Words that stand in the place of a topic or a host begin with ``@``, which no topic or host may contain.
"""

from __future__ import annotations

from dataclasses import dataclass

from midflight.transports.base import Address, check_name

ANYONE = "@any"
EVERYONE = "@all"

WORKERS = "workers"
"""The queue group of those who share a topic."""


@dataclass(frozen=True)
class Subjects:
    """The subjects and streams of a project, whose name is made of letters, digits, ``-`` and ``_``."""

    project: str

    def __post_init__(self) -> None:
        check_name("project name", self.project)

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

    def call(self, address: Address) -> str:
        """Where calls to this address are taken."""
        return f"mf.{self.project}.{address.topic}" + (f".{address.host}" if address.host else "")

    def fanout(self, topic: str) -> str:
        """Where everyone of a topic listens."""
        return f"mf.{self.project}.{EVERYONE}.{topic}"

    def cast(self, address: Address) -> str:
        """Where casts to this address wait."""
        return f"mfc.{self.project}.{address.topic}.{address.host or ANYONE}"

    def park(self, address: Address) -> str:
        """Where casts to this address are parked."""
        return f"mfp.{self.project}.{address.topic}.{address.host or ANYONE}"

    def bodies_of(self, address: Address) -> str:
        """What the subjects of all bodies begin with that belong to messages to this address."""
        return f"mfb.{self.project}.{address.topic}.{address.host or ANYONE}"

    def body(self, address: Address, name: str) -> str:
        """Where the parts of a body lie, each under its number behind this."""
        return f"{self.bodies_of(address)}.{name}"


def address_in(subject: str) -> Address:
    """The address of a subject that ``cast`` or ``park`` has made."""
    *_, topic, host = subject.split(".")
    return Address(topic, None if host == ANYONE else host)


def last_word(subject: str) -> str:
    """What stands behind the last dot."""
    return subject.rpartition(".")[2]
