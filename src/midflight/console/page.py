"""A page: what it shows, of what, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from midflight.console.access import Viewer
from midflight.console.gatherer import FLEET, Picture, Source
from midflight.console.passages import Passage
from midflight.console.soaking import SoakClock
from midflight.console.speeds import Speeds
from midflight.upgrade.aim import Aim


@dataclass(frozen=True)
class View:
    """What a page is made of. ``query`` is the address's, as a browser sent it: trust nothing in it."""

    picture: Picture
    query: Mapping[str, str]
    viewer: Viewer
    aim: Aim
    soak: SoakClock
    speeds: Speeds
    passages: Sequence[Passage]

    def link(self, **changes: str | int | None) -> str:
        """The query with some entries changed; None takes one out."""
        query = {**self.query, **changes}
        return "?" + urlencode({name: value for name, value in query.items() if value not in (None, "")})


Model = Callable[[View], Mapping[str, Any]]


@dataclass(frozen=True)
class Page:
    """One page of the console, at ``/NAME``. ``model`` is called once for each picture, query and role, and not before
    the fleet was seen once; what it returns is what the template knows by name."""

    name: str
    title: str
    key: str
    """Pressed after ``g``, it leads here."""
    model: Model
    sources: tuple[Source[Any], ...] = (FLEET,)
