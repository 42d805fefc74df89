"""The console as a site: its pages, its acts, and what they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from midflight.console.acts import ACTS
from midflight.console.pages import PAGES
from midflight.console.passages import Passage
from midflight.console.scene import FleetScene
from midflight.console.soaking import SoakWatch
from midflight.console.sources import FLEET
from midflight.console.speeds import Speeds
from midflight.console.view import FleetView
from midflight.upgrade.aim import Aim
from midflight.web import Picture, Site, Viewer

HERE = Path(__file__).parent


def console(project: str, aim: Aim, passages: Sequence[Passage] = ()) -> Site[FleetView, FleetScene]:
    """The console of a project whose fleet is on its way to ``aim``. What it has seen, a soak's clock for one, is its
    own: make one for each gatherer."""
    soak, speeds = SoakWatch(aim), Speeds()

    def view(picture: Picture, query: Mapping[str, str], viewer: Viewer) -> FleetView:
        return FleetView(picture, query, viewer, aim, soak.shows, speeds, passages)

    def scene(picture: Picture, fields: Mapping[str, str]) -> FleetScene:
        return FleetScene(picture, fields, aim)

    return Site(
        brand="midflight", project=project, folder=HERE, pages=PAGES, acts=ACTS, always=FLEET, view=view, scene=scene,
        beside=(soak.run, speeds.run),
    )  # fmt: skip
