"""The pages, in the order of their navigation; the first one is the home."""

from house.web.pages.history import HISTORY_PAGE
from house.web.pages.machines import MACHINES_PAGE
from house.web.pages.rules import RULES_PAGE
from house.web.pages.sound import SOUND_PAGE
from house.web.view import HouseView
from midflight.web import Page

PAGES: list[Page[HouseView]] = [MACHINES_PAGE, SOUND_PAGE, HISTORY_PAGE, RULES_PAGE]
