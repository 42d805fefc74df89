"""What the printed configuration allows: all that an application does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from midflight.conductor.interface import ConductorAPI
from midflight.config import Config
from midflight.guest import connect
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.transports.base import Address, Identity, ParkedMessage
from midflight.upgrade.operator import operating
from tests.rights.cloud import COMPUTE, DONE, ComputeAPI, Machine, project
from tests.rights.conftest import OPERATOR, Site
from tests.transports.recorder import eventually


async def start(stack: AsyncExitStack, site: Site, service: str, host: str) -> RunningService:
    """One member, until the end of the block."""
    config: Config = site.config(Identity(service, host))
    return await stack.enter_async_context(RunningService.running(project, config, service, host))


async def test_a_fleet_works_under_its_rights(site: Site) -> None:
    """Hello, beats, calls, casts to hosts and topics, repeats, fanouts, remotables, signs of life, cancelled calls,
    pins, parked messages, an operator and a guest: all of it goes, and the broker refuses nothing."""
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
        assert await COMPUTE.on("host2").within(8).call(ComputeAPI.reboot, context, "b", 3.0) == "b on host2"
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
            assert await operator.wait_for(epoch, 5) == []
            two._dispatcher._serving.pop("compute")
            await COMPUTE.on("host2").cast(ComputeAPI.start, context, "later")
            parked = await until_parked(operator)
            two._dispatcher._serving["compute"] = one._dispatcher._serving["compute"]
            await operator.replay(parked)
            await eventually(lambda: ("host1", "later") in DONE)
        async with asyncio.timeout(20):
            with await asyncio.to_thread(connect, project, site.config(identity_of_guest())) as guest:
                found = await asyncio.to_thread(guest.fleet) if hasattr(guest, "fleet") else None
            assert found is None or found.members
        assert (await Client(ConductorAPI).call(ConductorAPI.fleet, conductor.context())).members
    assert refusals(site, seen) == []


def identity_of_guest() -> Identity:
    return Identity("guest", OPERATOR.host)


async def until_parked(operator: object) -> ParkedMessage:
    """The one message that is parked."""
    async with asyncio.timeout(10):
        while not (found := await operator.parked()):  # type: ignore[attr-defined]  # an Operator
            await asyncio.sleep(0.05)
    assert [message.address for message in found] == [Address("compute", "host2")]
    message: ParkedMessage = found[0]
    return message


def refusals(site: Site, seen: int) -> list[str]:
    """What the broker has refused since, by its log."""
    words = {"nats": ("Violation",), "rabbit": ("access_refused", "refused for user")}[site.kind]
    return [line for line in site.log()[seen:].splitlines() if any(word in line for word in words)]
