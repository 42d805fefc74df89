import asyncio

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from house.sleeper import logind as login
from house.sleeper.logind import Logind
from tests.sleeper.login1 import Login1


def signal(to: str | None, path: str, interface: str, member: str, signature: str, *body: object) -> Message:
    return Message(
        destination=to, path=path, interface=interface, member=member, signature=signature, body=list(body),
        message_type=MessageType.SIGNAL,
    )  # fmt: skip


async def test_only_logind_says_that_the_machine_sleeps(bus: str, logind: Logind, login1: Login1) -> None:
    """Anybody may send such a signal, to all or to us alone, and say that the name is theirs; and logind's own counts
    only for what it is."""
    heard: asyncio.Queue[bool] = asyncio.Queue()
    logind.on_sleep = heard.put_nowait
    await logind.listen()
    somebody = await MessageBus(bus, BusType.SYSTEM).connect()
    names = await somebody.call(Message(login.BUS, login.BUS_PATH, login.BUS, "ListNames"))
    assert names is not None
    ours = login.NAME, "", somebody.unique_name
    for to in (None, *(name for name in names.body[0] if name.startswith(":"))):
        await somebody.send(signal(to, login.BUS_PATH, login.BUS, "NameOwnerChanged", "sss", *ours))
        await somebody.send(signal(to, login.PATH, login.MANAGER, "PrepareForSleep", "b", True))
    await somebody.call(Message(login.BUS, login.BUS_PATH, login.BUS, "GetId"))  # all of it is through
    await login1.mock("EmitSignal", "sssav", login.SESSION, "PrepareForSleep", "b", [Variant("b", True)])
    await login1.prepare_for_sleep(False)
    async with asyncio.timeout(10):
        assert await heard.get() is False
    assert heard.empty()
    somebody.disconnect()
