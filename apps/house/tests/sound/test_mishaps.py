"""An agent goes on where one thing is wrong: with its configuration, its file, the house, or an engine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from house.names import ALL
from house.objects.group import Group
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.wiring import Wiring
from house.playing import Engine, Playing, Sent
from house.sound import agent as agents
from house.sound import keeper as keepers
from house.sound import orders
from house.sound.agent import Agent
from house.sound.driver import Driver
from house.sound.errors import EngineDead
from house.sound.file import WantedFile
from house.sound.heard import FeedHeard, Heard, RoomHeard
from house.sound.keeper import Keeper
from house.sound.nap import Nap
from house.sound.settings import RoomSettings, settings
from house.sound.wanted import Feed, Room, Wanted
from midflight import ConfigError, Context, NotDelivered


class Stirring:
    """An engine that stirs all the time; what it is asked to do goes wrong with ``wrong``, and that is all ``heard`` of
    it."""

    def __init__(self, wrong: Exception | None = None, heard: Heard | None = None) -> None:
        self.wrong, self.heard = wrong, heard or Heard(troubles=("could not unload it",))
        self.applied: list[Wanted] = []
        self.holds: list[str] = []
        """What is done to take out what is in it."""
        self.started = False
        """Whether it was to be started where it did not run."""

    async def ready(self, *, start: bool = True) -> bool:
        self.started |= start
        if self.wrong:
            raise self.wrong
        return False

    def need(self, wanted: Wanted) -> None:
        return

    async def apply(self, wanted: Wanted, *, rehearse: bool = False) -> list[str]:
        if not rehearse:
            self.applied.append(wanted)
        held, self.holds = self.holds, []
        return [*held, *(f"play in {room.name}" for room in wanted.rooms)]

    async def look(self, wanted: Wanted) -> Heard:
        return self.heard

    async def stirred(self) -> None:
        return

    async def close(self) -> None:
        return


def agent(context: Context, folder: Path, *rooms: str, left: Driver | None = None) -> Agent:
    """That of the host ``station``, with these rooms in its configuration; it had Snapcast, where that is ``left``."""
    given = {name: RoomSettings() for name in rooms}
    return Agent(
        "station", {Engine.PULSE_RTP: Stirring()}, given, WantedFile(folder / "state/sound.json"), lambda: context,
        Nap(contextlib.nullcontext), {} if left is None else {Engine.SNAPCAST: left},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine that tests is, the house answers in time, and files are written."""
    monkeypatch.setattr(agents, "WRITE_SECONDS", 3600.0)
    monkeypatch.setattr(agents, "HEARD_SECONDS", 3600.0)


async def troubles(context: Context) -> tuple[str, ...]:
    """What the house knows of the host's."""
    (host,) = (await PatchBay.get(context)).hosts
    return host.troubles


@pytest.mark.parametrize("has_run", [False, True])
async def test_an_agent_with_nothing_to_do_rests(has_run: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is wanted of an engine that has not run, or does so no more, it is looked at once in a while,
    though it says at once that something has changed; and nothing is left to be done."""
    monkeypatch.setattr(keepers, "LOOK_SECONDS", 3600.0)
    engine, rounds = Stirring(heard=Heard()), list[int]()
    keeper = Keeper(Engine.PULSE_RTP, engine, Wanted("station"), lambda: rounds.append(1))
    if has_run:
        keeper.want(Wanted("station", (), (Room("hall"),)))
        await keeper.step()
        keeper.want(Wanted("station"))
        engine.wrong = EngineDead("PulseAudio", "it does not run")
        await keeper.step()
        keeper._wake.clear()
    keeping = asyncio.create_task(keeper.keep())
    for _ in range(1000):
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert (len(rounds), keeper.settled) == (1, True)


async def test_what_an_agent_that_was_killed_has_left() -> None:
    """An engine of which nothing is wanted is looked at until nothing of the house's is in it, as the signal of a test.
    It is not started for that, and left alone afterwards."""
    engine = Stirring(EngineDead("PulseAudio", "it does not run"), heard=Heard())
    keeper = Keeper(Engine.SNAPCAST, engine, Wanted("station"), lambda: None)
    await keeper.step()
    assert (engine.started, engine.applied, keeper.troubles) == (False, [], ())
    engine.wrong, engine.holds = None, ["end snapclient"]
    for _ in range(4):
        await keeper.step()
    assert (engine.started, engine.applied, keeper.troubles) == (False, [Wanted("station")] * 2, ())
    keeper.want(Wanted("station", (), (Room("hall"),)))
    await keeper.step()
    assert engine.started


async def test_what_is_wanted_is_not_told_as_heard() -> None:
    """What is said of a room is of the stream that it played when it was looked at, also when another one is wanted by
    now; nothing is said of a room that is not this engine's any more."""
    radio = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)
    news = msgspec.structs.replace(radio, name="news")
    engine = Stirring(heard=Heard({"hall": RoomHeard(Playing.PLAYING)}, {"radio": FeedHeard(Sent.SENDING)}))
    keeper = Keeper(Engine.PULSE_RTP, engine, Wanted("station", (radio,), (Room("hall", feed=radio),)), lambda: None)
    await keeper.step()
    keeper.want(Wanted("station", (radio, news), (Room("hall", feed=news),)))
    assert [(room.player, room.stream) for room in keeper.told()[0]] == [("hall", "radio")]
    await keeper.step()
    assert [(room.player, room.stream) for room in keeper.told()[0]] == [("hall", "news")]
    assert [sent.stream for sent in keeper.told()[1]] == ["radio"]
    keeper.want(Wanted("station"))
    assert keeper.told() == ([], [])


async def test_a_trouble_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody had foreseen is in the log with its traceback the first time, and not again while it stays
    the same."""
    monkeypatch.setattr(keepers, "LOOK_SECONDS", 0.0)
    rounds = list[int]()
    keeper = Keeper(
        Engine.PULSE_RTP, Stirring(KeyError("sink")), Wanted("station", (), (Room("hall"),)), lambda: rounds.append(1)
    )
    with capture_logs() as logged:
        keeping = asyncio.create_task(keeper.keep())
        while len(rounds) < 5:
            assert not keeping.done()
            await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert [each["event"] for each in logged] == ["sound.step_failed", "sound.engine_fails"]
    assert keeper.troubles == ("KeyError: 'sink'",)


async def test_a_rehearsal(context: Context, tmp_path: Path) -> None:
    """Of an agent that rehearses the house is told what it would do, and nothing is done to its engine, nor taken out
    of another one."""
    engine, gone = Stirring(heard=Heard()), Stirring()
    hall = Agent(
        "station", {Engine.PULSE_RTP: engine}, {"hall": RoomSettings()}, WantedFile(tmp_path / "sound.json"),
        lambda: context, Nap(contextlib.nullcontext), {Engine.SNAPCAST: gone}, rehearses=True,
    )  # fmt: skip
    await hall.report()
    await hall.keepers[0].step()
    await hall._leave()
    await hall.report()
    assert await troubles(context) == ("rehearses, and would play in hall",)
    assert engine.applied == gone.applied == []


async def test_what_is_no_rooms_trouble_is_told(context: Context, tmp_path: Path) -> None:
    """What an engine could not do for no room and no stream is a trouble of its host."""
    hall = agent(context, tmp_path, "hall")
    await hall.report()
    await hall.keepers[0].step()
    await hall.report()
    assert await troubles(context) == ("could not unload it",)


async def test_a_file_that_cannot_be_written(context: Context, tmp_path: Path) -> None:
    """What is wanted is done all the same, the house is told, and the file is written as soon as it can be."""
    (tmp_path / "state").write_text("it is no folder")
    hall = agent(context, tmp_path, "hall")
    await hall.report()
    assert [room.name for room in hall.keepers[0].wanted.rooms] == ["hall"]
    await hall.report()
    (told,) = await troubles(context)
    assert f"could not be written to {tmp_path}/state/sound.json" in told
    (tmp_path / "state").unlink()
    await hall.report()
    await hall.report()
    assert await troubles(context) == ()
    assert [room.name for room in WantedFile(tmp_path / "state/sound.json").read()["pulse-rtp"].rooms] == ["hall"]


async def test_rooms_do_not_wait_for_the_file(context: Context, tmp_path: Path) -> None:
    """An engine is told what is wanted, and the agent answers, while the file is still being written."""
    hall, written = agent(context, tmp_path, "hall"), threading.Event()
    hall._file.write = lambda wanted: written.wait(60)  # type: ignore[method-assign, assignment, return-value]
    reporting = asyncio.create_task(hall.report())
    while not hall.keepers[0].wanted.rooms:
        assert not reporting.done()
        await asyncio.sleep(0.01)
    assert not reporting.done()
    written.set()
    await reporting


async def test_a_file_that_takes_long(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is still being written, reports are heard, rooms are told what else is wanted, and no second thread
    writes; that is written afterwards."""
    monkeypatch.setattr(agents, "WRITE_SECONDS", 0.0)
    hall, begun = agent(context, tmp_path, "hall"), list[dict[str, Wanted]]()
    write, write_on, one = hall._file.write, threading.Event(), threading.Lock()

    def slowly(wanted: dict[str, Wanted]) -> None:
        assert one.acquire(blocking=False)
        begun.append(wanted)
        assert write_on.wait(60)
        write(wanted)
        one.release()

    monkeypatch.setattr(hall._file, "write", slowly)
    await hall._try_to_report()
    while not begun:
        await asyncio.sleep(0.01)
    hall._rooms = {**hall._rooms, "attic": RoomSettings()}
    for _ in range(3):
        await hall._try_to_report()
        assert not hall._deaf
    assert {room.name for room in hall.keepers[0].wanted.rooms} == {"attic", "hall"}
    assert len(begun) == 1
    write_on.set()
    while len(begun) < 2 or hall._file.read() != begun[1]:
        await hall._try_to_report()
    assert {room.name for room in begun[1]["pulse-rtp"].rooms} == {"attic", "hall"}


async def test_a_report_that_nobody_had_foreseen(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent reports again after an error of any kind."""
    monkeypatch.setattr(agents, "REPORT_SECONDS", 0.0)
    asked = list[int]()

    def new_context() -> Context:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError
        return context

    hall = agent(context, tmp_path, "hall")
    hall._context = new_context
    reports = asyncio.create_task(hall.report_for_ever())
    while not hall.keepers[0].wanted.rooms:
        assert not reports.done()
        await asyncio.sleep(0.01)
    reports.cancel()
    await asyncio.gather(reports, return_exceptions=True)


async def test_a_house_that_does_not_hear(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that is refused, or that nobody answers, is told again soon, and that the house is deaf is logged once;
    after one that is heard the agent rests."""
    monkeypatch.setattr(agents, "HEARD_SECONDS", 0.01)
    monkeypatch.setattr(agents, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(agents, "REPORT_SECONDS", 3600.0)
    hall, reports, heard = agent(context, tmp_path, "hall"), list[int](), asyncio.Event()
    wiring = await hall._ask(context)

    async def ask(_: Context) -> Wiring:
        reports.append(1)
        match len(reports):
            case 1 | 2:
                raise NotDelivered(what="conductor.run", reason="nobody listened")
            case 3:
                await asyncio.Event().wait()
        heard.set()
        return wiring

    monkeypatch.setattr(hall, "_ask", ask)
    with capture_logs() as logged:
        reporting = asyncio.create_task(hall.report_for_ever())
        await heard.wait()
        for _ in range(1000):
            await asyncio.sleep(0)
    reporting.cancel()
    await asyncio.gather(reporting, return_exceptions=True)
    assert len(reports) == 4
    assert [each["event"] for each in logged] == ["sound.unheard"]


async def test_an_engine_that_was_taken_out_of_the_configuration(context: Context, tmp_path: Path) -> None:
    """All of the house's is taken out of it, once the house has told what the others are to do and they do it; where it
    does not answer, that is a trouble of the host, and tried again, by the next agent, too. Its rooms say why they are
    silent."""
    gone = Stirring(EngineDead("PulseAudio", "it does not answer"))
    WantedFile(tmp_path / "state/sound.json").write({"snapcast": Wanted("station", (), (Room("attic"),))})
    for left in (gone, gone):
        hall = agent(context, tmp_path, "hall", left=left)
        await hall.report()
        assert WantedFile(tmp_path / "state/sound.json").read().keys() == {"snapcast", "pulse-rtp"}
        await hall._leave()
        assert gone.applied == []
        await hall.keepers[0].step()
        await hall._leave()
        await hall.report()
        assert "snapcast, which station has no more, may still play" in "".join(await troubles(context))
    gone.wrong = None
    await hall._leave()
    await hall._leave()
    assert gone.applied == [Wanted("station")]
    assert WantedFile(tmp_path / "state/sound.json").read().keys() == {"pulse-rtp"}
    await hall.report()
    assert "snapcast" not in "".join(await troubles(context))


@pytest.mark.parametrize("name", ["living room", "", "x" * 64, ALL])
def test_names_in_the_configuration(name: str) -> None:
    """A room that could not be called so is refused when the configuration is read, by its name."""
    with pytest.raises(ConfigError, match=f"rooms: received the name {name!r}, expected "):
        settings({"sound": {"rooms": {"kitchen": {}, name: {}}}})
    assert set(settings({"sound": {"rooms": {"kitchen": {}}}}).rooms) == {"kitchen"}


async def test_a_room_that_the_house_refuses(context: Context, tmp_path: Path) -> None:
    """A room with the name of a group, or of another host's room, is a trouble of its host, and the other rooms are
    known; it is known, too, as soon as the name is free."""
    await Player(context=context, name="attic", host="nas").create()
    await Group(context=context, name="upstairs", players=["attic"]).create()
    hall = agent(context, tmp_path, "attic", "hall", "upstairs")
    hall._rooms = {**hall._rooms, "cellar": RoomSettings(sink="x" * 256)}
    await hall.report()
    assert [room.name for room in hall.keepers[0].wanted.rooms] == ["hall"]
    attic, cellar, upstairs = await troubles(context)
    assert attic == "[app.sound.rooms.attic] is passed over: the house has a room 'attic' already"
    assert cellar.startswith("[app.sound.rooms.cellar] is passed over: ")
    assert upstairs.startswith("[app.sound.rooms.upstairs] is passed over: the house has a group 'upstairs' already")
    group = await Group.get(context, "upstairs")
    await group.destroy()
    await hall.report()
    assert [room.name for room in hall.keepers[0].wanted.rooms] == ["hall", "upstairs"]
    assert len(await troubles(context)) == 2


async def test_a_room_that_was_forgotten(context: Context, tmp_path: Path) -> None:
    """Its agent, which has it in its configuration, makes it known again with its next report."""
    hall = agent(context, tmp_path, "hall")
    await hall.report()
    await (await Player.get(context, "hall")).destroy()
    await hall.report()
    assert (await Player.get(context, "hall")).host == "station"


def test_reasons_are_cut() -> None:
    """A reason of any length is told in as many characters as the house can keep, and a short one as it is."""
    feed = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)
    long = orders.hearing(Room("hall"), RoomHeard(Playing.BROKEN, "x" * 300), 0).why
    assert long == "x" * 254 + "…"
    assert orders.sending(feed, Engine.PULSE_RTP, FeedHeard(Sent.BROKEN, "x" * 300), 0).why == long
    assert orders.sending(feed, Engine.PULSE_RTP, FeedHeard(Sent.BROKEN, "x" * 255), 0).why == "x" * 255
