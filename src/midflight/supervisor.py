"""What a process and its supervisor say to each other: the sockets that are passed, how the process stands, and that
its loop answers."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager

from midflight.errors import ConfigError
from midflight.telemetry import log

_FIRST_PASSED = 3
"""The file descriptor of the first socket that a supervisor passes."""


def passed_sockets(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that a supervisor passed to this process (LISTEN_FDS), taken out of the environment, so
    that no child takes them for its own. LISTEN_PID may be absent, where the supervisor could not know it.

    Raises ConfigError for what is no number of sockets, and for a descriptor that is no socket.
    """
    count, pid = environment.pop("LISTEN_FDS", "0"), environment.pop("LISTEN_PID", str(os.getpid()))
    if pid != str(os.getpid()):
        return []
    if not re.fullmatch(r"[0-9]{1,4}", count):
        raise _not_passed(f"received {count[:40]!r}, expected the number of sockets that were passed")
    return [_passed(number) for number in range(_FIRST_PASSED, _FIRST_PASSED + int(count))]


def _passed(number: int) -> socket.socket:
    try:
        passed = socket.socket(fileno=number)
    except OSError as wrong:
        raise _not_passed(f"descriptor {number} is no socket: {wrong.strerror}") from None
    passed.set_inheritable(False)
    return passed


def _not_passed(reason: str) -> ConfigError:
    return ConfigError(path="environment", where="LISTEN_FDS", reason=reason)


def notify(state: str) -> None:
    """Tell systemd how this process stands, if systemd wants to know: sd_notify(3). Where nobody listens any more, the
    service goes on."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as systemd:
                systemd.connect("\0" + address[1:] if address.startswith("@") else address)
                systemd.sendall(state.encode())
        except (OSError, ValueError) as wrong:
            log.warning("service.not_notified", socket=address, state=state, reason=str(wrong))


def watchdog_seconds(environment: MutableMapping[str, str]) -> float | None:
    """How often systemd wants to hear that we live, if it wants to (WATCHDOG_USEC), taken out of the environment: twice
    in its own time, as sd_watchdog_enabled(3) says. Raises ConfigError for what is no time."""
    microseconds, pid = environment.pop("WATCHDOG_USEC", None), environment.pop("WATCHDOG_PID", str(os.getpid()))
    if microseconds is None or pid != str(os.getpid()):
        return None
    if not re.fullmatch(r"[0-9]{1,15}", microseconds) or not int(microseconds):
        reason = f"received {microseconds[:40]!r}, expected a number of microseconds"
        raise ConfigError(path="environment", where="WATCHDOG_USEC", reason=reason)
    return int(microseconds) / 2e6


@asynccontextmanager
async def watched(seconds: float | None) -> AsyncIterator[None]:
    """Tell systemd every so many seconds that the loop answers, until the end of the block. While it is blocked nothing
    is told, and systemd restarts a process that was silent for too long."""
    if seconds is None:
        yield
        return
    telling = asyncio.create_task(_tell(seconds), name="systemd's watchdog")
    try:
        yield
    finally:
        telling.cancel()


async def _tell(seconds: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)
