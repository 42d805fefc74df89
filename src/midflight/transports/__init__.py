"""How bytes move: one port (``base``), one file per broker, and the embedded broker."""

from __future__ import annotations

from urllib.parse import urlsplit

from midflight.config import ANONYMOUS, Credentials, public_url
from midflight.errors import ConfigError
from midflight.transports.base import Transport
from midflight.transports.memory import MemoryTransport, bus_named
from midflight.transports.nats import NatsTransport


def connect(
    url: str, *, name: str, project: str, credentials: Credentials = ANONYMOUS, path: str = "configuration"
) -> Transport:
    """A transport for this URL, not yet opened: ``memory:NAME``, a bus that this process shares by name, or
    ``nats://HOST:PORT`` (``tls://…``; several, with commas between them, for a cluster).

    ``name`` is what the broker shows of this member; fleets of different projects do not meet. Raises ConfigError, also
    for ``credentials`` that cannot be used; ``path`` is where the URL stands.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "memory" and rest:
        return MemoryTransport(bus_named(rest, project))
    if scheme in ("nats", "tls") and rest.startswith("//") and all(map(_names_a_host, url.split(","))):
        return NatsTransport(url, name=name, project=project, credentials=credentials)
    reason = f"received {public_url(url)!r}, expected nats://HOST:PORT, or memory:NAME within one process"
    raise ConfigError(path=path, where="[midflight] broker", reason=reason)


def _names_a_host(server: str) -> bool:
    """Whether one server of a URL has a host, and a port that can be one."""
    try:
        parts = urlsplit(server if "//" in server else f"//{server}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
