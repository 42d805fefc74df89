"""The table ``[app.sound]`` of the configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from house.names import ALL, Name
from house.playing import Engine
from house.sound.now_playing import address
from midflight import ConfigError

WHERE = "[app.sound]"


class RoomSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """A room on this host: the house is told of it when the agent starts, and may say something else afterwards."""

    sink: str = ""
    """The sound card, as ``pactl list short sinks`` names it; the default one, where it is empty."""
    engine: Engine = Engine.PULSE_RTP


class PulseSettings(msgspec.Struct, frozen=True):
    """PulseAudio, and what starts it where nobody else does."""

    address: str | None = None
    """As in PULSE_SERVER; None for that of the user as whom the agent runs."""
    start: tuple[str, ...] = ("pulseaudio", "--start", "--exit-idle-time=-1")
    """Nothing starts it, where this is empty."""


class Settings(msgspec.Struct, frozen=True):
    """What an agent of sound can be told. An entry that a release does not know it passes over, so that all start on
    the same file; an engine that it does not know is a mistake in it, since no room could be played by that."""

    engines: tuple[Engine, ...] = (Engine.PULSE_RTP,)
    rooms: dict[str, RoomSettings] = {}
    """By name."""
    pulse: PulseSettings = PulseSettings()
    rehearse: bool = False
    """Nothing is done to any engine: what would be done is told to the house, and shown where hosts are."""
    mpd: dict[str, str] = {}
    """Which MPD plays into a stream of this host, by the stream's name: ``host``, ``host:port``, ``password@host`` or
    the path of its socket."""


def settings(app: Mapping[str, Any]) -> Settings:
    """Read the table. Raises ConfigError that names the entry."""
    try:
        given = msgspec.convert(app.get("sound", {}), Settings)
    except msgspec.ValidationError as wrong:
        reason, _, place = str(wrong).partition(" - at `$")
        raise ConfigError(
            path="the configuration", where=f"{WHERE} {place.strip('.`')}".rstrip(), reason=reason
        ) from None
    for name in given.rooms:
        _check_name(name)
    for stream, text in given.mpd.items():
        _check_address(stream, text)
    return given


def _check_address(stream: str, text: str) -> None:
    try:
        address(text)
    except ValueError:
        expected = "an MPD like localhost, nas:6601, password@nas or /run/mpd/socket"
        raise ConfigError(
            path="the configuration", where=f"{WHERE} mpd {stream}",
            reason=f"received {text.rpartition('@')[2]!r}, expected {expected}",
        ) from None  # fmt: skip


def _check_name(name: str) -> None:
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        expected = "at most 63 letters, digits, - and _, the first and the last a letter or a digit"
    else:
        if name != ALL:
            return
        expected = "another name: this one stands for every room"
    raise ConfigError(
        path="the configuration", where=f"{WHERE} rooms", reason=f"received the name {name!r}, expected {expected}"
    )
