"""Who may ask for what: ``allow=``, by the identity that the broker proves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol, Self

import pytest

from midflight.context import Context
from midflight.errors import NotAllowed, ProjectError
from midflight.objects.base import VersionedObject
from midflight.objects.registry import Registry
from midflight.objects.remote import remotable
from midflight.project import Project, Service
from midflight.rpc.client import Client
from midflight.rpc.interface import Contract, Interface, endpoint
from midflight.rpc.rights import Roles
from midflight.transports.base import ParkedMessage
from tests.rpc.world import Fleet, Member, counted


class SafeAPI(Interface, Protocol, topic="safe", version="1.0"):
    @endpoint(since="1.0", allow=["conductor", "clerk"])
    async def open(self, context: Context, name: str) -> str: ...

    @endpoint(since="1.0")
    async def look(self, context: Context, name: str) -> str: ...


@dataclass(frozen=True)
class Release:
    name: str
    contract: Contract
    errors: tuple[type[Exception], ...] = ()


RELEASE = Release("juno", Contract(Registry([], "bank"), [SafeAPI]))
SAFE = Client(SafeAPI, host="vault")


class Safe(SafeAPI):
    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    async def open(self, context: Context, name: str) -> str:
        assert context.caller is not None
        self.done.append((context.caller.service, name))
        if name == "jammed":
            raise RuntimeError(name)
        return name

    async def look(self, context: Context, name: str) -> str:
        return name


class Bank:
    """A safe, and whoever comes to it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.safe = fleet, Safe()
        self.vault: Member

    async def open(self) -> Self:
        self.vault = await self.fleet.member(RELEASE, "vault", "safe", roles=Roles(["clerk"], ["counter"]))
        await self.vault.serve(self.safe, "safe")
        return self

    async def who(self, service: str, host: str = "h1") -> Member:
        return await self.fleet.member(RELEASE, host, service)

    async def parked(self, count: int) -> list[ParkedMessage]:
        async with asyncio.timeout(60):
            while len(found := await self.vault.transport.parked()) != count:
                await asyncio.sleep(0.005)
        return found


@pytest.fixture
async def bank(fleet: Fleet) -> Bank:
    return await Bank(fleet).open()


async def test_who_is_allowed_is_served(bank: Bank) -> None:
    """A service that is named; and where the conductor is, each service that opens the database as well."""
    for service in ("clerk", "conductor", "counter"):
        assert await SAFE.call(SafeAPI.open, (await bank.who(service)).context, "gold") == "gold"
    assert bank.safe.done == [("clerk", "gold"), ("conductor", "gold"), ("counter", "gold")]


async def test_who_is_not_allowed_is_refused(bank: Bank) -> None:
    """A call ends in NotAllowed, a cast is parked, a fanout is passed over; none of it runs, and each is counted."""
    robber, before = await bank.who("robber"), counted("rpc.refused", kind="NotAllowed")
    expected = (
        r"^safe.open was refused, and did not run: robber@h1 may not ask for it, since that is for clerk and conductor "
        r"alone\.$"
    )
    with pytest.raises(NotAllowed, match=expected):
        await SAFE.call(SafeAPI.open, robber.context, "gold")
    await SAFE.cast(SafeAPI.open, robber.context, "gold")
    (parked,) = await bank.parked(1)
    await Client(SafeAPI).fanout(SafeAPI.open, robber.context, "gold")
    assert await SAFE.call(SafeAPI.look, robber.context, "gold") == "gold"
    assert (parked.facts["error"], str(parked.sender)) == ("NotAllowed", "robber@h1")
    assert (bank.safe.done, counted("rpc.refused", kind="NotAllowed") - before) == ([], 3)


async def test_a_replay_has_the_rights_of_who_sent_it_first(bank: Bank) -> None:
    """An operator has the vault do what the clerk may ask for; what the robber may not ask for is not done either."""
    clerk, robber, operator = [await bank.who(name) for name in ("clerk", "robber", "operator")]
    for member, name in ((clerk, "gold"), (robber, "silver")):
        bank.vault.dispatcher._serving.pop("safe", None)
        await SAFE.cast(SafeAPI.open, member.context, name)
    found = await bank.parked(2)
    bank.vault.dispatcher.add(bank.safe)
    for message in found:
        await operator.transport.replay(message, "act")
    await bank.parked(1)
    assert bank.safe.done == [("clerk", "gold")]


async def test_nobody_replays_what_is_not_his(bank: Bank) -> None:
    """Neither who sent it, nor another host of the same service: it stays parked, and is not run."""
    clerk, twin, operator = await bank.who("clerk"), await bank.who("safe", "other"), await bank.who("operator")
    bank.vault.dispatcher._serving.pop("safe")
    await SAFE.cast(SafeAPI.open, clerk.context, "gold")
    (message,) = await bank.parked(1)
    bank.vault.dispatcher.add(bank.safe)
    before = counted("rpc.refused", kind="NotAllowed")
    for number, who in enumerate((clerk, twin)):
        await who.transport.replay(message, f"act {number}")
    async with asyncio.timeout(60):
        while counted("rpc.refused", kind="NotAllowed") < before + 2:
            await asyncio.sleep(0.005)
    assert (bank.safe.done, await bank.parked(1)) == ([], [message])
    await operator.transport.replay(message, "act 3")
    await bank.parked(0)
    assert bank.safe.done == [("clerk", "gold")]


async def test_of_an_unknown_sender_only_what_is_for_everyone_runs(bank: Bank) -> None:
    """A message that was parked before it was noted who sent it."""
    clerk, operator = await bank.who("clerk"), await bank.who("operator")
    bank.vault.dispatcher._serving.pop("safe")
    await SAFE.cast(SafeAPI.open, clerk.context, "gold")
    (message,) = await bank.parked(1)
    bank.vault.dispatcher.add(bank.safe)
    await bank.vault.transport.discard(message.address, message.message_id)
    older = ParkedMessage(message.address, message.body, "older", {})
    await bank.vault.transport.park(older)
    before = counted("rpc.refused", kind="NotAllowed")
    await operator.transport.replay(older, "act")
    async with asyncio.timeout(60):
        while counted("rpc.refused", kind="NotAllowed") == before:
            await asyncio.sleep(0.005)
    assert (bank.safe.done, len(await bank.parked(1))) == ([], 1)


@pytest.mark.parametrize("allow", [(), "conductor", [1]])
def test_an_allow_that_lets_nobody_in_is_a_slip(allow: Any) -> None:
    """An empty one, one name instead of a list, and what is no name."""

    async def open_(self: Any, context: Context) -> None: ...

    with pytest.raises(ProjectError, match=r"open_: received allow=.*, expected names of roles"):
        endpoint(since="1.0", allow=allow)(open_)


def test_a_role_that_nobody_has_is_a_slip() -> None:
    """It is named when the project is built, with the roles that there are; in an endpoint, and in a remotable."""
    services = [Service("clerk", lambda runtime: None)]  # type: ignore[arg-type,return-value]  # it never runs
    Project("bank", interfaces=[SafeAPI], services=services)
    expected = r"SafeAPI.open: allow names 'clerk', which is no role: there are conductor, operator, guest"
    with pytest.raises(ProjectError, match=expected):
        Project("bank", interfaces=[SafeAPI])

    class Coin(VersionedObject, version="1.0"):
        name: str

        @remotable(allow=["thief"])
        async def melt(self) -> None: ...

    with pytest.raises(ProjectError, match=r"Coin.melt: allow names 'thief', which is no role"):
        Project("bank", objects=[Coin])
