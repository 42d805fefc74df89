"""Manifests that peers have told us, by digest: a digest travels with each message, the text only once."""

from __future__ import annotations

from midflight.errors import MalformedMessage
from midflight.rpc.messages import Request
from midflight.versions import Manifest

_MOST = 1_000
"""More releases than a fleet ever mixes; beyond it the oldest is forgotten, and asked for again."""


class NeedManifest(Exception):
    """A call came with a digest that is not known here."""


class ManifestStore:
    """Shared by everything in one process that receives."""

    def __init__(self, own: Manifest) -> None:
        self._own, self._known = own, {own.digest: own}

    def of(self, request: Request) -> Manifest:
        """The manifest of a request's sender. Raises NeedManifest, and MalformedMessage for a text that is none."""
        if (known := self._known.get(request.manifest)) is not None:
            return known
        if request.manifest_text is None:
            raise NeedManifest
        manifest = _read(request.manifest_text, request)
        if len(self._known) >= _MOST:
            self._known.pop(next(digest for digest in self._known if digest != self._own.digest))
        self._known[manifest.digest] = manifest
        return manifest


def _read(text: dict[str, list[str]], request: Request) -> Manifest:
    try:
        manifest = Manifest.from_wire(text)
    except (ValueError, IndexError) as wrong:
        raise MalformedMessage(sender=str(request.sender), reason=f"its manifest: {wrong}") from None
    if manifest.digest != request.manifest:
        reason = f"its manifest has digest {manifest.digest}, but it is called {request.manifest}"
        raise MalformedMessage(sender=str(request.sender), reason=reason)
    return manifest
