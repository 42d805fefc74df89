"""The routes of a site, and what stands between a request and a page."""

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
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from midflight.errors import NotSignedIn
from midflight.web.access import SESSION_SECONDS, Access, Viewer
from midflight.web.act import Act
from midflight.web.doing import Doing
from midflight.web.gatherer import Gatherer, Picture, Source
from midflight.web.guard import HERE, Guard
from midflight.web.page import Page, View
from midflight.web.rendering import Renderer
from midflight.web.site import Site
from midflight.web.stream import pushes

FIRST_LOOK = 2.0
"""Seconds that a page waits for the first answer of a conductor."""
LARGEST_FORM = 64 * 1024
"""Bytes."""
OURS = "midflight.web", "static"
"""Where a static file is that the site has none of its own for."""

Endpoint = Callable[[Request], Awaitable[Response]]


class App:
    """One site as it is served: who may see it, what it knows, and how it shows it."""

    def __init__(self, site: Site[Any, Any], gatherer: Gatherer, access: Access, hosts: Sequence[str]) -> None:
        self._site, self._gatherer, self._access, self._hosts = site, gatherer, access, hosts
        self._acts = {act.name: act for act in site.acts}
        self._renderer = Renderer(site)
        self._doing = Doing(gatherer, site.scene)

    def app(self) -> Starlette:
        """The application; it gathers for as long as it runs."""
        routes = [
            Route("/", self._home),
            Route("/signin", self._sign_in, methods=["GET", "POST"]),
            Route("/signout", self._sign_out, methods=["POST"]),
            Mount(f"/static/{self._renderer.version}", _Kept(directory=self._site.folder / "static", packages=[OURS])),
            Route("/act/{name}", self._act, methods=["GET", "POST"]),
            Route("/outcome/{name}", self._outcome),
            *(Route(f"/{page.name}", self._page(page)) for page in self._site.pages),
            *(Route(f"/{page.name}/stream", self._stream(page)) for page in self._site.pages),
        ]
        return Starlette(
            routes=routes,
            lifespan=self._living,
            middleware=[Middleware(Guard, hosts=self._hosts)],
            exception_handlers={NotSignedIn: self._not_signed_in, HTTPException: self._said},
        )

    @asynccontextmanager
    async def _living(self, _app: Starlette) -> AsyncIterator[None]:
        beside = (each(self._gatherer) for each in self._site.beside)
        tasks = [asyncio.create_task(each) for each in (self._gatherer.run(), *beside)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._doing.finish()

    async def _home(self, request: Request) -> Response:
        return RedirectResponse(f"/{self._site.pages[0].name}", 307)

    def _page(self, page: Page[Any]) -> Endpoint:
        async def show(request: Request) -> Response:
            viewer = self._access.viewer(request)
            picture = await self._first(self._site.shown(page))
            key = self._form_key(request, viewer) if viewer.may_act else None
            return HTMLResponse(self._renderer.page(page, self._view(request, viewer, picture), key))

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

    def _stream(self, page: Page[Any]) -> Endpoint:
        async def stream(request: Request) -> Response:
            viewer = self._access.viewer(request)

            def render(picture: Picture) -> str | None:
                try:
                    self._access.viewer(request)
                except NotSignedIn:
                    return None
                return self._renderer.live(page, self._view(request, viewer, picture))

            return StreamingResponse(
                pushes(self._gatherer, self._site.shown(page), render), media_type="text/event-stream",
                headers={"X-Accel-Buffering": "no"},
            )  # fmt: skip

        return stream

    def _view(self, request: Request, viewer: Viewer, picture: Picture) -> View:
        view: View = self._site.view(picture, dict(request.query_params), viewer)
        return view

    async def _sign_in(self, request: Request) -> Response:
        if not self._access.has_tokens:
            return self._message(
                request, 404, "Nobody can sign in", "There are no tokens here: this shows, and does nothing."
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
        viewer, act = self._access.viewer(request), self._acts.get(request.path_params["name"])
        if act is None:
            raise HTTPException(404)
        if not viewer.may_act:
            return self._message(request, 403, "Only to look at", self._why_not(viewer), viewer)
        if request.method == "POST":
            return await self._do(request, viewer, act)
        return await self._ask(request, viewer, act, dict(request.query_params))

    async def _ask(self, request: Request, viewer: Viewer, act: Act[Any], fields: dict[str, str]) -> Response:
        picture = await self._first((self._site.always, *act.beside))
        if picture.of(self._site.always) is None:
            return self._message(request, 503, act.title, "No conductor has answered yet: try again.", viewer)
        try:
            question = act.ask(self._site.scene(picture, fields))
        except self._gatherer.errors as wrong:
            return self._message(request, 409, act.title, str(wrong), viewer)
        key = self._form_key(request, viewer)
        facts = {"title": act.title, "act": act, "question": question, "form_key": key, "back": self._back(request)}
        return HTMLResponse(self._renderer.whole("act.html", viewer, **facts))

    async def _do(self, request: Request, viewer: Viewer, act: Act[Any]) -> Response:
        """A script that takes JSON is told what has become of it; a person is led to where that is shown."""
        fields = await form_of(request)
        if not self._access.check_form(viewer, request.cookies.get(self._access.cookie), fields.pop("form_key", "")):
            words = "This form is none that you were given here. Nothing was done."
            return self._message(request, 403, act.title, words, viewer)
        if "application/json" in request.headers.get("accept", ""):
            outcome = await self._doing.do(act, viewer, fields)
            told = {"did": outcome.lines, "failed": outcome.failed}
            return JSONResponse(told, 409 if outcome.failed else 200)
        return RedirectResponse(f"/outcome/{self._doing.begin(act, viewer, fields)}", 303)

    def _form_key(self, request: Request, viewer: Viewer) -> str:
        return self._access.form_key(viewer, request.cookies.get(self._access.cookie))

    async def _outcome(self, request: Request) -> Response:
        viewer = self._access.viewer(request)
        outcome = self._doing.outcome(request.path_params["name"])
        if outcome is None:
            return self._message(request, 404, "Forgotten", "What became of it is in the journal.", viewer)
        facts = {"title": outcome.act.title, "outcome": outcome, "here": request.url.path, "back": "/"}
        return HTMLResponse(self._renderer.whole("outcome.html", viewer, **facts))

    def _back(self, request: Request) -> str:
        """The page of ours from which somebody came."""
        came = urlsplit(request.headers.get("referer", ""))
        ours = any(came.path == f"/{page.name}" for page in self._site.pages)
        return f"{came.path}?{came.query}" if ours and came.netloc == request.headers.get("host") else "/"

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
