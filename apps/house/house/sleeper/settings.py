"""The table ``[app.sleeper]`` of the configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import structlog

from house.sleeper.checks import KINDS
from house.sleeper.checks.base import Check
from house.sleeper.system import System, Unclear
from midflight import ConfigError

T = TypeVar("T")
Seconds = Annotated[float, msgspec.Meta(gt=0)]
WHERE = "[app.sleeper]"
log = structlog.get_logger("house")


class Settings(msgspec.Struct, frozen=True):
    """What a sleeper can be told. What a release does not know it passes over, so that all start on the same file."""

    interface: str = ""
    """Whose network card wakes it; that of the default route, where it is empty."""
    method: Literal["logind", "hibernate", "power-off", "systemctl", "command"] = "logind"
    command: list[str] = []
    """For the method of that name."""
    logind: bool = True
    """Whether there is one. Without it, nothing keeps others from sending the machine to sleep unguarded."""
    wake_on_lan: bool = True
    """Whether the card must be armed. Without it, only its alarm and its button wake the machine."""
    quiet_seconds: Seconds = 300.0
    """For so long all checks must have been idle."""
    look_seconds: Seconds = 30.0
    unclear_seconds: Seconds = 600.0
    """After so long, a check that cannot tell is logged as an error."""
    refused_seconds: Seconds = 60.0
    """How long a refusal is taken for an answer."""
    checks: dict[str, dict[str, Any]] = msgspec.field(default_factory=lambda: {"logins": {}, "connections": {}})
    """By name; ``kind`` says what kind one is of, if that is not its name."""


def settings(app: Mapping[str, Any]) -> Settings:
    """Read the table. Raises ConfigError that names the entry."""
    return _convert(app.get("sleeper", {}), Settings, WHERE)


def checks(given: Settings) -> dict[str, Check]:
    """The checks that are configured. Raises ConfigError that names the entry. One of a kind that this release does not
    know cannot tell, and so keeps the machine awake."""
    return {name: _check(name, dict(table)) for name, table in given.checks.items()}


def _check(name: str, table: dict[str, Any]) -> Check:
    kind, where = table.pop("kind", name), f"[app.sleeper.checks.{name}]"
    if kind not in KINDS:
        return NoSuchCheck(f"there is no check of kind {kind!r}; there is {', '.join(KINDS)}")
    known = {field.name for field in fields(KINDS[kind])}  # type: ignore[arg-type]  # each of them is a dataclass
    for unknown in sorted(table.keys() - known):
        log.warning("sleeper.setting_unknown", where=where, entry=unknown, known=sorted(known))
    return _convert(table, KINDS[kind], where)


class NoSuchCheck(Check):
    """Cannot tell."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    async def look(self, system: System) -> str | None:
        raise Unclear(self.reason)


def _convert(table: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as wrong:
        reason, _, place = str(wrong).partition(" - at `$")
        raise ConfigError(
            path="the configuration", where=f"{where} {place.strip('.`')}".rstrip(), reason=reason
        ) from None
