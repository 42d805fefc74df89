"""A site of an application's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from midflight.console.sources import FLEET
from midflight.web.access import ANYONE
from midflight.web.gatherer import Picture, Sight
from midflight.web.page import Page, View
from midflight.web.rendering import Renderer
from midflight.web.site import Site
from tests.upgrade.fleets import cloud


def _model(view: View) -> Mapping[str, Any]:
    fleet = view.picture.of(FLEET)
    assert fleet is not None
    return {"number": len(fleet.members)}


@pytest.fixture
def site(tmp_path: Path) -> Site[Any, Any]:
    """With one page, which asks for nothing of its own."""
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "bare.html").write_text("{{ trouble[0] if trouble else '' }}{{ number | default('nothing yet') }}")
    page = Page("bare", "Bare", "b", _model)
    return Site(brand="bare", project="", folder=tmp_path, pages=[page], acts=[], always=FLEET)


def test_a_page_without_sources_shows_what_is_always_asked_for(site: Site[Any, Any]) -> None:
    """Its model is not asked before that was seen; and why it is not newer is told."""
    (page,), renderer = site.pages, Renderer(site)
    seen = {FLEET: Sight(cloud(), datetime.now(UTC))}
    shown = [
        renderer.page(page, View(picture, {}, ANYONE))
        for picture in (Picture(), Picture(1, seen), Picture(2, seen, {FLEET: "nobody answers: "}))
    ]
    assert shown == ["nothing yet", "4", "nobody answers: 4"]
    assert site.shown(page) == (FLEET,)
