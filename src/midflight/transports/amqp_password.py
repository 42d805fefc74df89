"""A password by which RabbitMQ knows a user, and its hash, which is all that the broker needs to be told."""

from __future__ import annotations

import base64
import hashlib
import secrets


def new_password() -> str:
    """A password that can stand in a URL as it is."""
    return secrets.token_urlsafe(24)


def hashed(password: str) -> str:
    """RabbitMQ's own form (rabbit_password_hashing_sha256): base64 of four bytes of salt, and of the SHA-256 of salt
    and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
