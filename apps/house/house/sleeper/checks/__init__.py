"""The checks: each asks one question of a machine, whether somebody needs it. One kind in each module."""

from __future__ import annotations

from collections.abc import Mapping

from house.sleeper.checks.base import Check
from house.sleeper.checks.calendar import Calendar
from house.sleeper.checks.command import Command
from house.sleeper.checks.connections import Connections
from house.sleeper.checks.disk import Disk
from house.sleeper.checks.inhibitors import Inhibitors
from house.sleeper.checks.load import Load
from house.sleeper.checks.logins import Logins
from house.sleeper.checks.network import Network
from house.sleeper.checks.processes import Processes

KINDS: Mapping[str, type[Check]] = {
    "calendar": Calendar,
    "command": Command,
    "connections": Connections,
    "disk": Disk,
    "inhibitors": Inhibitors,
    "load": Load,
    "logins": Logins,
    "network": Network,
    "processes": Processes,
}
"""By what the configuration calls them."""
