"""What can be done in a browser; each act has a module here, or shares one with its opposite."""

from collections.abc import Sequence

from house.web.acts.holding import HOLD, LET_GO
from house.web.acts.home import COME_BACK, LEAVE
from house.web.acts.requesters import HEED, IGNORE
from house.web.acts.rules import ADD_RULE, DROP_RULE
from house.web.acts.sleeping import SLEEP
from house.web.acts.sound import SOUND
from house.web.acts.waking import TEST_WAKE, WAKE
from house.web.view import HouseScene
from midflight.web import Act

ACTS: Sequence[Act[HouseScene]] = (
    WAKE, TEST_WAKE, SLEEP, HOLD, LET_GO, LEAVE, COME_BACK, IGNORE, HEED, ADD_RULE, DROP_RULE, *SOUND,
)  # fmt: skip
