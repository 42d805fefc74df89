"""systemd's login manager over D-Bus: who is logged in, who must not be disturbed, and how the machine goes to sleep.

https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusFastError

from house.errors import HouseError

NAME, PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
MANAGER, SESSION = "org.freedesktop.login1.Manager", "org.freedesktop.login1.Session"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
RULES = (
    f"type='signal',sender='{NAME}',interface='{MANAGER}',member='PrepareForSleep',path='{PATH}'",
    f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',path='{BUS_PATH}',arg0='{NAME}'",
)
"""The signals that are wanted. Others may come all the same: anybody may send one to us alone."""
ANSWER_SECONDS = 10.0


class LogindFailed(HouseError):
    """What logind was asked for has not been done; says what, and why."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"logind: {self.what}: {self.reason}"


@dataclass(frozen=True)
class Session:
    """Somebody who is logged in. ``tty`` is a name below /dev, or empty; ``idle_since`` is in seconds since the epoch,
    and None while the session says of itself that it is in use."""

    user: str
    tty: str
    kind: str
    idle_since: float | None


@dataclass(frozen=True)
class Inhibitor:
    """Who wants what not to happen: ``what`` has words like ``sleep``, and ``mode`` is ``block`` or ``delay``."""

    what: frozenset[str]
    who: str
    why: str
    mode: str
    pid: int


class Lock:
    """An inhibitor lock of ours: it lasts until it is let go."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def let_go(self) -> None:
        """Twice is as once."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Logind:
    """A connection to it, made at the first use and again after it was lost. ``on_sleep`` is called with True when the
    machine is about to sleep, by whoever's wish, and with False when it is awake again."""

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._bus: MessageBus | None = None
        self._owner: str | None = None
        """Who has the name: what somebody else says of sleep is not logind's word."""
        self._connecting = asyncio.Lock()
        self.on_sleep: Callable[[bool], None] = lambda begins: None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bus is not None:
            self._bus.disconnect()

    async def sessions(self) -> list[Session]:
        """Those of people; greeters and background services are none."""
        (listed,) = await self._manager("ListSessions")
        return [session for *_, path in listed if (session := await self._session(path)) is not None]

    async def _session(self, path: str) -> Session | None:
        try:
            (found,) = await self._call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", [SESSION])
        except LogindFailed as gone:
            if "UnknownObject" in gone.reason:  # logged out meanwhile
                return None
            raise
        said = {name: value.value if isinstance(value, Variant) else value for name, value in found.items()}
        if said.get("Class") not in ("user", "user-early", "user-light") or said.get("State") == "closing":
            return None
        idle = said.get("IdleSinceHint", 0) / 1e6 if said.get("IdleHint") else None
        return Session(said.get("Name", ""), said.get("TTY", ""), said.get("Type", ""), idle)

    async def inhibitors(self) -> list[Inhibitor]:
        """All locks, ours too."""
        (listed,) = await self._manager("ListInhibitors")
        return [Inhibitor(frozenset(what.split(":")), who, why, mode, pid) for what, who, why, mode, _, pid in listed]

    async def delay_sleep(self, why: str) -> Lock:
        """From now on, sleep waits until the lock is let go; for 5 s, if logind is configured as it comes."""
        reply = await self._send(PATH, MANAGER, "Inhibit", "ssss", ["sleep", "house", why, "delay"])
        return Lock(reply.unix_fds[reply.body[0]])

    async def can(self, method: str) -> str:
        """``yes``, ``no``, ``na`` (the machine cannot) or ``challenge``: may we Suspend, Hibernate or PowerOff?"""
        (answer,) = await self._manager(f"Can{method}")
        return str(answer)

    async def begin(self, method: str) -> None:
        """Have it Suspend, Hibernate or PowerOff. Returns before it does."""
        await self._manager(method, "b", [False])

    async def listen(self) -> None:
        """Connect, so that ``on_sleep`` is called from now on."""
        await self._connected()

    async def _manager(self, member: str, signature: str = "", body: list[Any] | None = None) -> list[Any]:
        return await self._call(PATH, MANAGER, member, signature, body or [])

    async def _call(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> list[Any]:
        answer: list[Any] = (await self._send(path, interface, member, signature, body)).body
        return answer

    async def _send(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> Message:
        bus = await self._connected()
        message = Message(NAME, path, interface, member, signature=signature, body=body)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = await bus.call(message)
        except TimeoutError:
            raise LogindFailed(member, f"no answer for {ANSWER_SECONDS:g} s") from None
        except (DBusError, DBusFastError, OSError, EOFError) as wrong:
            raise LogindFailed(member, str(wrong) or type(wrong).__name__) from None
        if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
            said = "nothing" if reply is None else f"{reply.error_name}: {' '.join(map(str, reply.body))}"
            raise LogindFailed(member, said)
        return reply

    async def _connected(self) -> MessageBus:
        async with self._connecting:
            if self._bus is None or not self._bus.connected:
                self._bus = await self._connect()
            return self._bus

    async def _connect(self) -> MessageBus:
        self._owner = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                bus = await MessageBus(self._address, BusType.SYSTEM, negotiate_unix_fd=True).connect()
                bus.add_message_handler(self._heard)
                for rule in RULES:
                    await bus.call(Message(BUS, BUS_PATH, BUS, "AddMatch", signature="s", body=[rule]))
                owner = await bus.call(Message(BUS, BUS_PATH, BUS, "GetNameOwner", signature="s", body=[NAME]))
                if owner is not None and owner.message_type is MessageType.METHOD_RETURN:
                    self._owner = owner.body[0]  # else it is started by our first question, and the bus says so
        except (DBusError, DBusFastError, AuthError, OSError, EOFError, TimeoutError) as wrong:
            raise LogindFailed("connect", f"no D-Bus: {wrong or type(wrong).__name__}") from None
        return bus

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        said = message.sender, message.path, message.interface, message.member
        if said == (BUS, BUS_PATH, BUS, "NameOwnerChanged") and message.body[0] == NAME:
            self._owner = message.body[2] or None
        elif self._owner is not None and said == (self._owner, PATH, MANAGER, "PrepareForSleep"):
            self.on_sleep(bool(message.body[0]))
