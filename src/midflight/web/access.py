"""Who somebody is, and what they may do: by a token, by the cookie that it was changed into, or by a proxy's word."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from starlette.requests import HTTPConnection

from midflight.config import Config, ConsoleSettings, Proxy, Token
from midflight.errors import ConfigError, NotSignedIn

Role = Literal["viewer", "operator"]

SESSION_SECONDS = 12 * 3600
"""How long a cookie is good. It is worth nothing without its token, which may end earlier."""
KEY_FILE = "console.key"


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks. ``ambient`` is what their browser sends by itself, and so another site could make it send."""

    name: str
    role: Role
    ambient: bool = False

    @property
    def may_act(self) -> bool:
        """Whether they may act."""
        return self.role == "operator"


ANYONE = Viewer("", "viewer")
"""Whoever reaches a console at which nobody can sign in."""


def secret_digest(secret: str) -> str:
    """What the configuration holds of a token's secret: that is long and random, so its digest gives nothing away."""
    return hashlib.sha256(secret.encode()).hexdigest()


def session_key(config: Config) -> bytes:
    """The key under which this host's cookies are signed, from the state folder; made at the first start."""
    path = config.state_dir / KEY_FILE
    try:
        if not path.exists():
            _write_key(path)
        return path.read_bytes()
    except OSError as wrong:
        reason = f"the key of the console's sessions cannot be kept in {path}: {wrong.strerror}"
        raise ConfigError(path=config.path, where="[midflight] state", reason=reason) from None


def _write_key(path: Path) -> None:
    """Whole or not at all, and for nobody else's eyes. Who starts at the same moment, maybe with the same process id in
    a container of its own, has a draft of its own; the first one's key is everybody's."""
    number, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        os.unlink(draft)


class Access:
    """Decides on each request anew: a token that is taken out of the configuration ends with the next start."""

    def __init__(self, settings: ConsoleSettings, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._tokens, self._proxy = settings.tokens, settings.proxy
        self._key, self._clock = key, clock
        self.cookie = f"midflight-{hashlib.sha256(key).hexdigest()[:8]}"
        """The cookie's name, which differs from that of another console on the same host: cookies know no ports."""

    @property
    def open(self) -> bool:
        """Whether nobody can sign in: then everybody may look, and nobody may act."""
        return not self._tokens and self._proxy is None

    @property
    def has_tokens(self) -> bool:
        """Whether there is something to sign in with."""
        return bool(self._tokens)

    def viewer(self, connection: HTTPConnection) -> Viewer:
        """Who asks. Raises NotSignedIn, which says why somebody is not believed."""
        if self.open:
            return ANYONE
        if header := connection.headers.get("authorization"):
            return self._bearer(header)
        if self._proxy is not None and self._proxy.user in connection.headers:
            return self._forwarded(self._proxy, connection)
        if cookie := connection.cookies.get(self.cookie):
            return self._session(cookie)
        raise NotSignedIn(reason="nobody is signed in here: sign in with a token")

    def sign_in(self, secret: str) -> str:
        """The cookie for a token's secret. Raises NotSignedIn."""
        token = self._by_secret(secret)
        message = f"{token.name}|{token.sha256[:16]}|{int(self._clock())}|{secrets.token_hex(8)}"
        return f"{base64.urlsafe_b64encode(message.encode()).decode()}.{self._signed('session', message)}"

    def form_key(self, viewer: Viewer, cookie: str | None) -> str:
        """What a form of ours carries, and a form of somebody else's cannot know."""
        return self._signed("form", f"{viewer.name}|{viewer.role}|{cookie or ''}")

    def check_form(self, viewer: Viewer, cookie: str | None, sent: str) -> bool:
        """Whether a form is one that this viewer was given. Who proves who they are with each request needs none."""
        return not viewer.ambient or hmac.compare_digest(sent.encode(), self.form_key(viewer, cookie).encode())

    def _bearer(self, header: str) -> Viewer:
        kind, _, secret = header.partition(" ")
        if kind.lower() != "bearer":
            raise NotSignedIn(reason=f"received an Authorization of kind {kind!r}, expected Bearer and a token")
        token = self._by_secret(secret.strip())
        return Viewer(token.name, token.role)

    def _by_secret(self, secret: str) -> Token:
        digest = secret_digest(secret)
        for token in self._tokens:
            if hmac.compare_digest(token.sha256, digest):
                return self._living(token)
        raise NotSignedIn(reason="this token is not known here")

    def _living(self, token: Token) -> Token:
        if datetime.fromtimestamp(self._clock(), UTC).date() > token.expires:
            raise NotSignedIn(reason=f"the token of {token.name} expired on {token.expires}: ask for a new one")
        return token

    def _session(self, cookie: str) -> Viewer:
        body, _, mark = cookie.partition(".")
        try:
            message = base64.urlsafe_b64decode(body.encode()).decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise NotSignedIn(reason="the session's cookie is none of ours: sign in again") from None
        if not hmac.compare_digest(mark.encode(), self._signed("session", message).encode()):
            raise NotSignedIn(reason="the session's cookie is none of ours: sign in again")
        name, digest, at, _ = message.rsplit("|", 3)
        if self._clock() - int(at) > SESSION_SECONDS:
            raise NotSignedIn(reason="the session is over: sign in again")
        for token in self._tokens:
            if token.name == name and token.sha256.startswith(digest):
                return Viewer(name, self._living(token).role, ambient=True)
        raise NotSignedIn(reason=f"the token of {name} was taken away")

    def _forwarded(self, proxy: Proxy, connection: HTTPConnection) -> Viewer:
        peer = connection.client.host if connection.client else "nowhere"
        if peer not in proxy.addresses:
            reason = f"received {proxy.user} from {peer}, which is not the proxy that may say who somebody is"
            raise NotSignedIn(reason=reason)
        name = connection.headers[proxy.user]
        groups = {group.strip() for group in connection.headers.get(proxy.groups, "").split(",")}
        if groups.intersection(proxy.operators):
            return Viewer(name, "operator", ambient=True)
        if groups.intersection(proxy.viewers):
            return Viewer(name, "viewer", ambient=True)
        raise NotSignedIn(reason=f"{name} is in no group that may look here")

    def _signed(self, purpose: str, message: str) -> str:
        return hmac.new(self._key, f"{purpose}|{message}".encode(), hashlib.sha256).hexdigest()
