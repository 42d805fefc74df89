"""How a RabbitMQ broker is reached, and who we are there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from midflight.config import Credentials, public_url
from midflight.errors import ConfigError
from midflight.telemetry import log
from midflight.transports.tls import show_certificate, tls_context, unusable


@dataclass(frozen=True)
class Access:
    """The servers of a broker, each a URL with our user and password, and what is shown and checked by TLS."""

    servers: tuple[str, ...]
    credentials: Credentials
    tls: ssl.SSLContext | None

    @classmethod
    def to(cls, url: str, credentials: Credentials) -> Self:
        """By a URL with commas between its servers. Raises ConfigError for credentials that cannot be used."""
        servers = tuple(url.split(","))
        if credentials.nkey:
            raise unusable("nkey", "is for NATS: over RabbitMQ, user and password stand in the broker's URL")
        if credentials.demand_tls and not all(server.startswith("amqps://") for server in servers):
            raise unusable("ca" if credentials.ca else "certificate", "makes sense over amqps:// only")
        return cls(servers, credentials, tls_context(credentials) if "amqps://" in url else None)

    @property
    def url(self) -> str:
        """For logs and errors."""
        return public_url(",".join(self.servers))

    @property
    def user(self) -> str:
        """Ours at the broker."""
        return unquote(urlsplit(self.servers[0]).username or "guest")

    def renew(self) -> None:
        """Read our certificate again, for the next connection; one that cannot be read now is used as it was."""
        try:
            if self.tls is not None:
                show_certificate(self.tls, self.credentials)
        except ConfigError as error:
            log.warning("transport.certificate_unreadable", broker=self.url, reason=error.reason)
