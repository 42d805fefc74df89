"""The pages of the console, in the order of its navigation; the first one is its home."""

from midflight.console.pages.chronicle import CHRONICLE_PAGE
from midflight.console.pages.data import DATA_PAGE
from midflight.console.pages.fleet import FLEET_PAGE
from midflight.console.pages.traffic import TRAFFIC_PAGE
from midflight.console.pages.upgrade import UPGRADE_PAGE
from midflight.console.view import FleetView
from midflight.web import Page

PAGES: list[Page[FleetView]] = [UPGRADE_PAGE, FLEET_PAGE, TRAFFIC_PAGE, DATA_PAGE, CHRONICLE_PAGE]
