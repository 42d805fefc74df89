"""An nkey: the Ed25519 key by which NATS knows a user. The broker is told the public half only.

The encoding is that of NATS: base32 of one prefix byte (two for a seed), the key, and a CRC-16, little end first.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from pathlib import Path
from typing import Self

from midflight.transports.tls import unusable

_USER = 20 << 3
"""Encoded, a user's public key begins with U."""

_SEED = bytes([18 << 3 | _USER >> 5, (_USER & 0b11111) << 3])
"""Encoded, a user's seed begins with SU."""

_SEED_TEXT = re.compile(r"\bSU[A-Z2-7]{56}\b")


class Nkey:
    """The key of one user, made from its seed. Needs the package cryptography: ``midflight[nkey]``."""

    def __init__(self, seed: str) -> None:
        # An extra, which most members do not need.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(_decoded(seed, _SEED))

    @property
    def public(self) -> str:
        """What the broker knows the user by."""
        return _encoded(bytes([_USER]), self._key.public_key().public_bytes_raw())

    def sign(self, nonce: str) -> bytes:
        """The proof, in base64, that we have the key."""
        return base64.b64encode(self._key.sign(nonce.encode()))

    @classmethod
    def read(cls, file: str) -> Self:
        """From a file with a seed in it, alone or framed as in a file of credentials. Raises ConfigError."""
        try:
            seed = _SEED_TEXT.search(Path(file).read_text())
            if seed is None:
                raise ValueError
            return cls(seed[0])
        except OSError as wrong:
            raise unusable("nkey", f"{file} cannot be read: {wrong.strerror}") from None
        except ValueError:
            raise unusable("nkey", f"{file} cannot be used: expected the seed of a user's nkey, SU…") from None
        except ImportError:
            raise unusable("nkey", "needs one more package: pip install 'midflight[nkey]'") from None


def new_seed() -> str:
    """The seed of a new user: a secret."""
    return _encoded(_SEED, secrets.token_bytes(32))


def public_of(seed: str) -> str:
    """What the broker knows the user of a seed by. Raises ConfigError where a package is missing for it."""
    try:
        return Nkey(seed).public
    except ImportError:
        raise unusable("nkey", "needs one more package: pip install 'midflight[nkey]'") from None


def _encoded(prefix: bytes, key: bytes) -> str:
    checked = prefix + key
    crc = binascii.crc_hqx(checked, 0).to_bytes(2, "little")
    return base64.b32encode(checked + crc).decode().rstrip("=")


def _decoded(text: str, prefix: bytes) -> bytes:
    """The key in it. Raises ValueError where a character is wrong."""
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    key = raw[len(prefix) : -2]
    if _encoded(prefix, key) != text:
        raise ValueError
    return key
