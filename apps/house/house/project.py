"""The table of contents."""

from __future__ import annotations

from pathlib import Path

from house.errors import AddressTaken, AlreadyExists, NotClaimed, NotFound, NotNow, NotYours, StaysAwake
from house.interfaces import SleeperAPI, SoundAPI, WatcherAPI
from house.objects.away import Away
from house.objects.group import Group
from house.objects.hearing import Hearing, Sending
from house.objects.history import Day, History
from house.objects.hold import Hold, HoldList
from house.objects.look import Check, Look
from house.objects.machine import Machine, MachineList
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.requester import Requester, RequesterList
from house.objects.rule import Rule, RuleList
from house.objects.scene import Scene, Setting
from house.objects.stream import Stream
from house.objects.trial import Trial
from house.objects.wake import Wake, WakeList
from house.objects.wiring import SoundHost, Wiring
from midflight import Project, Service

HERE = Path(__file__).parent.parent

project = Project(
    name="house",
    objects=[
        Away, Check, Day, History, Hold, HoldList, Look, Machine, MachineList, Requester, RequesterList, Rule, RuleList,
        Wake, WakeList, Group, Hearing, PatchBay, Player, Scene, Sending, Setting, SoundHost, Stream, Trial,
        Wiring,
    ],
    interfaces=[SleeperAPI, SoundAPI, WatcherAPI],
    services=[
        Service("sleeper", "house.sleeper.service:sleeper", agent=True),
        Service("sound", "house.sound.service:sound", agent=True),
        Service("watcher", "house.watcher.service:watcher", agent=True),
    ],
    errors=[AddressTaken, AlreadyExists, NotClaimed, NotFound, NotNow, NotYours, StaysAwake],
    releases=HERE / "releases",
    schema=HERE / "schema",
    tables="house.kept.tables:metadata",
)  # fmt: skip
