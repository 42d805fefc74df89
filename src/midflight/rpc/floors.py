"""Floors: the manifests under which a member sends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from midflight.versions import Manifest


class Floors(Protocol):
    """What to encode under, for each peer. Every manifest is already the lower of ours and the peer's."""

    @property
    def epoch(self) -> int:
        """The pin's epoch that this member has acknowledged; it goes into each envelope."""
        ...

    def manifest_for(self, topic: str, host: str | None) -> Manifest:
        """For any member of a topic, or for its member on one host."""
        ...

    def manifests_of(self, topic: str) -> Sequence[Manifest]:
        """The distinct manifests under which a fanout must be sent, so that each member who listens now reads one."""
        ...

    def audience(self, topic: str, manifest: Manifest) -> Collection[str]:
        """The digests of the *full* manifests of the members for which ``manifest``, one of manifests_of, is meant.

        A member takes a fanout when its own digest is among them. It is asked only where manifests_of has several: a
        fanout that is sent once is meant for everyone.
        """
        ...


class Unpinned:
    """Everyone is as new as we are: a fleet of one release."""

    epoch = 0

    def __init__(self, own: Manifest) -> None:
        self._own = own

    def manifest_for(self, topic: str, host: str | None) -> Manifest:
        """Ours."""
        return self._own

    def manifests_of(self, topic: str) -> Sequence[Manifest]:
        """Ours alone."""
        return (self._own,)

    def audience(self, topic: str, manifest: Manifest) -> Collection[str]:
        """Those who are as we are."""
        return (manifest.digest,)
