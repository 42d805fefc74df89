"""A site: what is served, declared in one place."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from midflight.web.access import Viewer
from midflight.web.act import Act, Scene
from midflight.web.gatherer import Gatherer, Picture, Source
from midflight.web.page import Page, View

V = TypeVar("V", bound=View)
S = TypeVar("S", bound=Scene)


def _view(picture: Picture, query: Mapping[str, str], viewer: Viewer) -> Any:
    return View(picture, query, viewer)


def _scene(picture: Picture, fields: Mapping[str, str]) -> Any:
    return Scene(picture, fields)


@dataclass(frozen=True, kw_only=True)
class Site(Generic[V, S]):
    """Pages and acts under one sign. ``folder`` has its ``templates`` and ``static``; what is not found there is
    midflight's own."""

    brand: str
    project: str
    """The name beside the brand; empty for none."""
    folder: Path
    pages: Sequence[Page[V]]
    """In the order of the navigation; the first one is the home."""
    acts: Sequence[Act[S]]
    always: Source[Any]
    """Asked for also while nobody looks, and before an act."""
    view: Callable[[Picture, Mapping[str, str], Viewer], V] = _view
    """Makes what the pages' models are given, where a ``View`` is not enough."""
    scene: Callable[[Picture, Mapping[str, str]], S] = _scene
    """Makes what the acts are given, where a ``Scene`` is not enough."""
    errors: tuple[type[Exception], ...] = ()
    """The application's own, whose words are for whoever looks or acts, as MidflightError's are."""
    beside: Sequence[Callable[[Gatherer], Coroutine[Any, Any, None]]] = ()
    """What runs for as long as it is served."""

    def shown(self, page: Page[V]) -> tuple[Source[Any], ...]:
        """What a page is made of: what is always asked for, and its own sources."""
        return (self.always, *page.sources)
