"""The driver of PulseAudio, where PulseAudio, a radio or somebody in the network does what nobody wants."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from pulsectl import PulseError

from house.sound.errors import EngineDead, EngineError, NoEngine, WrongEngine
from house.sound.pulse import feeding as feedings
from house.sound.pulse.feeding import Feeding, label
from house.sound.pulse.server import Server
from house.sound.pulse_rtp import announcer as announcers
from house.sound.pulse_rtp import sap
from house.sound.pulse_rtp.announcer import Announcer
from house.sound.pulse_rtp.driver import PulseRtp
from house.sound.settings import PulseSettings
from house.sound.wanted import Feed, Room, Wanted

RADIO = Feed("radio", "sink", "", "station", "239.255.12.1", 5004)


async def test_a_slow_radio_is_begun_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a radio has not answered yet, none is begun beside it; when it has taken too long, its process ends before
    another one begins."""
    monkeypatch.setattr(feedings, "BEGIN_SECONDS", 0.0)
    feeding = Feeding(None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        feed = Feed("jazz", "radio", f"http://127.0.0.1:{silent.getsockname()[1]}/", "station", "239.255.12.4", 5004)
        assert not feeding.begins(feed)
        await feeding.begin(feed)
        first = feeding._begun[feed.name].process
        assert feeding.begins(feed)
        monkeypatch.setattr(feedings, "OPEN_SECONDS", 0.0)
        assert not feeding.begins(feed)
        await feeding.begin(feed)
        second = feeding._begun[feed.name].process
        assert await asyncio.to_thread(first.wait) == -signal.SIGKILL
        second.kill()
        await asyncio.to_thread(second.wait)


async def test_a_file_that_is_not_there_and_a_radio_that_is_none() -> None:
    """It is told why, in the words of what plays it."""
    feeding = Feeding(None)
    for kind, source, why in (("file", "/nowhere.ogg", "No such file"), ("radio", "http://127.0.0.1:1/", "refused")):
        feed = Feed(kind, kind, source, "station", "239.255.12.4", 5004)
        await feeding.begin(feed)
        await asyncio.to_thread(feeding._begun[feed.name].process.wait)
        assert feeding.failure(feed).startswith(f"ffmpeg cannot play {source}: ")
        assert why in feeding.failure(feed)


async def test_a_process_that_is_none_of_ours_stays() -> None:
    """Which process plays is a client's word: one that has not the player's name among its arguments is not ended; the
    player's own is, and one that has gone is no error."""
    process = await asyncio.create_subprocess_exec("sh", "-c", "read line", label(RADIO), stdin=asyncio.subprocess.PIPE)
    while label(RADIO).encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
        await asyncio.sleep(0.01)
    with pytest.raises(EngineError, match="none of ours"):
        feedings.end("house.news.00000000", process.pid)
    feedings.end(label(RADIO), process.pid)
    assert await process.wait() == -signal.SIGTERM
    for gone in (process.pid, 10**30):
        feedings.end(label(RADIO), gone)


async def test_a_connection_that_gets_no_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PulseAudio does not say which version it is, the next connection is a new one."""
    answers = [PulseError("no"), SimpleNamespace(server_name="pulseaudio", server_version="16.1")]

    class Pulse:
        connected = True

        async def server_info(self) -> object:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def close(self) -> None:
            self.connected = False

    async def connect(self: Server) -> bool:
        self._pulse = Pulse()
        return True

    monkeypatch.setattr(Server, "_connect", connect)
    server = Server(("true",))
    with pytest.raises(EngineError):
        await server.connected()
    assert await server.connected()
    assert not await server.connected()


@pytest.mark.parametrize(("name", "version"), [("pulseaudio", "12.2"), ("PulseAudio (on PipeWire 1.0)", "15.0.0")])
async def test_another_engine_than_is_needed(monkeypatch: pytest.MonkeyPatch, name: str, version: str) -> None:
    """One that is too old, or only speaks like PulseAudio, is named, and so is what is needed."""

    class Pulse:
        connected = True

        async def server_info(self) -> object:
            return SimpleNamespace(server_name=name, server_version=version)

        def close(self) -> None:
            pass

    async def connect(self: Server) -> bool:
        self._pulse = Pulse()
        return True

    monkeypatch.setattr(Server, "_connect", connect)
    with pytest.raises(WrongEngine) as caught:
        await Server(("true",)).connected()
    assert str(caught.value) == f"received the engine {name} {version}, expected PulseAudio 13 or newer"


async def test_a_frozen_pulseaudio_is_let_go_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is given up before it stands is closed, and a program that is to start PulseAudio is ended when
    there is no more time for it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    server, loop = Server(("true",), f"unix:{tmp_path}/native"), asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(f"{tmp_path}/native")
        frozen.listen()
        frozen.setblocking(False)
        connecting = asyncio.create_task(server._connect())
        connection, _ = await loop.sock_accept(frozen)
        with connection:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            while await loop.sock_recv(connection, 4096):
                pass
    starting = asyncio.create_task(server._run(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 3600"]))
    while not (tmp_path / "pid").exists() or not (pid := (tmp_path / "pid").read_text().strip()):
        assert not starting.done()
        await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert not Path("/proc", pid).exists()


async def test_nothing_starts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the configuration says that nothing starts PulseAudio, and none runs, the reason says so."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EngineDead, match=r"it does not run, and by \[app.sound.pulse\] start nothing starts it"):
        await Server((), f"unix:{tmp_path}/native").connected()


@pytest.mark.parametrize(
    ("there", "missing", "package"),
    [((), "gst-inspect-1.0", "gstreamer1.0-tools"), (("gst-inspect-1.0",), "pulseaudio", "pulseaudio")],
)
async def test_a_host_without_pulseaudio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], missing: str, package: str
) -> None:
    """Where it is not, or what it needs is not, the reason names the program, and the package that has it."""
    for name in there:
        (tmp_path / name).symlink_to("/bin/true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEngine) as caught:
        await Server(PulseSettings().start, f"unix:{tmp_path}/native").connected()
    assert str(caught.value) == f"there is no {missing} on this host: apt install {package}"


@pytest.fixture
def announcer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Announcer]:
    """It tells two rooms of the radio. Nobody has been told of anything yet."""
    built = Announcer()
    monkeypatch.setattr(built, "_send", lambda address, packet: told.append((address, packet)))
    built.announce({"127.64.0.1": RADIO, "127.64.0.2": RADIO})
    told.clear()
    yield built
    built.close()


told: list[tuple[str, bytes]] = []
ANEW = [("127.64.0.1", sap.packet(RADIO, goodbye=True)), ("127.64.0.1", sap.packet(RADIO))]


async def test_a_receiver_that_gets_its_stream_is_left_alone(announcer: Announcer) -> None:
    """Whoever begins to send: only a receiver that gets nothing takes its stream anew, and that once for each time that
    somebody has begun anew since; the other room's does not."""
    began = time.monotonic()
    for address in ("127.64.0.1", "127.64.0.2"):
        announcer.seen(address, fed=True, began=began)
    assert told == []
    announcer.seen("127.64.0.1", fed=False, began=began)
    assert told == ANEW
    announcer.seen("127.64.0.1", fed=False, began=began)
    announcer.seen("127.64.0.3", fed=False, began=began)
    assert told == ANEW
    announcer.seen("127.64.0.1", fed=False, began=time.monotonic())
    assert told == 2 * ANEW


async def test_a_silent_stream_is_taken_anew_now_and_then(
    announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender may begin anew unheard: a receiver that has got nothing for ten seconds takes its stream anew, the next
    time after twenty, and so on, until it gets something."""
    now = 1000.0
    monkeypatch.setattr(announcers, "time", SimpleNamespace(monotonic=lambda: now))
    times = list[float]()
    for fed, seconds in ((False, 100), (True, 1), (False, 12)):
        for _ in range(seconds):
            now += 1
            before = len(told)
            announcer.seen("127.64.0.1", fed=fed)
            times += [now - 1000] if len(told) > before else []
    assert times == [12, 34, 76, 113]
    assert told == 4 * ANEW


async def test_a_host_that_plays_nothing_of_others() -> None:
    """It neither announces streams nor hears what comes of them; it does as soon as one of its rooms has one."""
    driver, doing = PulseRtp(()), {"announcements of streams", "what comes of streams"}
    elsewhere = msgspec.structs.replace(RADIO, port=5006)  # so that nobody here joins its group

    def done() -> set[str]:
        return doing & {task.get_name() for task in asyncio.all_tasks()}

    driver.heed(Wanted("station", (RADIO,), (Room("hall", feed=RADIO),)))
    assert done() == set()
    driver.heed(Wanted("kitchen", (), (Room("kitchen", feed=elsewhere),)))
    assert done() == doing
    await driver.close()
