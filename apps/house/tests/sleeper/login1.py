"""The login manager of python3-dbusmock (Debian's package, run by Debian's Python), and what its tests let it do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
MOCK = "org.freedesktop.DBus.Mock"
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>
"""
START_SECONDS = 30


@contextlib.contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """Start both, and end them."""
    (folder / "bus.conf").write_text(CONFIGURATION.format(folder=folder))
    daemon = ["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--print-address=1"]
    mock = ["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind", "--logfile", f"{folder}/mock.log"]
    with subprocess.Popen(daemon, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            address = first.stdout.readline().strip()
            environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address}
            environment.pop("PYTHONPATH", None)
            with subprocess.Popen(mock, env=environment, stderr=subprocess.PIPE) as second:
                try:
                    yield address
                finally:
                    second.terminate()
        finally:
            first.terminate()


class Login1:
    """The mock's own interface."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.called: asyncio.Queue[str] = asyncio.Queue()
        """What the manager was asked to do that moves the machine, in its order."""
        bus.add_message_handler(self._note)

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, address: str) -> AsyncIterator[Self]:
        bus = await MessageBus(address, BusType.SYSTEM, negotiate_unix_fd=True).connect()
        login1 = cls(bus)
        await login1._wait_until_there()
        rule = f"type='signal',interface='{MOCK}',member='MethodCalled',path='{PATH}'"
        await login1._ask(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", rule
        )
        await login1.mock("Reset")
        yield login1
        bus.disconnect()

    async def _wait_until_there(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while True:
                said = await self._ask(
                    "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", NAME
                )
                if said == [True]:
                    return
                await asyncio.sleep(0.05)

    def _note(self, message: Message) -> None:
        if message.member == "MethodCalled" and message.body[0] in ("Suspend", "Hibernate", "PowerOff"):
            self.called.put_nowait(message.body[0])

    async def mock(self, member: str, signature: str = "", *body: Any, path: str = PATH) -> list[Any]:
        return await self._ask(NAME, path, MOCK, member, signature, *body)

    async def _ask(self, name: str, path: str, interface: str, member: str, signature: str, *body: Any) -> list[Any]:
        reply = await self._bus.call(Message(name, path, interface, member, signature=signature, body=list(body)))
        assert reply is not None
        assert reply.message_type is MessageType.METHOD_RETURN, reply.body
        found: list[Any] = reply.body
        return found

    async def session(self, number: str, user: str, **properties: Variant) -> None:
        """Somebody logs in."""
        (path,) = await self.mock("AddSession", "ssusb", number, "seat0", 1000, user, True)
        await self.mock("UpdateProperties", "sa{sv}", "org.freedesktop.login1.Session", properties, path=path)

    async def locks(self) -> list[list[str]]:
        """The inhibitor locks that are held: what, who, why, mode."""
        (found,) = await self._ask(NAME, PATH, MANAGER, "ListInhibitors", "")
        return [list(lock[:4]) for lock in found]

    async def prepare_for_sleep(self, begins: bool) -> None:
        """Say that sleep begins, or that it is over."""
        await self.mock("EmitSignal", "sssav", MANAGER, "PrepareForSleep", "b", [Variant("b", begins)])

    async def until_locks(self, count: int) -> None:
        """The machine suspends when nobody delays it any more."""
        async with asyncio.timeout(START_SECONDS):
            while len(await self.locks()) != count:
                await asyncio.sleep(0.01)

    async def block(self, what: str, why: str) -> int:
        """As `systemd-inhibit --who=make` does; whoever has the lock closes it."""
        reply = await self._bus.call(
            Message(NAME, PATH, MANAGER, "Inhibit", signature="ssss", body=[what, "make", why, "block"])
        )
        assert reply is not None
        fd: int = reply.unix_fds[reply.body[0]]
        return fd
