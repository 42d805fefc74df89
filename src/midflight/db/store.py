"""Under which manifest objects are written: in versions that everybody understands who may still have to read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from midflight.versions import Manifest, Place, Release, places

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OPTION = "store"


class Store:
    """The readers of what a process writes: the frozen releases from ``floor`` in the project's history on.

    ``own`` is what the process understands itself. Without a floor it is its only reader.
    """

    def __init__(
        self, own: Manifest | None = None, releases: Iterable[Release] = (), floor: Place | None = None
    ) -> None:
        self._own, self._floor = own, floor
        self._releases = tuple(releases)
        self._places = places(self._releases)
        self._manifests: dict[str | None, Manifest | None] = {}

    def manifest(self, since: str | None = None) -> Manifest | None:
        """What to write under: the store floor's manifest. None where it is our own.

        With ``since``, for what no release before that one reads: the later of the two. An object that the oldest
        reader has never heard of is written for the oldest that has.
        """
        if since not in self._manifests:
            self._manifests[since] = self._lowest(since)
        return self._manifests[since]

    def _lowest(self, since: str | None) -> Manifest | None:
        first = self._first(since)
        if self._own is None or first is None:
            return None
        versions = dict(self._own)
        readers = [release for release in self._releases if self._places[release.name] >= first]
        for release in sorted(readers, key=lambda release: self._places[release.name], reverse=True):
            versions.update(release.manifest)
        return Manifest(versions)

    def _first(self, since: str | None) -> Place | None:
        if self._floor is None or since is None:
            return self._floor
        return max(self._floor, self._places[since]) if since in self._places else None


OWN = Store()
"""Nobody reads what is written but the writer's own release."""


def options(store: Store) -> dict[str, Store]:
    """What a transaction is begun with, so that all of it writes for the same readers."""
    return {_OPTION: store}


def store_of(connection: Connection) -> Store:
    """The readers of what is written in this transaction."""
    found = connection.get_execution_options().get(_OPTION, OWN)
    assert isinstance(found, Store)
    return found
