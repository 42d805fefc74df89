"""Members as the others see them: what is to be known of each, and who counts."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from midflight.conductor.interface import State

ASIDE = State.RETIRED, State.ASLEEP, State.OUTDATED
"""Members that nobody has to get along with now."""


class Peer(Protocol):
    """What others must know of a member: a Member, or a Present."""

    @property
    def id(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def manifest(self) -> str: ...
    @property
    def topics(self) -> list[str]: ...
    @property
    def state(self) -> str: ...


class Present(NamedTuple):
    """A Peer, and no more."""

    id: str
    service: str
    host: str
    manifest: str
    topics: list[str]
    state: str


Kind = tuple[str, str, str]
"""A service, a manifest, and the topics on which it takes work, as JSON: of many members there are few kinds."""
