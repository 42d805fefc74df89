"""Where a command works: its configuration file, and the project that the file names."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from midflight.conductor.contract import release_of
from midflight.config import Config
from midflight.errors import ConfigError, ProjectError
from midflight.project import Project, load_project

CONFIG_VARIABLE = "MIDFLIGHT_CONFIG"
CONFIG_FILE = "midflight.toml"


@dataclass(frozen=True)
class Place:
    """What almost every command needs."""

    config: Config
    project: Project

    @property
    def person(self) -> str:
        """Who works here, for the journal: the user of the operating system, and the release of this copy. Commands
        that go through a conductor are signed by what the broker proves instead."""
        return f"{getpass.getuser()}@{socket.gethostname()} ({release_of(self.project)})"

    @property
    def database(self) -> str:
        """The database's URL. Raises ConfigError where there is none."""
        if self.config.database is None:
            reason = "is missing, and this command opens the database itself: set it, or MIDFLIGHT_DATABASE"
            raise ConfigError(path=self.config.path, where="[midflight] database", reason=reason)
        return self.config.database


def config_file(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The file by ``--config``, else by MIDFLIGHT_CONFIG, else ./midflight.toml; it need not exist."""
    return given or Path(environment.get(CONFIG_VARIABLE) or CONFIG_FILE)


def open_place(given: Path | None) -> Place:
    """Read the configuration and import the project. Raises ConfigError and ProjectError that say where and what."""
    config = Config.load(config_file(given))
    try:
        return Place(config, load_project(config.project))
    except ProjectError as wrong:
        if wrong.where != "project":
            raise
        where = f"[midflight] project = {config.project!r}"
        raise ConfigError(path=config.path, where=where, reason=wrong.reason) from None
