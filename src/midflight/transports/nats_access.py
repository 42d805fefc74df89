"""How a NATS broker is reached, and who we are there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from midflight.config import Credentials, public_url
from midflight.errors import ConfigError
from midflight.telemetry import log
from midflight.transports.nkey import Nkey
from midflight.transports.tls import show_certificate, tls_context


@dataclass(frozen=True)
class Access:
    """How a broker is reached, and who we are there."""

    servers: tuple[str, ...]
    name: str
    credentials: Credentials
    tls: ssl.SSLContext | None
    nkey: Nkey | None

    @classmethod
    def to(cls, url: str, name: str, credentials: Credentials) -> Self:
        """By a URL with commas between its servers. Raises ConfigError for credentials that cannot be used."""
        tls = tls_context(credentials) if credentials.demand_tls or "tls://" in url else None
        return cls(
            tuple(url.split(",")), name, credentials, tls, Nkey.read(credentials.nkey) if credentials.nkey else None
        )

    @property
    def url(self) -> str:
        """For logs and errors."""
        return public_url(",".join(self.servers))

    def login(self) -> tuple[str | None, str | None, str | None]:
        """User and password, or a token, from the URL; for every server, since the library knows none for those of
        which it hears later."""
        for server in self.servers:
            parts = urlsplit(server if "//" in server else f"//{server}")
            if parts.username and parts.password is not None:
                return unquote(parts.username), unquote(parts.password), None
            if parts.username:
                return None, None, unquote(parts.username)
        return None, None, None

    def renew(self) -> None:
        """Read our certificate again, for the next connection; one that cannot be read now is used as it was."""
        try:
            if self.tls is not None:
                show_certificate(self.tls, self.credentials)
        except ConfigError as error:
            log.warning("transport.certificate_unreadable", broker=self.url, reason=error.reason)
