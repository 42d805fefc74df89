"""A member's life in the fleet, with real services."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from midflight import service
from midflight.conductor.client import RemoteRegistrar
from midflight.conductor.interface import ConductorAPI, FleetView, Member, MemberAPI
from midflight.conductor.membership import ViewFile
from midflight.context import Context
from midflight.errors import ConfigError, InvalidValue, NotAllowed, NotDelivered, PinnedOut, UsageError, VersionRejected
from midflight.rpc.client import Client
from midflight.service import RunningService
from midflight.versions import Version
from tests.conductor import juno, kilo
from tests.conductor.world import CONDUCTOR, World, count_calls, eventually, fleet, member

COMPUTE, MEMBERS = Client(kilo.ComputeAPI), Client(MemberAPI)


async def all_obey(asked: Any, epoch: int) -> bool:
    return all(each.epoch == epoch for each in (await fleet(asked)).members)


async def test_a_pin_reaches_everybody_live(world: World) -> None:
    """A pin that one conductor sets is obeyed and acknowledged by every running member, another conductor included."""
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        patient: dict[str, Any] = {"release": kilo, "beat_seconds": 60.0}
        first = await start(world.running("conductor", "c1", **patient))
        members = [first] + [await start(world.running(*who, **patient)) for who in (
            ("conductor", "c2"), ("api", "a1"), ("agent", "h1"), ("agent", "h2"))]  # fmt: skip
        assert first.server is not None
        machine = kilo.Machine(name="a")
        agent = members[-1]
        assert await COMPUTE.on("h1").call(kilo.ComputeAPI.look, agent.context(), machine, loud=True) == "H1"
        epoch = await first.server.set_pin(first.context(), "*", "juno")
        await eventually(lambda: all_obey(agent, epoch))
        assert {each.floors.manifest_for("compute")["Machine"] for each in members} == {Version(1, 0)}
        with pytest.raises(PinnedOut, match=r"loud=True.* compute 3.36.* compute 3.35"):
            await COMPUTE.on("h1").call(kilo.ComputeAPI.look, agent.context(), machine, loud=True)
        assert await COMPUTE.on("h1").call(kilo.ComputeAPI.look, agent.context(), machine) == "h1"
        cleared = await CONDUCTOR.call(ConductorAPI.clear_pin, first.context(), "*")
        await eventually(lambda: all_obey(agent, cleared))
        assert cleared == epoch + 1
        assert await COMPUTE.on("h1").call(kilo.ComputeAPI.look, agent.context(), machine, loud=True) == "H1"


async def test_auto_floors(world: World) -> None:
    """Without a pin each message leaves in what its receiver understands; the floor rises when the old one leaves."""
    new = world.running("agent", "new", kilo, beat_seconds=60.0)  # a late beat makes nobody lost here
    async with world.running("conductor", release=kilo), new:
        old = world.running("agent", "old", beat_seconds=60.0)
        async with old, world.running("api", release=kilo) as api:
            context, machine = api.context(), kilo.Machine(name="a")
            assert api.floors.manifest_for("compute")["compute"] == Version(3, 35)
            assert await COMPUTE.on("old").call(kilo.ComputeAPI.look, context, machine) == "old"
            assert await COMPUTE.on("new").call(kilo.ComputeAPI.look, context, machine, loud=True) == "NEW"
            assert await COMPUTE.call(kilo.ComputeAPI.look, context, machine) in ("old", "new")
            with pytest.raises(PinnedOut, match="sing"):
                await COMPUTE.call(kilo.ComputeAPI.sing, context)
            assert await COMPUTE.on("new").call(kilo.ComputeAPI.sing, context) == "la"
        async with world.running("api", release=kilo) as api:
            await eventually(lambda: api.floors.manifest_for("compute")["compute"] == Version(3, 36))
            assert api.floors.hosts("compute") == ["new"]
            assert await COMPUTE.call(kilo.ComputeAPI.sing, api.context()) == "la"


async def test_a_rollback_is_told_at_once(world: World) -> None:
    """When a member comes back with an older release, the others learn of it before their next beats."""
    async with world.running("conductor", release=kilo):
        async with world.running("agent", "h1", kilo):
            stack = AsyncExitStack()
            api = await stack.enter_async_context(world.running("api", release=kilo, beat_seconds=60.0))
            assert api.floors.manifest_for("compute", "h1")["compute"] == Version(3, 36)
        async with stack, world.running("agent", "h1", juno):
            await eventually(lambda: api.floors.manifest_for("compute", "h1")["compute"] == Version(3, 35))


async def test_unknown_pins(world: World) -> None:
    """A pin to a release or a topic that nobody knows is refused, with the known ones, and changes nothing."""
    async with world.running("conductor") as conductor:
        for topic, release, said in (("*", "lima", "juno, kilo"), ("network", "juno", "compute, conductor, member")):
            with pytest.raises(UsageError, match=said):
                await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), topic, release)
        assert (await fleet(conductor)).epoch == 0


async def test_local_override(world: World) -> None:
    """A pin in a member's configuration wins there, is logged as a warning, and can be seen in the fleet."""
    own = world.running("api", release=kilo, levels={"compute": "juno"})
    with capture_logs() as logs:
        async with world.running("conductor", release=kilo) as conductor, own as api:
            assert api.floors.manifest_for("compute")["compute"] == Version(3, 35)
            assert api.floors.manifest_for("conductor")["Machine"] == Version(1, 1)
            assert (await member(conductor, api)).overrides == {"compute": "juno"}
    warned = [log for log in logs if log["event"] == "pin.overridden"]
    assert [(log["topic"], log["release"], log["log_level"]) for log in warned] == [("compute", "juno", "warning")]


@pytest.mark.parametrize(
    ("topic", "release", "said"), [("compute", "lima", "juno, kilo"), ("nothing", "juno", "compute")]
)
async def test_wrong_override(world: World, topic: str, release: str, said: str) -> None:
    """A configuration that pins what does not exist is refused, with its place and what there is."""
    with pytest.raises(ConfigError, match=rf"midflight.toml: \[upgrade_levels\] {topic}: .*{said}"):
        async with world.running("api", levels={topic: release}):
            pass


async def test_rejections_are_reported(world: World) -> None:
    """A version that a receiver rejects is in the journal with its sender: of a call, and of a cast. The receiver's log
    tells of one sender once a minute."""
    sender = world.running("api", "a1", kilo, levels={"compute": "kilo"})
    with capture_logs() as logs:
        async with world.running("conductor", release=kilo), world.running("agent", "h1"), sender as api:
            with pytest.raises(VersionRejected, match=r"api@a1 \(kilo\)"):
                await COMPUTE.on("h1").call(kilo.ComputeAPI.sing, api.context())
            await COMPUTE.on("h1").cast(kilo.ComputeAPI.sing, api.context())
            found = await eventually(lambda: _rejections(api, 2))
    for entry in found:
        facts = {name: entry.facts[name] for name in ("sender", "sender_release", "receiver", "method", "requested")}
        assert facts == {
            "sender": "api@a1", "sender_release": "kilo", "receiver": "agent@h1", "method": "compute.sing",
            "requested": "3.36",
        }  # fmt: skip
    sides = [log["side"] for log in logs if log["event"] == "rpc.version_rejected"]
    assert (sides.count("sender"), sides.count("receiver")) == (2, 1)


async def _rejections(asked: Any, number: int) -> Any:
    found = (await fleet(asked)).rejections
    return found if len(found) == number else None


async def test_an_agent_waits_for_its_first_conductor(world: World) -> None:
    """An agent that starts before any conductor says that it waits, and is ready as soon as one is there."""
    stop, ready = asyncio.Event(), asyncio.Event()

    async def agent() -> None:
        async with world.running("agent"):
            ready.set()
            await stop.wait()

    with capture_logs() as logs:
        running = asyncio.create_task(agent())
        await eventually(lambda: [log for log in logs if log["event"] == "member.waits"])
        assert not ready.is_set()
        async with world.running("conductor") as conductor:
            await asyncio.wait_for(ready.wait(), 60)
            assert (await member(conductor, "agent@h1")).topics == ["compute"]
            stop.set()
            await running


async def test_a_member_joins_and_beats_in_the_first_version(world: World) -> None:
    """A conductor of any age understands it, whatever the last one understood; other calls are in the newest words."""
    async with world.running("conductor"), world.running("agent") as agent:
        said = count_calls(agent, lambda request: f"{request.method} {request.version}")
        assert str(agent.floors.manifest_for("conductor")["conductor"]) == "1.3"
        await agent.membership._hello()
        await agent.membership.beat()
        await fleet(agent)
        await agent.membership.leave()
    assert {"hello 1.0", "beat 1.0", "fleet 1.3", "leave 1.0"} == set(said)


async def test_an_agent_works_alone_under_its_last_view(world: World) -> None:
    """An agent that knows a view from before starts without a conductor, obeys that view, and joins when one comes."""
    async with world.running("conductor", release=kilo) as conductor, world.running("agent", release=kilo):
        epoch = await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), "*", "juno")
        await eventually(lambda: all_obey(conductor, epoch))
    async with world.running("agent", release=kilo, call_seconds=0.2) as agent:
        assert agent.floors.epoch == epoch
        assert agent.floors.manifest_for("compute")["Machine"] == Version(1, 0)
        with pytest.raises(NotDelivered):
            await fleet(agent)
        async with world.running("conductor", release=kilo) as conductor:
            await eventually(lambda: _topics(conductor, "agent"))


def test_a_member_and_its_successor_keep_their_views_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are two processes with one file, in containers perhaps of one process id: neither takes the other's draft
    away."""
    file, write = tmp_path / "agent.view.msgpack", Path.write_bytes
    first, second = FleetView(id="1", epoch=1), FleetView(id="2", epoch=2)

    def between(path: Path, data: bytes) -> int:
        monkeypatch.setattr(Path, "write_bytes", write)
        written = path.write_bytes(data)
        ViewFile(file).write(second)
        return written

    monkeypatch.setattr(Path, "write_bytes", between)
    ViewFile(file).write(first)
    found = ViewFile(file).read()
    assert found is not None
    assert (found.epoch, [*tmp_path.iterdir()]) == (1, [file])


def test_no_draft_of_a_view_is_left(tmp_path: Path) -> None:
    """Neither by who could not keep it, nor for ever by who was killed; one of now is somebody's."""
    file, old, new = (tmp_path / name for name in ("agent.view.msgpack", "api.view.1.draft", "api.view.2.draft"))
    file.mkdir()
    for draft in (old, new):
        draft.touch()
    os.utime(old, (0, 0))
    with pytest.raises(ConfigError, match="the view of the fleet cannot be kept: Is a directory"):
        ViewFile(file).write(FleetView(id="1", epoch=1))
    assert {*tmp_path.iterdir()} == {file, new}


async def test_who_starts_takes_the_epoch_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an older view in its file, the answer to its hello, and a pin that is set while that is on its way, the pin
    holds before the application starts; also where the clock of whoever answered is ahead."""

    class Slow(RemoteRegistrar):
        """Its answer is there when a pin has overtaken it."""

        async def hello(self, context: Context, member: Member, manifest: dict[str, list[str]]) -> FleetView:
            view = await super().hello(context, member, manifest)
            if not member.topics:  # the first one, before the application starts
                epochs.append(await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), "*", "kilo"))
                await eventually(lambda: agent.floors.epoch == epochs[-1], seconds=60.0)
                assert view.at is not None
                view.at += timedelta(hours=1)
            return view

    epochs: list[int] = []
    async with world.running("conductor", release=kilo) as conductor:
        async with world.running("agent", release=kilo):
            epochs.append(await CONDUCTOR.call(ConductorAPI.set_pin, conductor.context(), "*", "juno"))
            await eventually(lambda: all_obey(conductor, epochs[0]), seconds=60.0)
        monkeypatch.setattr(service, "RemoteRegistrar", Slow)
        agent = RunningService(world.project(kilo), world.config("agent"), "agent", "h1")
        joined: list[int] = []
        monkeypatch.setattr(agent, "_application", _noting(agent, joined))
        async with AsyncExitStack() as stack:
            await agent._start(stack)
            assert joined == [epochs[1]] == [epochs[0] + 1]
            assert agent.floors.manifest_for("compute")["Machine"] == Version(1, 1)


def _noting(agent: RunningService, joined: list[int]) -> Any:
    start = agent._application

    def application() -> Any:
        joined.append(agent.floors.epoch)
        return start()

    return application


async def _topics(asked: Any, service: str) -> list[str]:
    return [topic for each in (await fleet(asked)).members if each.service == service for topic in each.topics]


async def test_a_conductor_restarts(world: World) -> None:
    """Work that begins while the only conductor is away is done when it is back; the agent is a member all along."""
    world.add("a")
    async with AsyncExitStack() as stack:
        async with world.running("conductor"):
            agent = await stack.enter_async_context(world.running("agent"))
        asked = asyncio.create_task(juno.Machine.get(agent.context(), "a"))
        async with world.running("conductor") as conductor:
            assert (await asked).name == "a"
            await eventually(lambda: _is_active(conductor, agent))
            await agent.membership.leave()


async def _is_active(asked: RunningService, of: RunningService) -> bool:
    return (await member(asked, of)).state == "active"


async def test_a_member_that_was_retired_joins_again(world: World) -> None:
    """A retired member that lives says hello at its next beat."""
    async with world.running("conductor") as conductor, world.running("agent") as agent:
        assert conductor.server is not None
        await conductor.server.retire_member(conductor.context(), agent.id)
        await eventually(lambda: _topics(conductor, "agent"))


async def test_a_beat_that_fails_is_not_the_last(world: World) -> None:
    """Whatever a beat meets is logged, and the next one comes."""
    with capture_logs() as logs:
        async with world.running("conductor") as conductor, world.running("agent") as agent:
            beat, failures = agent.membership._registrar.beat, [RuntimeError("odd"), NotDelivered(what="x", reason="y")]

            async def failing(*arguments: Any) -> Any:
                if failures:
                    raise failures.pop()
                return await beat(*arguments)

            agent.membership._registrar.beat = failing  # type: ignore[assignment,method-assign]
            await eventually(lambda: not failures)
            before = (await member(conductor, agent)).seen_at
            await eventually(lambda: _seen_since(conductor, agent, before))
    events = [log["event"] for log in logs]
    assert (events.count("member.beat_failed"), events.count("member.beat_missed")) == (1, 1)


async def _seen_since(asked: RunningService, of: RunningService, before: Any) -> bool:
    return bool((await member(asked, of)).seen_at != before)


async def test_a_storm_of_rejections_silences_nobody(world: World) -> None:
    """They are told in several beats, the latest of them, and the last ones on leaving; the fleet's facts still fit."""
    facts = dict.fromkeys(("sender", "sender_release", "sender_member", "method", "understood"), "x" * 60)
    async with world.running("conductor") as conductor:
        async with world.running("agent", "h7", beat_seconds=60.0) as agent:
            for number in range(5_000):
                agent.membership.note_rejected(facts | {"requested": str(number)})
            agent.membership._beat_now.set()
            await eventually(lambda: _last_rejected(agent, "4999"))
            assert "4950" in {entry.facts["requested"] for entry in (await fleet(agent)).rejections}
            await agent.membership.drain()
            agent.membership.note_rejected(facts | {"requested": "5000"})
            await agent.membership.leave()
        assert await _last_rejected(conductor, "5000")
        journaled = await CONDUCTOR.call(ConductorAPI.journal, conductor.context(), None)
        assert [entry.kind for entry in journaled].count("rpc.version_rejected") == 1_001


REJECTED = {"sender": "api@a1", "method": "compute.sing", "requested": "3.36"}


@pytest.mark.parametrize(
    "facts",
    [REJECTED | {"kind": "x", "connection": "y", "event": "z", "side": "q"}, REJECTED | {"big": "z" * 600_000},
     REJECTED | {"understood": "\N{SNOWMAN}" * 300_000}],
)  # fmt: skip
async def test_no_report_silences_the_member_that_is_told(world: World, facts: dict[str, str]) -> None:
    """Whatever a peer says of a rejection, its known facts reach the journal, cut, and the member's beats go on."""
    async with world.running("conductor") as conductor, world.running("agent", "h7") as agent:
        for _ in range(3):
            await MEMBERS.on(agent.id).call(MemberAPI.rejected, conductor.context(), facts)
        found = await eventually(lambda: _rejections(conductor, 3))
        before = (await member(conductor, agent)).seen_at
        await eventually(lambda: _seen_since(conductor, agent, before))
    for entry in found:
        assert entry.facts.items() >= REJECTED.items()
        assert entry.facts.keys() <= {*REJECTED, "understood"}
        assert all(len(fact.encode()) <= 500 for fact in entry.facts.values())


async def test_a_report_without_facts_is_refused(world: World) -> None:
    """Who tells a member of a rejection without saying of whom, of what and in which version gets a typed error."""
    async with world.running("conductor") as conductor:
        with pytest.raises(InvalidValue, match="received kind, expected the facts of a rejection, with sender, method"):
            await MEMBERS.on(conductor.id).call(MemberAPI.rejected, conductor.context(), {"kind": "x"})


async def test_empty_reports_in_a_beat_block_nothing(world: World) -> None:
    """A beat counts, its empty reports do not, and of the others no more than fit into one beat are taken."""
    reports = [{}, {"a": "b"}, *([REJECTED] * 5_000)]
    async with world.running("conductor") as conductor, world.running("agent") as agent:
        arguments = agent.id, "active", 0, "", reports
        await CONDUCTOR.call(ConductorAPI.beat, agent.context(), *arguments)
        kept = [entry.facts for entry in (await fleet(conductor)).rejections]
    assert 0 < len(kept) <= 100
    assert [facts for facts in kept if facts != REJECTED] == []


async def test_a_report_that_the_conductor_refuses_is_not_told_again(world: World) -> None:
    """Reports are kept for the next beat only where nobody heard them: those that make a beat fail are let go."""
    told: list[int] = []
    async with world.running("conductor"), world.running("agent", beat_seconds=60.0) as agent:
        failures: list[Exception] = [RuntimeError("odd"), NotDelivered(what="x", reason="y")]

        async def failing(*arguments: Any) -> Any:
            told.append(len(arguments[-1]))
            if failures:
                raise failures.pop()

        agent.membership._registrar.beat = failing  # type: ignore[assignment,method-assign]
        agent.membership.note_rejected(REJECTED)
        for _ in range(3):
            await agent.membership.beat()
    assert told[:3] == [1, 1, 0]


async def _last_rejected(asked: RunningService, requested: str) -> bool:
    rejections = (await fleet(asked)).rejections
    return bool(rejections) and rejections[-1].facts["requested"] == requested


async def test_nobody_speaks_for_a_member_of_another_host(world: World) -> None:
    """A hello, a beat or a farewell for somebody else is refused, and that member stays as it was."""
    async with AsyncExitStack() as stack:
        conductor, agent, rogue = [
            await stack.enter_async_context(world.running(service, host))
            for service, host in (("conductor", "h1"), ("agent", "h1"), ("agent", "h2"))
        ]
        said = ("id", "service", "host", "release", "manifest", "topics")
        found = await member(conductor, agent)
        lie = Member(**{name: getattr(found, name) for name in said}, state="draining")
        refused = "agent@h2 may not ask for it, since the member 'agent.h1"
        with pytest.raises(NotAllowed, match=refused):
            await CONDUCTOR.call(ConductorAPI.hello, rogue.context(), lie, rogue.contract.manifest.to_wire())
        with pytest.raises(NotAllowed, match=refused):
            await CONDUCTOR.call(ConductorAPI.beat, rogue.context(), agent.id, "draining", 0, "", [])
        with pytest.raises(NotAllowed, match=refused):
            await CONDUCTOR.call(ConductorAPI.leave, rogue.context(), agent.id)
        assert (await member(conductor, agent)).state == "active"
