"""Who may look and who may act; and which requests are answered at all. Asked without a browser."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from midflight.config import Config, ConsoleSettings, Proxy, Token
from midflight.console.site import console
from midflight.console.sources import FLEET
from midflight.errors import ConfigError, NotSignedIn
from midflight.web.access import SESSION_SECONDS, Access, secret_digest, session_key
from midflight.web.app import App
from midflight.web.gatherer import Gatherer
from midflight.web.guard import POLICY
from tests.console.desk import KEY, Conductors
from tests.upgrade.fleets import KILO, cloud

READ_ONLY = ConsoleSettings()
FAR = date(2999, 1, 1)
ANN = Token(name="ann", role="operator", sha256=secret_digest("ann's secret"), expires=FAR)
BOB = Token(name="bob", role="viewer", sha256=secret_digest("bob's secret"), expires=FAR)
OLD = Token(name="old", role="operator", sha256=secret_digest("old secret"), expires=date(2020, 1, 1))
TOKENS = ConsoleSettings(tokens=[ANN, BOB, OLD])
PROXY = ConsoleSettings(proxy=Proxy(addresses=["10.0.0.5"], operators=["ops"], viewers=["staff"]))


@asynccontextmanager
async def client(
    settings: ConsoleSettings = READ_ONLY, peer: str = "10.0.0.9", **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at ``peer`` who asks a console at localhost that has not seen anything."""
    gatherer = Gatherer(lambda: _never(), FLEET)
    app = App(console("cloud", KILO), gatherer, Access(settings, KEY), ["console.example.org"]).app()
    transport = httpx.ASGITransport(app, client=(peer, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8700", headers=headers) as made:
        yield made


@asynccontextmanager
async def _never() -> AsyncIterator[Any]:
    yield Conductors(cloud())


def asked(**headers: str) -> HTTPConnection:
    """A request with these headers, from the proxy's address."""
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": lines, "client": ("10.0.0.5", 1)})


def refusal(access: Access, **headers: str) -> str:
    """Why somebody is not believed."""
    with pytest.raises(NotSignedIn) as wrong:
        access.viewer(asked(**headers))
    return str(wrong.value)


def test_without_logins_everybody_looks_and_nobody_acts() -> None:
    """Whatever somebody claims to be."""
    viewer = Access(ConsoleSettings(), KEY).viewer(asked(authorization="Bearer x", x_forwarded_user="root"))
    assert (viewer.name, viewer.may_act) == ("", False)


def test_a_token_says_who_somebody_is() -> None:
    """In the header, or as a cookie after signing in with it; each has its role."""
    access = Access(TOKENS, KEY)
    ann = access.viewer(asked(authorization="Bearer ann's secret"))
    assert (ann.name, ann.may_act, ann.ambient) == ("ann", True, False)
    bob = access.viewer(asked(cookie=f"{access.cookie}={access.sign_in('''bob's secret''')}"))
    assert (bob.name, bob.may_act, bob.ambient) == ("bob", False, True)


def test_what_is_missing_forged_or_expired_is_one_clear_answer_each() -> None:
    """Which of them it was, and never a traceback."""
    access = Access(TOKENS, KEY)
    cookie = access.sign_in("ann's secret")
    forged = Access(TOKENS, b"another key").sign_in("ann's secret")
    assert refusal(access) == "nobody is signed in here: sign in with a token."
    assert refusal(access, authorization="Bearer nonsense") == "this token is not known here."
    assert refusal(access, authorization="Bearer old secret") == (
        "the token of old expired on 2020-01-01: ask for a new one."
    )
    assert refusal(access, authorization="Basic YTpi") == (
        "received an Authorization of kind 'Basic', expected Bearer and a token."
    )
    for bad in (forged, cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), "x.y", "%%%", "é.é", "." * 9000):
        assert refusal(access, cookie=f"{access.cookie}={bad}") == (
            "the session's cookie is none of ours: sign in again."
        )


def test_a_session_ends_with_its_time_and_with_its_token() -> None:
    """Whichever comes first."""
    now = time.time()
    access = Access(TOKENS, KEY, lambda: now)
    cookie = {"cookie": f"{access.cookie}={access.sign_in('''ann's secret''')}"}
    later = Access(TOKENS, KEY, lambda: now + SESSION_SECONDS + 1)
    assert refusal(later, **cookie) == "the session is over: sign in again."
    gone = Access(ConsoleSettings(tokens=[BOB]), KEY, lambda: now)
    assert refusal(gone, **cookie) == "the token of ann was taken away."
    today = datetime.fromtimestamp(now, UTC).date()
    short = Token(name="ann", role="operator", sha256=ANN.sha256, expires=today - timedelta(days=1))
    assert "expired on" in refusal(Access(ConsoleSettings(tokens=[short]), KEY, lambda: now), **cookie)


def test_a_proxy_is_believed_at_its_own_address_only() -> None:
    """What it says of the groups of a user is their role."""
    access = Access(PROXY, KEY)
    ann = access.viewer(asked(x_forwarded_user="ann", x_forwarded_groups="staff, ops"))
    bob = access.viewer(asked(x_forwarded_user="bob", x_forwarded_groups="staff"))
    assert [(who.name, who.role, who.ambient) for who in (ann, bob)] == [
        ("ann", "operator", True),
        ("bob", "viewer", True),
    ]
    assert refusal(access, x_forwarded_user="eve") == "eve is in no group that may look here."
    stranger = HTTPConnection({"type": "http", "headers": [(b"x-forwarded-user", b"ann")], "client": ("10.0.0.6", 1)})
    with pytest.raises(NotSignedIn, match=r"received X-Forwarded-User from 10\.0\.0\.6, which is not the proxy"):
        access.viewer(stranger)


def test_a_form_is_good_for_whom_it_was_given() -> None:
    """For another viewer, or another session, it is none. Who sends a token with each request needs none."""
    access = Access(TOKENS, KEY)
    one, two = access.sign_in("ann's secret"), access.sign_in("ann's secret")
    ann = access.viewer(asked(cookie=f"{access.cookie}={one}"))
    bob = access.viewer(asked(cookie=f"{access.cookie}={access.sign_in('''bob's secret''')}"))
    form = access.form_key(ann, one)
    assert access.check_form(ann, one, form)
    assert [access.check_form(*other, form) for other in ((ann, two), (bob, one), (bob, None))] == [False] * 3
    assert [access.check_form(ann, one, bad) for bad in ("", "x", "é")] == [False] * 3
    assert access.check_form(access.viewer(asked(authorization="Bearer ann's secret")), None, "")


def test_the_key_of_the_sessions_outlives_a_restart(tmp_path: Path) -> None:
    """It lies in the state folder, for this account only."""
    (tmp_path / "midflight.toml").write_text('[midflight]\nproject = "a:b"\nbroker = "memory:a"\n')
    config = Config.load(tmp_path / "midflight.toml", {})
    key = session_key(config)
    assert (len(key), session_key(config)) == (32, key)
    assert [(path.name, path.stat().st_mode & 0o777) for path in config.state_dir.iterdir()] == [("console.key", 0o600)]


def test_consoles_that_start_at_once_have_drafts_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they have the same process id, in containers that share the folder; and one that cannot be kept leaves
    nothing behind."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    config = Config(project="a:b", broker="memory:a", path=str(tmp_path / "midflight.toml"))
    drafts: list[str] = []

    def refused(key: Path, draft: str) -> None:
        drafts.append(draft)
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"console\.key: Read-only file system"):
            session_key(config)
    assert len({*drafts}) == 2
    assert not [*config.state_dir.iterdir()]


def test_consoles_that_start_at_once_have_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds no key, and then that somebody else has written one, has that one too: a cookie is good at both."""
    config = Config(project="a:b", broker="memory:a", path=str(tmp_path / "midflight.toml"))
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert session_key(config) == session_key(config)
    assert [path.name for path in config.state_dir.iterdir()] == ["console.key"]


async def test_every_answer_has_the_policy() -> None:
    """Pages, files, refusals, and what is not there."""
    async with client() as web, client(Host="evil.example") as stranger:
        answers = [await web.get(path) for path in ("/", "/nothing", "/signin", "/static/x/y.js")]
        answers.append(await stranger.get("/upgrade"))
    assert [answer.status_code for answer in answers] == [307, 404, 404, 404, 421]
    assert {answer.headers["content-security-policy"] for answer in answers} == {POLICY}
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[", "127.0.0.1.nip.example:8700"])
async def test_another_host_s_name_is_refused(host: str) -> None:
    """A page elsewhere that has its own name lead here gets nothing."""
    async with client(Host=host) as web:
        answer = await web.get("/upgrade")
    assert answer.status_code == 421
    assert "expected one of 127.0.0.1, ::1, console.example.org, localhost" in answer.text


@pytest.mark.parametrize("host", ["localhost:8700", "127.0.0.1", "[::1]:8700", "console.example.org", "LOCALHOST"])
async def test_its_own_names_are_answered(host: str) -> None:
    """This machine's, and those of the configuration."""
    async with client(Host=host) as web:
        assert (await web.get("/")).status_code == 307


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9999", "http://[", ""])
async def test_what_another_site_sends_is_refused(origin: str) -> None:
    """Also from another port of this machine, and from who does not say where it comes from."""
    async with client(TOKENS, **{"Origin": origin} if origin else {}) as web:
        answer = await web.post("/signin", data={"token": "ann's secret"})
    assert (answer.status_code, answer.cookies) == (403, {})


async def test_signing_in_and_out() -> None:
    """The cookie is for this site only, and no script reads it; a wrong token is told on the same page."""
    async with client(TOKENS, Origin="http://localhost:8700") as web:
        assert (await web.get("/upgrade")).status_code == 401
        wrong = await web.post("/signin", data={"token": "<b>"})
        assert (wrong.status_code, "this token is not known here." in wrong.text) == (401, True)
        right = await web.post("/signin", data={"token": " ann's secret "})
        assert (right.status_code, right.headers["location"]) == (303, "/")
        assert "HttpOnly" in right.headers["set-cookie"]
        assert "SameSite=lax" in right.headers["set-cookie"]
        page = await web.get("/upgrade")
        assert (page.status_code, "ann" in page.text) == (200, True)
        await web.post("/signout")
        assert (await web.get("/upgrade")).status_code == 401


async def test_a_cookie_is_for_encrypted_connections_where_it_leaves_this_machine() -> None:
    """On loopback there is no encryption, and nobody who listens."""
    async with client(TOKENS, Origin="https://console.example.org", Host="console.example.org") as web:
        answer = await web.post("/signin", data={"token": "bob's secret"})
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_token_does_not_go_over_the_network_in_the_clear() -> None:
    """A browser would not keep the cookie either; what to do is said."""
    async with client(TOKENS, Origin="http://console.example.org", Host="console.example.org") as web:
        answer = await web.post("/signin", data={"token": "bob's secret"})
    assert (answer.status_code, "sign in over https" in answer.text, answer.cookies) == (403, True, {})


async def test_a_form_that_is_too_large_is_refused() -> None:
    """Before it is read to its end."""
    async with client(TOKENS, Origin="http://localhost:8700") as web:
        answer = await web.post("/signin", data={"token": "x" * 100_000})
    assert answer.status_code == 413
