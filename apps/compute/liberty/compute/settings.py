"""The ``[app]`` table of the configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from midflight import ConfigError, Runtime


class Settings(msgspec.Struct, frozen=True):
    """What this application can be told. A table of an older release is always complete, and one of a newer is read
    by passing over what is new."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8774
    """Where the api listens if it inherits no socket."""
    machines: str = "machines"
    """The folder of the machines, the same for all agents of one computer; relative to the state folder."""
    resize_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    """How long an agent works on a resize."""


def settings(given: Mapping[str, Any]) -> Settings:
    """Read the table. Raises ConfigError that names the entry."""
    try:
        return msgspec.convert(dict(given), Settings)
    except msgspec.ValidationError as wrong:
        reason, _, place = str(wrong).partition(" - at `$.")
        where = f"[app] {place.rstrip('`')}".rstrip()
        raise ConfigError(path="the configuration", where=where, reason=reason) from None


def machines_folder(runtime: Runtime) -> Path:
    """Where the machines' files are; made if it is missing. Raises ConfigError if it cannot be."""
    folder = runtime.state / settings(runtime.settings).machines
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise ConfigError(path="the configuration", where="[app] machines", reason=str(wrong)) from None
    return folder
