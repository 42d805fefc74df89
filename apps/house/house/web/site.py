"""The page as a site: its pages, its acts, and what they are given."""

from __future__ import annotations

from pathlib import Path

from house.errors import HouseError
from house.web.acts import ACTS
from house.web.pages import PAGES
from house.web.sources import HOUSE
from house.web.view import HouseScene, HouseView
from midflight.web import Site

SITE = Site(
    brand="house", project="", folder=Path(__file__).parent, pages=PAGES, acts=ACTS, always=HOUSE, view=HouseView,
    scene=HouseScene, errors=(HouseError,),
)  # fmt: skip
