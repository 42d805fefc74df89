"""Who asks, and what this process can reach: the context that goes with every piece of work.

A context is sticky: an object keeps the one it was loaded with. It owns the ports through which the floors below the
conductor reach what lies above them without importing it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from midflight.errors import NoDatabaseHere, NotDelivered
from midflight.versions import Manifest


@dataclass(frozen=True, slots=True)
class Caller:
    """The member that sent a message, as its envelope says."""

    service: str
    host: str
    release: str
    member: str
    pin_epoch: int
    manifest: Manifest | None = None

    def __str__(self) -> str:
        return f"{self.service}@{self.host} ({self.release})"


class Conductor(Protocol):
    """The port through which a remotable reaches the database when it is not here."""

    async def run(self, target: Any, method: str, context: Context, arguments: Mapping[str, Any]) -> Any:
        """Run ``target.method(**arguments)`` where the database is.

        ``target`` is a versioned object, or the class for a class method; an object has the changes of the
        remote run applied to it. Returns what the method returned; raises what it raised.
        """
        ...


class Messenger(Protocol):
    """The port through which a client sends. Implemented by ``rpc.client``."""

    async def call(
        self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any], timeout: float | None
    ) -> Any: ...
    async def cast(self, endpoint: Any, host: str | None, context: Context, arguments: Mapping[str, Any]) -> None: ...
    async def fanout(self, endpoint: Any, context: Context, arguments: Mapping[str, Any]) -> None: ...
    def supports(self, endpoint: Any, parameter: str | None, host: str | None) -> bool: ...


class Database(Protocol):
    """The port to the rows, implemented by ``db.engine.Database``, which says what its methods promise."""

    async def read(self, work: Any, /, *args: Any) -> Any: ...
    async def write(self, work: Any, /, *args: Any) -> Any: ...
    def form(self, name: str) -> Any: ...
    def store_manifest(self, since: str | None = None) -> Manifest | None: ...


@dataclass(frozen=True)
class Context:
    """What goes with every piece of work. ``values`` (project, user, …) travel with each message; the ports do not."""

    values: Mapping[str, str] = field(default_factory=dict)
    request_id: str = field(default_factory=lambda: f"req-{secrets.token_hex(8)}")
    caller: Caller | None = None
    service: str = "none"
    conductor: Conductor | None = field(default=None, repr=False, compare=False)
    messenger: Messenger | None = field(default=None, repr=False, compare=False)
    database: Database | None = field(default=None, repr=False, compare=False)
    deadline: float | None = field(default=None, repr=False, compare=False)
    """When whoever asked for this work stops waiting, in seconds of time.monotonic(); None for a cast. No call that is
    made for it waits longer. It travels as the seconds that are left."""
    trace: Mapping[str, str] | None = field(default=None, repr=False, compare=False)
    """The trace that this work is part of, as W3C says it (``traceparent``, …); None for none. It travels."""

    @property
    def db(self) -> Database:
        """The database of this process. Raises NoDatabaseHere outside remotables and ``database=True`` services."""
        if self.database is None:
            raise NoDatabaseHere(service=self.service)
        return self.database

    async def supports(self, endpoint: Any, parameter: str | None = None, *, host: str | None = None) -> bool:
        """Whether an endpoint, with one of its parameters, can be said as this process obeys its pins now: to any
        member of its topic, or to the one on a host. What is said while it changes may be PinnedOut all the same.

        ``await context.supports(ComputeAPI.reboot, "hard", host=instance.host)``. Raises UsageError for a parameter
        that the endpoint does not have, and NotDelivered where there is nothing to send with.
        """
        if self.messenger is None:
            what = getattr(endpoint, "__qualname__", repr(endpoint))
            raise NotDelivered(what=what, reason="this context has no messenger, and so no pins")
        return self.messenger.supports(endpoint, parameter, host)

    def with_values(self, **values: str) -> Self:
        """The same context with more values."""
        return replace(self, values={**self.values, **values})
