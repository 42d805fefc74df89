"""What the printed configuration allows: all that an application does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from midflight.conductor.interface import ConductorAPI
from midflight.config import Config
from midflight.errors import NotAllowed
from midflight.guest import connect
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports import nats_store
from midflight.transports.base import Address, Identity, ParkedMessage
from midflight.upgrade import doctor
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.verdict import Status
from tests.rights.cloud import COMPUTE, DONE, ComputeAPI, Machine, project
from tests.rights.conftest import OPERATOR, Site
from tests.transports.recorder import eventually


async def start(stack: AsyncExitStack, site: Site, service: str, host: str) -> RunningService:
    """One member, until the end of the block."""
    config: Config = site.config(Identity(service, host))
    return await stack.enter_async_context(RunningService.running(project, config, service, host))


async def test_a_fleet_works_under_its_rights(site: Site) -> None:
    """Hello, beats, calls, small ones and large ones, casts to hosts and topics, repeats, fanouts, remotables, signs of
    life, cancelled calls, pins, parked messages, an operator and a guest: all of it goes, and the broker refuses
    nothing."""
    DONE.clear()
    seen = len(site.log())
    async with AsyncExitStack() as stack:
        conductor = await start(stack, site, "conductor", "c1")
        await start(stack, site, "conductor", "c2")
        one, two = [await start(stack, site, "compute", host) for host in ("host1", "host2")]
        api = await start(stack, site, "api", "a1")
        context = api.context()
        assert await COMPUTE.on("host1").call(ComputeAPI.reboot, context, "a") == "a on host1"
        assert (await COMPUTE.call(ComputeAPI.reboot, context, "a")).startswith("a on host")
        large = "large" * 500_000
        assert await COMPUTE.on("host1").within(60).call(ComputeAPI.reboot, context, large) == f"{large} on host1"
        assert await COMPUTE.on("host2").within(60).call(ComputeAPI.reboot, context, "b", 3.0) == "b on host2"
        assert await COMPUTE.on("host1").call(ComputeAPI.look, context, "c") == "c"
        assert (await Machine.get(one.context(), "d")).name == "d"
        given_up = asyncio.create_task(COMPUTE.on("host1").call(ComputeAPI.reboot, context, "e", 30.0))
        await asyncio.sleep(0.5)
        given_up.cancel()
        await COMPUTE.on("host1").cast(ComputeAPI.start, context, "cast")
        await COMPUTE.on("host2").cast(ComputeAPI.start, context, "flaky")
        for number in range(4):
            await COMPUTE.cast(ComputeAPI.start, context, f"shared {number}")
        await COMPUTE.fanout(ComputeAPI.start, context, "all")
        await eventually(lambda: len(DONE) == 1 + 2 + 4 + 2)
        async with operating(site.config(OPERATOR), project) as operator:
            fleet = await operator.fleet()
            assert {f"{m.service}@{m.host}" for m in fleet.members} == {
                "conductor@c1", "conductor@c2", "compute@host1", "compute@host2", "api@a1",
            }  # fmt: skip
            epoch = await operator.clear_pin("*")
            assert await operator.wait_for(epoch, 60) == []
            await api.transport.cast(Address("compute", "host2"), b"no message", "garbage")
            assert await operator.discard(await until_parked(operator, Address("compute")))
            await two.transport.park(await unsent(api, "later"))
            await operator.replay(await until_parked(operator, Address("compute", "host2")))
            await eventually(lambda: ("host2", "later") in DONE)
            async with asyncio.timeout(60):
                while await operator.parked():
                    await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            with await asyncio.to_thread(connect, project, site.config(identity_of_guest())) as guest:
                found = await asyncio.to_thread(guest.fleet) if hasattr(guest, "fleet") else None
            assert found is None or found.members
        assert (await Client(ConductorAPI).call(ConductorAPI.fleet, conductor.context())).members
    assert refusals(site, seen) == []


def identity_of_guest() -> Identity:
    return Identity("guest", OPERATOR.host)


async def unsent(api: RunningService, name: str) -> ParkedMessage:
    """A cast that host2 has not been sent, as it would be parked there."""
    sent: list[ParkedMessage] = []

    async def kept(address: Address, body: bytes, message_id: str) -> None:
        sent.append(ParkedMessage(address, body, message_id, {}, Identity("api", "a1")))

    cast, api.transport.cast = api.transport.cast, kept  # type: ignore[method-assign]
    await COMPUTE.on("host2").cast(ComputeAPI.start, api.context(), name)
    api.transport.cast = cast  # type: ignore[method-assign]
    return sent[0]


async def until_parked(operator: Operator, address: Address) -> ParkedMessage:
    """The one message that is parked."""
    async with asyncio.timeout(60):
        while not (found := await operator.parked()):
            await asyncio.sleep(0.05)
    assert [message.address for message in found] == [address]
    return found[0]


def refusals(site: Site, seen: int) -> list[str]:
    """What the broker has refused since, by its log."""
    words = {"nats": ("Violation",), "rabbit": ("access_refused", "refused for user")}[site.kind]
    return [line for line in site.log()[seen:].splitlines() if any(word in line for word in words)]


async def test_what_the_broker_does_not_take_is_told_at_once(site: Site) -> None:
    """A call and a cast for which an agent has no rights end in NotAllowed that says so, long before their deadline;
    and the agent works on."""
    async with AsyncExitStack() as stack:
        await start(stack, site, "conductor", "c1")
        one, _ = [await start(stack, site, "compute", host) for host in ("host1", "host2")]
        began = asyncio.get_running_loop().time()
        expected = "compute@host1 may not ask for it, since the broker does not let it send to compute@host2"
        with pytest.raises(NotAllowed, match=expected):
            await COMPUTE.on("host2").within(60).call(ComputeAPI.reboot, one.context(), "a")
        with pytest.raises(NotAllowed, match=expected):
            await COMPUTE.on("host2").cast(ComputeAPI.start, one.context(), "a")
        assert asyncio.get_running_loop().time() - began < 30
        assert (await Machine.get(one.context(), "d")).name == "d"


async def test_a_doctor_with_the_credentials_of_a_service_does_not_know(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fleet tells it nothing, though all may be well; and with those of an operator it does."""
    async with AsyncExitStack() as stack:
        await start(stack, site, "conductor", "c1")
        with monkeypatch.context() as impatient:
            impatient.setattr(nats_store, "STORE_SECONDS", 0.1)
            agent = await doctor.fleet(site.config(Identity("compute", "host1")), project)
        operator = await doctor.fleet(site.config(OPERATOR), project)
    assert [(each.part, each.status) for each in agent] == [("rights", Status.UNKNOWN)]
    assert agent[0].words.startswith(f"the credentials here are not those of {OPERATOR}, who may ask: ")
    assert [each.part for each in operator][:2] == ["broker", "conductor"]
