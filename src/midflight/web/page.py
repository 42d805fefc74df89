"""A page: what it shows, of what, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from midflight.web.access import Viewer
from midflight.web.gatherer import Picture, Source


@dataclass(frozen=True)
class View:
    """What a page is made of. ``query`` is the address's, as a browser sent it: trust nothing in it."""

    picture: Picture
    query: Mapping[str, str]
    viewer: Viewer

    def link(self, **changes: str | int | None) -> str:
        """The query with some entries changed; None takes one out."""
        query = {**self.query, **changes}
        return "?" + urlencode({name: value for name, value in query.items() if value not in (None, "")})

    def shared(self) -> Mapping[str, Any]:
        """What the template of each page knows by name, also before anything was seen."""
        return {}


V = TypeVar("V", bound=View)


@dataclass(frozen=True)
class Page(Generic[V]):
    """One page, at ``/NAME``. ``model`` is called once for each picture, query and role, and not before what is
    always asked for was seen once; what it returns is what the template knows by name."""

    name: str
    title: str
    key: str
    """Pressed after ``g``, it leads here."""
    model: Callable[[V], Mapping[str, Any]]
    sources: tuple[Source[Any], ...] = ()
    """What it shows beside what is always asked for."""
