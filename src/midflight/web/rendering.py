"""From a picture to the text of a page, and of its live part, once for all who would see the same."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from midflight.telemetry import printable
from midflight.web.access import Viewer
from midflight.web.page import Page, View
from midflight.web.site import Site

HERE = Path(__file__).parent
MOST_KEPT = 500
"""So many live parts of one picture are kept; a query may say anything."""


def cut(text: str, letters: int = 400) -> str:
    """What names thousands of members is cut where a person stops reading."""
    return text if len(text) <= letters else f"{text[:letters].rsplit(' ', 1)[0].rstrip(',')} …"


def clock(moment: datetime) -> str:
    """``14:03:11``; with the date where it is not of today."""
    here = moment.astimezone(UTC)
    return f"{here:%H:%M:%S}" if here.date() == datetime.now(UTC).date() else f"{here:%Y-%m-%d %H:%M}"


def digest_of(*folders: Path) -> str:
    """Stands for the content of all files in them: an address with it in can be kept by browsers for ever."""
    found = hashlib.sha256()
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if path.is_file():
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


class Renderer:
    """Fills in templates. Whatever comes from a fleet is escaped, also what is no letter."""

    def __init__(self, site: Site[Any, Any]) -> None:
        self._site = site
        folders = site.folder, HERE
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(each / "templates") for each in folders]),
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters.update(cut=cut, clock=clock, printable=printable)
        self.version = digest_of(*(each / "static" for each in folders))
        self._environment.globals.update(brand=site.brand, project=site.project, pages=site.pages, version=self.version)
        for macros in ("ui", "seen"):
            self._environment.globals[macros] = self._environment.get_template(f"{macros}.html").module
        self._kept: dict[tuple[Any, ...], str] = {}
        self._number = -1

    def whole(self, template: str, viewer: Viewer | None, **facts: Any) -> str:
        """A page of its own, like the one to sign in."""
        return self._environment.get_template(template).render(viewer=viewer, page=None, now=_now(), **facts)

    def page(self, page: Page[Any], view: View, form_key: str | None = None) -> str:
        """A page as it is now. With the key, its scripts may send forms in the name of who looks at it."""
        template = self._environment.get_template(f"{page.name}.html")
        return template.render(self._facts(page, view), form_key=form_key)

    def live(self, page: Page[Any], view: View) -> str:
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

    def _facts(self, page: Page[Any], view: View) -> dict[str, Any]:
        trouble = view.picture.trouble(self._site.shown(page))
        facts = {"page": page, "view": view, "viewer": view.viewer, "trouble": trouble, "now": _now()}
        seen = view.picture.of(self._site.always) is not None
        return facts | dict(view.shared()) | (dict(page.model(view)) if seen else {})


def _now() -> datetime:
    return datetime.now(UTC)
