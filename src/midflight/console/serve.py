"""Serve the console until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

from midflight.config import Config
from midflight.console.passages import passages_of
from midflight.console.scene import FleetScene
from midflight.console.site import console
from midflight.console.view import FleetView
from midflight.project import Project
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import operating
from midflight.web import Site
from midflight.web import serve as serve_site


async def serve(config: Config, project: Project, listen: str, tell: Callable[[str], None]) -> None:
    """Serve the fleet of a project at HOST:PORT, and ``tell`` the address. Raises what ``midflight.web.serve`` does."""

    def make() -> Site[FleetView, FleetScene]:
        return console(project.name, Aim.latest(project), passages_of(project))

    await serve_site(make, lambda: operating(config, project), config, listen, tell)
