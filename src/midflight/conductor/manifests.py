"""The rows of manifests: what members and pins mean by a digest."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, insert, select

from midflight.db.tables import manifests
from midflight.versions import Manifest

Wire = dict[str, list[str]]

_decoder = msgspec.json.Decoder(Wire)


def keep(connection: Connection, manifest: Manifest) -> str:
    """Write a manifest down, once, and return its digest."""
    known = connection.execute(select(manifests.c.digest).where(manifests.c.digest == manifest.digest))
    if known.scalar_one_or_none() is None:
        text = msgspec.json.encode(manifest.to_wire()).decode()
        connection.execute(insert(manifests).values(digest=manifest.digest, text=text))
    return manifest.digest


def find(connection: Connection, digests: Iterable[str]) -> dict[str, Manifest]:
    """The manifests that these digests stand for, as far as they are known."""
    wanted = select(manifests.c.digest, manifests.c.text).where(manifests.c.digest.in_(sorted(set(digests))))
    return {digest: Manifest.from_wire(_decoder.decode(text)) for digest, text in connection.execute(wanted)}
