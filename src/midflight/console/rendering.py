"""From a picture to the text of a page, and of its live part, once for all who would see the same."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from midflight.console.access import Viewer
from midflight.console.gatherer import FLEET
from midflight.console.page import Page, View
from midflight.telemetry import printable

HERE = Path(__file__).parent
STATIC = HERE / "static"
MOST_KEPT = 500
"""So many live parts of one picture are kept; a query may say anything."""


def cut(text: str, letters: int = 400) -> str:
    """What names thousands of members is cut where a person stops reading."""
    return text if len(text) <= letters else f"{text[:letters].rsplit(' ', 1)[0].rstrip(',')} …"


def clock(moment: datetime) -> str:
    """``14:03:11``; with the date where it is not of today."""
    here = moment.astimezone(UTC)
    return f"{here:%H:%M:%S}" if here.date() == datetime.now(UTC).date() else f"{here:%Y-%m-%d %H:%M}"


def digest_of_static() -> str:
    """Stands for the content of all static files: an address with it in can be kept by browsers for ever."""
    found = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


class Renderer:
    """Fills in templates. Whatever comes from a fleet is escaped, also what is no letter."""

    def __init__(self, project: str, pages: list[Page]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters.update(cut=cut, clock=clock, printable=printable)
        self.version = digest_of_static()
        self._environment.globals.update(project=project, pages=pages, version=self.version)
        for macros in ("ui", "seen"):
            self._environment.globals[macros] = self._environment.get_template(f"{macros}.html").module
        self._kept: dict[tuple[Any, ...], str] = {}
        self._number = -1

    def whole(self, template: str, viewer: Viewer | None, **facts: Any) -> str:
        """A page of its own, like the one to sign in."""
        return self._environment.get_template(template).render(viewer=viewer, page=None, now=_now(), **facts)

    def page(self, page: Page, view: View) -> str:
        """A page as it is now."""
        template = self._environment.get_template(f"{page.name}.html")
        return template.render(self._facts(page, view))

    def live(self, page: Page, view: View) -> str:
        """The part of it that is pushed. Equal texts, nothing new."""
        if view.picture.number != self._number or len(self._kept) > MOST_KEPT:
            self._kept.clear()
            self._number = view.picture.number
        key = (page.name, tuple(sorted(view.query.items())), view.viewer.role)
        if key not in self._kept:
            template = self._environment.get_template(f"{page.name}.html")
            block = template.blocks["live"](template.new_context(self._facts(page, view)))
            self._kept[key] = "".join(block)
        return self._kept[key]

    def _facts(self, page: Page, view: View) -> dict[str, Any]:
        trouble = view.picture.trouble(page.sources)
        facts = {"page": page, "view": view, "viewer": view.viewer, "trouble": trouble, "now": _now()}
        fleet = view.picture.of(FLEET)
        return facts | {"fleet": fleet} | (dict(page.model(view)) if fleet is not None else {})


def _now() -> datetime:
    return datetime.now(UTC)
