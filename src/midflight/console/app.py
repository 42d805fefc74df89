"""The routes of the console, and what stands between a request and a page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from midflight.console.access import SESSION_SECONDS, Access, Viewer
from midflight.console.act import Act, Scene
from midflight.console.acts import ACTS
from midflight.console.doing import Doing
from midflight.console.gatherer import FLEET, Gatherer, Picture, Source
from midflight.console.guard import HERE, Guard
from midflight.console.page import Page, View
from midflight.console.pages import PAGES
from midflight.console.passages import Passage
from midflight.console.rendering import STATIC, Renderer
from midflight.console.soaking import SoakWatch
from midflight.console.sources import PARKED
from midflight.console.speeds import Speeds
from midflight.console.stream import pushes
from midflight.errors import MidflightError, NotSignedIn
from midflight.upgrade.aim import Aim

FIRST_LOOK = 2.0
"""Seconds that a page waits for the first answer of a conductor."""
LARGEST_FORM = 64 * 1024
"""Bytes."""

Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """One console: who may see it, what it knows, and how it shows it."""

    def __init__(
        self, project: str, aim: Aim, gatherer: Gatherer, access: Access, hosts: list[str],
        passages: Sequence[Passage] = (),
    ) -> None:  # fmt: skip
        self._aim, self._gatherer, self._access, self._hosts = aim, gatherer, access, hosts
        self._soak, self._speeds, self._passages = SoakWatch(aim), Speeds(), passages
        self._renderer = Renderer(project, PAGES)
        self._doing = Doing(gatherer.connect, aim)

    def app(self) -> Starlette:
        """The application; it gathers for as long as it runs."""
        routes = [
            Route("/", self._home),
            Route("/signin", self._sign_in, methods=["GET", "POST"]),
            Route("/signout", self._sign_out, methods=["POST"]),
            Mount(f"/static/{self._renderer.version}", _Kept(directory=STATIC)),
            Route("/act/{name}", self._act, methods=["GET", "POST"]),
            Route("/outcome/{name}", self._outcome),
            *(Route(f"/{page.name}", self._page(page)) for page in PAGES),
            *(Route(f"/{page.name}/stream", self._stream(page)) for page in PAGES),
        ]
        return Starlette(
            routes=routes,
            lifespan=self._living,
            middleware=[Middleware(Guard, hosts=self._hosts)],
            exception_handlers={NotSignedIn: self._not_signed_in, HTTPException: self._said},
        )

    @asynccontextmanager
    async def _living(self, _app: Starlette) -> AsyncIterator[None]:
        watching = self._soak.run(self._gatherer), self._speeds.run(self._gatherer)
        tasks = [asyncio.create_task(each) for each in (self._gatherer.run(), *watching)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._doing.finish()

    async def _home(self, request: Request) -> Response:
        return RedirectResponse(f"/{PAGES[0].name}", 307)

    def _page(self, page: Page) -> Endpoint:
        async def show(request: Request) -> Response:
            viewer = self._access.viewer(request)
            picture = await self._first(page.sources)
            return HTMLResponse(self._renderer.page(page, self._view(request, viewer, picture)))

        return show

    async def _first(self, sources: Sequence[Source[Any]]) -> Picture:
        """The picture now; whoever comes first waits a moment for it."""
        self._gatherer.want(sources)
        picture = self._gatherer.picture
        until = asyncio.get_running_loop().time() + FIRST_LOOK
        while (left := until - asyncio.get_running_loop().time()) > 0 and not self._gatherer.closed:
            if all(source in picture.sights or source in picture.troubles for source in sources):
                break
            picture = await self._gatherer.after(picture.number, left)
        return picture

    def _stream(self, page: Page) -> Endpoint:
        async def stream(request: Request) -> Response:
            viewer = self._access.viewer(request)

            def render(picture: Picture) -> str | None:
                try:
                    self._access.viewer(request)
                except NotSignedIn:
                    return None
                return self._renderer.live(page, self._view(request, viewer, picture))

            return StreamingResponse(
                pushes(self._gatherer, page.sources, render), media_type="text/event-stream",
                headers={"X-Accel-Buffering": "no"},
            )  # fmt: skip

        return stream

    def _view(self, request: Request, viewer: Viewer, picture: Picture) -> View:
        query = dict(request.query_params)
        return View(picture, query, viewer, self._aim, self._soak.shows, self._speeds, self._passages)

    async def _sign_in(self, request: Request) -> Response:
        if not self._access.has_tokens:
            return self._message(
                request, 404, "Nobody can sign in", "This console has no tokens: it shows, and does nothing."
            )
        if request.method == "GET":
            return HTMLResponse(self._renderer.whole("signin.html", None, reason=None))
        if request.url.hostname not in HERE and not request.headers.get("origin", "").startswith("https://"):
            words = (
                "Whoever listens on the way would read the token: sign in over https, through a proxy that encrypts."
            )
            return self._message(request, 403, "Not encrypted", words)
        cookie = self._access.sign_in((await form_of(request)).get("token", "").strip())
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._access.cookie, cookie, max_age=SESSION_SECONDS, httponly=True, samesite="lax",
            secure=request.url.hostname not in HERE,
        )  # fmt: skip
        return answer

    async def _sign_out(self, request: Request) -> Response:
        answer = RedirectResponse("/signin", 303)
        answer.delete_cookie(self._access.cookie, httponly=True, samesite="lax")
        return answer

    async def _act(self, request: Request) -> Response:
        viewer, act = self._access.viewer(request), ACTS.get(request.path_params["name"])
        if act is None:
            raise HTTPException(404)
        if not viewer.may_act:
            return self._message(request, 403, "Only to look at", self._why_not(viewer), viewer)
        if request.method == "POST":
            return await self._do(request, viewer, act)
        return await self._ask(request, viewer, act, dict(request.query_params))

    async def _ask(self, request: Request, viewer: Viewer, act: Act, fields: dict[str, str]) -> Response:
        picture = await self._first((FLEET, PARKED) if act.about_parked else (FLEET,))
        fleet = picture.of(FLEET)
        if fleet is None:
            return self._message(request, 503, act.title, "No conductor has answered yet: try again.", viewer)
        try:
            question = act.ask(Scene(fleet, self._aim, fields, picture.of(PARKED) or ()))
        except MidflightError as wrong:
            return self._message(request, 409, act.title, str(wrong), viewer)
        key = self._access.form_key(viewer, request.cookies.get(self._access.cookie))
        facts = {"title": act.title, "act": act, "question": question, "form_key": key, "back": _back(request)}
        return HTMLResponse(self._renderer.whole("act.html", viewer, **facts))

    async def _do(self, request: Request, viewer: Viewer, act: Act) -> Response:
        fields = await form_of(request)
        if not self._access.check_form(viewer, request.cookies.get(self._access.cookie), fields.pop("form_key", "")):
            words = "This form is none that this console has given you. Nothing was done."
            return self._message(request, 403, act.title, words, viewer)
        return RedirectResponse(f"/outcome/{self._doing.begin(act, viewer, fields)}", 303)

    async def _outcome(self, request: Request) -> Response:
        viewer = self._access.viewer(request)
        outcome = self._doing.outcome(request.path_params["name"])
        if outcome is None:
            return self._message(request, 404, "Forgotten", "What became of it is in the journal.", viewer)
        facts = {"title": outcome.act.title, "outcome": outcome, "here": request.url.path, "back": "/"}
        return HTMLResponse(self._renderer.whole("outcome.html", viewer, **facts))

    def _why_not(self, viewer: Viewer) -> str:
        if self._access.open:
            return "Nobody can sign in here, so nobody can act: add [[console.tokens]] to the configuration."
        return f"{viewer.name} may look, and not act: that takes the role operator."

    async def _not_signed_in(self, request: Request, wrong: Exception) -> Response:
        page = self._renderer.whole("signin.html", None, reason=str(wrong))
        return HTMLResponse(page, 401, {"WWW-Authenticate": "Bearer"})

    async def _said(self, request: Request, wrong: Any) -> Response:
        return self._message(request, wrong.status_code, str(wrong.detail), f"There is nothing at {request.url.path}.")

    def _message(self, request: Request, status: int, title: str, words: str, viewer: Viewer | None = None) -> Response:
        return HTMLResponse(self._renderer.whole("message.html", viewer, title=title, words=words), status)


def _back(request: Request) -> str:
    """The page of ours from which somebody came."""
    came = urlsplit(request.headers.get("referer", ""))
    known = any(came.path == f"/{page.name}" for page in PAGES) and came.netloc == request.headers.get("host")
    return f"{came.path}?{came.query}" if known else "/"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent, each once. Raises HTTPException for one that is larger than any of ours."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "That form is too large")
    return dict(parse_qsl(body.decode(errors="replace")))


class _Kept(StaticFiles):
    """Files whose address changes with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
