"""TLS for a connection to a broker, from the files that the configuration names."""

from __future__ import annotations

import ssl

from midflight.config import Credentials
from midflight.errors import ConfigError


def tls_context(credentials: Credentials) -> ssl.SSLContext:
    """What checks the broker, and shows it our certificate if we have one. Raises ConfigError for a file that is
    missing, or is not what it should be."""
    if credentials.key and not credentials.certificate:
        raise unusable("key", f"{credentials.key} belongs to a certificate: name that too")
    try:
        context = ssl.create_default_context(cafile=credentials.ca)
    except (OSError, ssl.SSLError) as wrong:
        raise unusable("ca", f"{credentials.ca} {_why(wrong, 'certificates in PEM')}") from None
    show_certificate(context, credentials)
    return context


def show_certificate(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Read our certificate from its files, which may have been renewed since. Raises ConfigError."""
    if not credentials.certificate:
        return
    try:
        # A password stops OpenSSL from asking for one at the terminal.
        context.load_cert_chain(credentials.certificate, credentials.key, password="")
    except (OSError, ssl.SSLError) as wrong:
        files = " and ".join(filter(None, (credentials.certificate, credentials.key)))
        reason = _why(wrong, "a certificate and its own key, in PEM and without a password")
        raise unusable("certificate", f"{files} {reason}") from None


def unusable(entry: str, reason: str) -> ConfigError:
    """The error of one of the credentials."""
    return ConfigError(path="configuration", where=f"[credentials] {entry}", reason=reason)


def _why(wrong: OSError, expected: str) -> str:
    if isinstance(wrong, ssl.SSLError) or not wrong.strerror:
        return f"cannot be used: expected {expected}"
    return f"cannot be read: {wrong.strerror}"
