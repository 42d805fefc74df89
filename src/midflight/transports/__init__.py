"""How bytes move: one port (``base``), one file per broker, and the embedded broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from midflight.config import ANONYMOUS, Credentials, public_url
from midflight.errors import ConfigError
from midflight.transports.base import Identity, Transport
from midflight.transports.memory import MemoryTransport, bus_named


def connect(
    url: str,
    *,
    name: str,
    project: str,
    identity: Identity,
    credentials: Credentials = ANONYMOUS,
    path: str = "configuration",
) -> Transport:
    """A transport for this URL, not yet opened: ``memory:NAME``, a bus that this process shares by name;
    ``nats://HOST:PORT`` (``tls://…``); or ``amqp://USER:PASSWORD@HOST:PORT/VHOST`` (``amqps://…``).
    Several servers of a cluster have commas between them.

    ``name`` is what the broker shows of this process, and ``identity`` who it is to the broker and to those who get its
    messages; fleets of different projects do not meet. Raises ConfigError, also for ``credentials`` that cannot be
    used; ``path`` is where the URL stands.
    """
    options: dict[str, Any] = {"name": name, "project": project, "identity": identity, "credentials": credentials}
    scheme, _, rest = url.partition(":")
    if scheme == "memory" and rest:
        return MemoryTransport(bus_named(rest, project), identity=identity)
    if scheme in ("nats", "tls") and rest.startswith("//") and all(map(_names_a_host, url.split(","))):
        return _nats_transport(path)(url, **options)
    if scheme in ("amqp", "amqps") and all(map(_is_amqp, url.split(","))):
        return _amqp_transport(path)(url, **options)
    expected = "nats://HOST:PORT, amqp://USER:PASSWORD@HOST:PORT/VHOST, or memory:NAME within one process"
    raise _mistake(path, f"received {public_url(url)!r}, expected {expected}")


def _nats_transport(path: str) -> Callable[..., Transport]:
    """Imported where it is asked for: what it stands on is an extra."""
    try:
        from midflight.transports.nats import NatsTransport
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "nats":
            raise
        raise _mistake(path, "for NATS a package is missing: pip install 'midflight[nats]'") from None
    return NatsTransport


def _amqp_transport(path: str) -> Callable[..., Transport]:
    """Likewise."""
    try:
        from midflight.transports.amqp import AmqpTransport
    except ModuleNotFoundError as missing:
        if missing.name != "aiormq":
            raise
        raise _mistake(path, "for RabbitMQ a package is missing: pip install 'midflight[amqp]'") from None
    return AmqpTransport


def _mistake(path: str, reason: str) -> ConfigError:
    return ConfigError(path=path, where="[midflight] broker", reason=reason)


def _is_amqp(server: str) -> bool:
    return server.startswith(("amqp://", "amqps://")) and _names_a_host(server)


def _names_a_host(server: str) -> bool:
    """Whether one server of a URL has a host, and a port that can be one."""
    try:
        parts = urlsplit(server if "//" in server else f"//{server}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
