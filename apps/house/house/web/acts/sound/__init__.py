"""What can be done with sound."""

from collections.abc import Sequence

from house.web.acts.sound.hearing import LET_PLAY, MUTE, PATCH, SILENCE, TIMER, UNMUTE, VOLUME
from house.web.acts.sound.rooms import FORGET_ROOM, GROUP, ROOM, UNGROUP
from house.web.acts.sound.scenes import DROP_SCENE, PLAY, SAVE_SCENE
from house.web.acts.sound.streams import DISABLE, ENABLE, REMOVE_STREAM, STREAM
from house.web.acts.sound.testing import TEST
from house.web.view import HouseScene
from midflight.web import Act

SOUND: Sequence[Act[HouseScene]] = (
    PATCH, SILENCE, VOLUME, MUTE, UNMUTE, TIMER, LET_PLAY, PLAY, SAVE_SCENE, DROP_SCENE, STREAM, ENABLE, DISABLE,
    REMOVE_STREAM, GROUP, UNGROUP, ROOM, FORGET_ROOM, TEST,
)  # fmt: skip
