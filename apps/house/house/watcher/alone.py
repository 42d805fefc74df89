"""A watcher alone on one box: no broker, no conductor, nothing to set up."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from house.clock import SystemClock
from house.lan import ip
from house.lan.errors import BadAddress
from house.lan.mac import Mac
from house.states import Mode
from house.watcher.file import GuardFile
from house.watcher.guarded import Guarded
from house.watcher.watch import TwoWithOneAddress, Watch

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
"""As in /etc/ethers: it may be that of a host."""
EXPECTED = "NAME=MAC,ADDRESS[,ADDRESS…], or NAME=ADDRESS[,ADDRESS…] for a NAME in /etc/ethers"

LOOK_SECONDS = 5.0
"""How often it is looked whether an interface was made anew."""


def machine(
    text: str,
    known: Mapping[str, Mac],
    *,
    interface: str | None = None,
    vlan: int | None = None,
    mode: Mode = Mode.PROXY,
    ports: Sequence[int] = (22,),
    ping_wakes: bool = False,
) -> Guarded:
    """What ``NAME=MAC,ADDRESS…`` says; ``known`` has the MACs of names. Raises BadAddress."""
    name, _, rest = text.partition("=")
    parts = [part for part in rest.split(",") if part]
    if not _NAME.fullmatch(name) or not parts:
        raise BadAddress(text, EXPECTED)
    mac = known.get(name)
    if mac is None or _is_mac(parts[0]):
        mac = Mac.parse(parts.pop(0))
    if not parts:
        raise BadAddress(text, EXPECTED)
    addresses = tuple(ip.parse(part) for part in parts)
    return Guarded(name, mac, addresses, interface, vlan, mode, frozenset(ports), ping_wakes)


def run(machines: Sequence[Guarded], state: Path, ignored: Sequence[Mac] = ()) -> None:
    """Watch until SIGTERM or SIGINT. Raises LanError for what keeps it from that."""
    _log_in_lines()
    _check(machines)
    asyncio.run(_watch(machines, state, ignored))


async def _watch(machines: Sequence[Guarded], state: Path, ignored: Sequence[Mac]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watch = Watch(SystemClock(), GuardFile(state / "guards.json"))
    try:
        watch.start()
        watch.set(machines, [(str(mac), None) for mac in ignored], strict=True)
        while not stop.is_set():
            await _set_within(stop, LOOK_SECONDS)
            watch.look_again()
    finally:
        watch.reports.wakes.clear()  # there is nobody to tell
        watch.stop()


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _check(machines: Sequence[Guarded]) -> None:
    """Raises TwoWithOneAddress, and BadAddress for a name that comes twice."""
    owners: dict[object, str] = {}
    names = set[str]()
    for each in machines:
        if each.name in names:
            raise BadAddress(f"{each.name} twice", "each NAME once, with all of its addresses")
        names.add(each.name)
        for address in (each.mac, *each.addresses):
            if owners.setdefault(address, each.name) != each.name:
                raise TwoWithOneAddress(each.name, str(address), owners[address])


def _log_in_lines() -> None:
    """One line for each event, with the time first, as one reads it in a terminal."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def default_state() -> Path:
    """Where what is guarded is kept: systemd's folder for the service, root's, or the user's."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/house")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "house"


def _is_mac(text: str) -> bool:
    try:
        Mac.parse(text)
    except BadAddress:
        return False
    return True
