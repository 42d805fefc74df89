"""What every request and answer has to pass: the Host, the origin of whoever acts, what a browser may load."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "font-src 'self'", "img-src 'self'",
        "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
"""Everything comes from here, and nothing that stands in a page runs, whoever wrote it there."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",   # with no-referrer, a form of our own would come from the origin null
}  # fmt: skip

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
"""This machine's own names for itself."""
SAFE = frozenset({"GET", "HEAD"})


class Guard:
    """Answers nobody who asks for another host, and lets nothing be done that another site has asked for.

    A page of another site can have its own name lead to this address (DNS rebinding), but then the Host is that name.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app, self._hosts = app, HERE | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope["method"], Headers(scope=scope))
        if refused is not None:
            await _with_headers(PlainTextResponse(*refused), scope, receive, send)
        else:
            await _with_headers(self._app, scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> tuple[str, int] | None:
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            known = ", ".join(sorted(self._hosts))
            said = (
                f"received Host {host!r}, expected one of {known}. Add a name to [console] hosts of midflight.toml.\n"
            )
            return said, 421
        if method in SAFE or "authorization" in headers or _same_origin(headers, host):
            return None
        return (
            f"received {method} from {headers.get('origin', 'no origin')!r}, expected it from a page of {host}.\n",
            403,
        )


def _name_of(host: str) -> str:
    """The host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_origin(headers: Headers, host: str) -> bool:
    """A browser says with each form where it comes from. Who says nothing is no browser, and has no business here."""
    _, separator, netloc = headers.get("origin", "").lower().partition("://")
    return bool(separator) and netloc == host.lower()


async def _with_headers(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    async def more(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    await app(scope, receive, more)
