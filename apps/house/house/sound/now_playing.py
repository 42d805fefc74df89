"""What MPD plays into a stream, and what comes next. It is only asked, every other second: whatever it answers, the
music plays on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mpd.asyncio import MPDClient
from mpd.base import CommandError, FailureResponseCode, MPDError
from mpd.base import ConnectionError as Gone

PORT = 6600
ASK_SECONDS = 2.0
"""As often as somebody's page asks us."""
AGAIN_SECONDS = 5.0
"""So long one that could not be asked is left alone."""
ANSWER_SECONDS = 3.0
NEXT = 5
"""So many of the next titles are told."""
LONGEST = 120
"""Characters of a title: who wrote it may have had no end in sight."""


@dataclass(frozen=True)
class Address:
    """Of an MPD: a host and a port, or the path of its socket."""

    host: str
    port: int = PORT
    password: str = ""

    def __str__(self) -> str:
        """As a person knows it, without the password."""
        return self.host if self.host.startswith("/") else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """From ``nas``, ``nas:6601``, ``secret@nas`` or ``/run/mpd/socket``, like MPD_HOST. Raises ValueError."""
    password, _, place = text.rpartition("@")
    if place.startswith("/"):
        return Address(place, password=password)
    parts = urlsplit(f"//{place}")
    if not parts.hostname or parts.netloc != place or parts.port == 0:
        raise ValueError(text)
    return Address(parts.hostname, parts.port or PORT, password)


@dataclass(frozen=True)
class Told:
    """Its title and those that come next, or why it told nothing."""

    title: str = ""
    queue: tuple[str, ...] = ()
    trouble: str = ""


class NowPlaying:
    """Of one MPD. What it has told last is ``told``."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.told = Told()

    async def follow(self) -> None:
        """For ever."""
        while True:
            client = MPDClient()
            # Left to itself, the client waits in MPD's `idle`, and one that ends meanwhile is an error in a callback.
            client.IMMEDIATE_COMMAND_TIMEOUT = 10 * ASK_SECONDS
            try:
                await self._enter(client)
                while True:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        self.told = await _ask(client)
                    await asyncio.sleep(ASK_SECONDS)
            except Exception as wrong:  # noqa: BLE001  # whatever it answers, there is a next time
                self.told = Told(trouble=f"MPD at {self.address} {_reason(wrong)}")
            finally:
                client.disconnect()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _enter(self, client: Any) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            await client.connect(self.address.host, self.address.port)
            if self.address.password:
                await client.password(self.address.password)


async def _ask(client: Any) -> Told:
    status = await client.status()
    if status.get("state") == "stop":
        return Told()
    name = name_of(await client.currentsong())
    title = name if status.get("state") == "play" or not name else f"{name} (paused)"
    single = status.get("single", "0") != "0"  # or it is "oneshot"
    # MPD names a next song, too, where it stops after this one.
    if "nextsong" not in status or (single and status.get("repeat") != "1"):
        return Told(title)
    first = int(status["nextsong"])
    # In random order MPD tells no more than the next one, and of a single song nothing else comes.
    many = 1 if single or status.get("random") == "1" else NEXT
    return Told(title, tuple(name_of(song) for song in await client.playlistinfo(f"{first}:{first + many}")))


def name_of(song: Mapping[str, object]) -> str:
    """``Artist – Title``, or as much as is known: a radio's name, at last the file's."""
    artist, title = _words(song.get("artist")), _words(song.get("title"))
    station, file = _words(song.get("name")), _words(song.get("file")).rpartition("/")[2]
    name = " – ".join(filter(None, (artist, title or station or file)))
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _words(value: object) -> str:
    """A tag that a song has several times is a list."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _reason(wrong: Exception) -> str:
    match wrong:
        case CommandError(errno=FailureResponseCode.PASSWORD):
            return "refuses the password"
        case CommandError(errno=FailureResponseCode.PERMISSION):
            return "wants a password"
        case TimeoutError():
            return "does not answer"
        case ConnectionRefusedError() | FileNotFoundError():
            return "does not run"
        case socket.gaierror():
            return "is at no host that is known here"
        case OSError():
            return f"cannot be reached: {wrong.strerror or wrong}"
        case Gone():
            return "has hung up"
        case CommandError(msg=str(reason)):
            return f"does not tell: {reason}"
        case MPDError() | ValueError():
            return "answers what no MPD does"
        case _:
            return f"cannot be asked: {type(wrong).__name__}: {wrong}"
