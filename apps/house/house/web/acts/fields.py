"""Fields that several acts ask for."""

from __future__ import annotations

from datetime import datetime

from house import clock, until
from house.objects.machine import Machine
from house.web.view import HouseScene
from midflight.web import Field

ALL = "*"
"""Stands for the whole house, in a form and on the command line."""


def machine_of(scene: HouseScene) -> Machine:
    """The one that is meant. Raises UsageError and NotFound."""
    return scene.house.machine(scene.field("machine"))


def the_machine(machine: Machine) -> Field:
    """It goes with the form."""
    return Field("machine", value=machine.name, hidden=True)


def some_machine(scene: HouseScene, every: str) -> Field:
    """One that is chosen, or all of them, by these words."""
    names = [(machine.name, machine.name) for machine in scene.house.machines]
    return Field("machine", "Machine", scene.fields.get("machine", ALL), [(ALL, every), *names])


def some_machine_of(scene: HouseScene) -> str | None:
    """Which was chosen; None for all of them. Raises UsageError and NotFound."""
    name = scene.field("machine")
    return None if name == ALL else scene.house.machine(name).name


def until_when(value: str) -> Field:
    """A time to come."""
    return Field("until", "Until", value, hint="45m, 2h, 3d, 18:30, 2026-12-24 or 2026-12-24 18:00, where the house is")


def time_of(scene: HouseScene) -> datetime:
    """Which time was meant. Raises UsageError and InvalidValue."""
    return until.read(scene.field("until"), clock.now())


def at(moment: datetime) -> str:
    """A time for people, where the house is."""
    return f"{moment.astimezone():%a %d %b %H:%M}"
