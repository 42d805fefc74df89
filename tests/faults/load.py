"""A steady load on the whole fleet, and what its sender was told of each piece of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Self

from midflight import Context, NotDelivered, Unknown
from midflight.errors import DatabaseBusy, DatabaseUnreachable
from midflight.service import RunningService
from midflight.telemetry import log
from tests.faults.ledger import AGENTS, TELLERS, AgentAPI, Entry, TellerAPI

RATE = 20
"""Pieces of work a second, of each kind, whether or not the earlier ones have ended."""

FLOWS = 12
"""Traffic flows when so many pieces of each kind in a row went well."""

PATIENCE = 40.0
"""Seconds until it must flow again, to be counted as too late, and not for ever."""

WELL = ("answered", "accepted")


@dataclass
class Piece:
    """One piece of work. ``outcome`` is what its sender was told: answered, accepted (a cast), not_delivered, unknown,
    refused (by the database), or another error. Times are of time.monotonic()."""

    kind: str
    name: str
    sent: float
    ended: float = 0.0
    outcome: str = ""

    @property
    def went_well(self) -> bool:
        """Whether it was acknowledged."""
        return self.outcome in WELL


async def _ask(context: Context, name: str, host: str) -> None:
    await AGENTS.on(host).call(AgentAPI.ask, context, name)


async def _tell(context: Context, name: str, host: str) -> None:
    await AGENTS.on(host).cast(AgentAPI.tell, context, name)


async def _pay(context: Context, name: str, host: str) -> None:
    await TELLERS.call(TellerAPI.pay, context, name)


async def _book(context: Context, name: str, host: str) -> None:
    await TELLERS.cast(TellerAPI.book, context, name)


async def _save(context: Context, name: str, host: str) -> None:
    await Entry(name=name).create(context=context)


KINDS: dict[str, Callable[[Context, str, str], Awaitable[None]]] = {
    "ask": _ask, "tell": _tell, "pay": _pay, "book": _book, "save": _save
}  # fmt: skip
CALLS, CASTS = ("ask", "pay", "save"), ("tell", "book")
IN_DATABASE = ("pay", "book", "save")
"""The kinds whose effect is a row; that of the others is a line in a file."""


class Load:
    """Calls and casts of all kinds, from one member, to these agents and to any teller and conductor."""

    def __init__(self, case: str, sender: RunningService, hosts: Sequence[str]) -> None:
        self._case, self._sender, self._hosts = case, sender, hosts
        self._numbers = count(1)
        self.pieces: list[Piece] = []
        self._stop = asyncio.Event()
        self._ticking: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._ticking = [asyncio.create_task(self._tick(kind)) for kind in KINDS]
        return self

    async def __aexit__(self, *_: object) -> None:
        """No more of it; returns when each piece has its outcome."""
        self._stop.set()
        await asyncio.gather(*self._ticking)
        await asyncio.gather(*self._sending)

    async def flows(self, since: float = 0.0, *kinds: str) -> None:
        """Wait until what was sent since then goes well, of these kinds, or of each. Gives up after a while: the counts
        will tell."""
        deadline = time.monotonic() + PATIENCE
        while not all(self._flows(kind, since) for kind in kinds or KINDS):
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(0.02)

    def stalls(self, kind: str) -> bool:
        """Whether something has had no answer for a second."""
        young = time.monotonic() - 1
        return any(piece.kind == kind and not piece.ended and piece.sent < young for piece in self.pieces)

    def write(self, file: Path) -> None:
        """All pieces, a line for each, for whoever looks for the reason of a count."""
        file.write_text("".join(f"{json.dumps(asdict(piece))}\n" for piece in self.pieces))

    def _flows(self, kind: str, since: float) -> bool:
        """Judged by the last ones that have had the time for it."""
        young = time.monotonic() - 1
        last = [piece for piece in self.pieces if piece.kind == kind and since < piece.sent < young][-FLOWS:]
        return len(last) == FLOWS and all(piece.went_well for piece in last)

    async def _tick(self, kind: str) -> None:
        while not self._stop.is_set():
            number = next(self._numbers)
            piece = Piece(kind, f"{self._case}-{kind}-{number}".replace(" ", "-"), time.monotonic())
            self.pieces.append(piece)
            sending = asyncio.create_task(self._send(piece, self._hosts[number % len(self._hosts)]))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            await asyncio.sleep(1 / RATE)

    async def _send(self, piece: Piece, host: str) -> None:
        try:
            await KINDS[piece.kind](self._sender.context(), piece.name, host)
            piece.outcome = "accepted" if piece.kind in CASTS else "answered"
        except NotDelivered:
            piece.outcome = "not_delivered"
        except Unknown:
            piece.outcome = "unknown"
        except (DatabaseUnreachable, DatabaseBusy):
            piece.outcome = "refused"
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # whatever it is, it should not be
            piece.outcome = f"{piece.kind}: {error!r}"
            log.error("faults.failed", name=piece.name, exc_info=error)
        piece.ended = time.monotonic()
