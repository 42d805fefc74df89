"""Where a command works: the configuration file, and a guest in the fleet for as long as the command runs."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from house.operator import Operator
from house.project import project
from midflight import Guest, connect

R = TypeVar("R")

ConfigFile = Annotated[
    Path | None,
    Parameter(name="--config", help="Else MIDFLIGHT_CONFIG, else ./midflight.toml, else /etc/house/house.toml."),
]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Answer in JSON, for machines.")]
Undo = Annotated[bool, Parameter(name="--undo", negative="", show_default=False)]

HERE = Path("midflight.toml")
INSTALLED = Path("/etc/house/house.toml")
"""Where the package has it."""
Work = Callable[[Operator], Coroutine[Any, Any, R]]


def config_file(given: Path | None) -> Path:
    """The file that is meant; it need not exist."""
    named = given or (Path(os.environ["MIDFLIGHT_CONFIG"]) if os.environ.get("MIDFLIGHT_CONFIG") else None)
    return named or (INSTALLED if INSTALLED.exists() and not HERE.exists() else HERE)


def person() -> str:
    """Who works here, for whoever reads the holds."""
    return f"{getpass.getuser()}@{this_machine()}"


def this_machine() -> str:
    """By the name that its agent has in the house."""
    return socket.gethostname().partition(".")[0]


@contextmanager
def visiting(config: Path | None) -> Iterator[Guest]:
    """In the fleet. Raises ConfigError, BrokerUnreachable and NoConductor."""
    with connect(project, config_file(config)) as guest:
        yield guest


def ask(guest: Guest, work: Work[R]) -> R:
    """What an operator's method answers. Raises what it raises."""
    return guest.run(work(Operator(guest.context, person())))


def once(config: Path | None, work: Work[R]) -> R:
    """Ask one thing."""
    with visiting(config) as guest:
        return ask(guest, work)
