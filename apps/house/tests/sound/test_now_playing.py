"""What MPD plays, by a real one, and by others that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from house.sound import now_playing
from house.sound.now_playing import Address, NowPlaying, Told, address, name_of
from house.sound.settings import settings
from midflight import ConfigError
from tests.sound.lab import jukebox
from tests.sound.lab.studio import PATIENCE

SILENCE = "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "600"


@asynccontextmanager
async def followed(where: Address) -> AsyncIterator[Callable[[Told], Awaitable[None]]]:
    """Somebody asks it; wait until it has told this."""
    asked = NowPlaying(where)
    following = asyncio.create_task(asked.follow())

    async def tells(expected: Told) -> None:
        async with asyncio.timeout(PATIENCE):
            while asked.told != expected:
                assert not following.done()
                await asyncio.sleep(0.02)

    try:
        yield tells
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked all the time."""
    monkeypatch.setattr(now_playing, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(now_playing, "AGAIN_SECONDS", 0.05)


async def test_what_is_played(tmp_path: Path) -> None:
    """Artist and title of the song, whether it is paused, and the next ones in their order; in random order the next
    one only, and none where this is the last one; nothing of one that has stopped. One that ends is said to be away,
    and is asked again when it is there."""
    songs = [
        await jukebox.song(tmp_path / "one.flac", *SILENCE, artist="Nina Simone", title="Sinnerman"),
        await jukebox.song(tmp_path / "two.flac", *SILENCE, title="Feeling Good"),
        await jukebox.song(tmp_path / "three.flac", *SILENCE),
    ]
    first, *others = "Nina Simone – Sinnerman", "Feeling Good", "three.flac"
    away = Told(trouble=f"MPD at {tmp_path}/socket does not run")
    async with followed(Address(f"{tmp_path}/socket")) as tells:
        await tells(away)
        async with jukebox.running(tmp_path), jukebox.remote(tmp_path) as remote:
            await tells(Told())
            for each in songs:
                remote.add(each)
            remote.play(0)
            await tells(Told(first, tuple(others)))
            remote.pause(1)
            await tells(Told(f"{first} (paused)", tuple(others)))
            remote.play(1)
            await tells(Told(others[0], tuple(others[1:])))
            remote.play(2)
            await tells(Told(others[1]))
            remote.delete(0)
            remote.play(0)
            await tells(Told(others[0], tuple(others[1:])))
            for alone in ("1", "oneshot"):
                remote.single(alone)
                await tells(Told(others[0]))
                remote.single(0)
                await tells(Told(others[0], tuple(others[1:])))
            remote.random(1)
            remote.repeat(1)
            remote.single(1)
            await tells(Told(others[0], (others[0],)))
            remote.stop()
            await tells(Told())
        await tells(away)


async def test_a_password(tmp_path: Path) -> None:
    """One that wants a password is told it; without it, or with another one, it is said so."""
    locked = 'password "secret@read,add,control"\ndefault_permissions ""'
    async with jukebox.running(tmp_path, locked), jukebox.remote(tmp_path):
        where = f"{tmp_path}/socket"
        async with followed(address(f"secret@{where}")) as tells:
            await tells(Told())
        async with followed(address(f"wrong@{where}")) as tells:
            await tells(Told(trouble=f"MPD at {where} refuses the password"))
        async with followed(address(where)) as tells:
            await tells(Told(trouble=f"MPD at {where} wants a password"))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "answers what no MPD does"),
        ([b"OK MPD \xff\xfe\n"], "answers what no MPD does"),
        ([b"x" * 100_000], "answers what no MPD does"),
        ([b"OK MPD 0.23.5\n", b"this is no pair\nOK\n"], "answers what no MPD does"),
        ([b"OK MPD 0.23.5\n", b"state: play\nnextsong: soon\nOK\n", b"OK\n"], "answers what no MPD does"),
        ([b"OK MPD 0.23.5\n", b"ACK [5@0] {status} it is ill\n"], "does not tell: it is ill"),
        ([b"OK MPD 0.23.5\n", b"ACK\nOK\n"], "answers what no MPD does"),
        ([b"OK MPD 0.23.5\n", b"state: pl"], "has hung up"),
        ([b""], "has hung up"),
        ([], "does not answer"),
        ([b"OK MPD 0.23.5\n"], "does not answer"),
    ],
)
async def test_one_that_is_no_mpd(answers: list[bytes], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it answers, or if it answers nothing, one word says so, and it is asked again."""
    monkeypatch.setattr(now_playing, "ANSWER_SECONDS", 0.3)
    hangs_up, connections = said == "has hung up", list[asyncio.StreamWriter]()
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            for number, answer in enumerate(answers):
                if number:
                    await reader.readline()
                writer.write(answer)
                await writer.drain()
            if not hangs_up:
                await over.wait()
        except OSError:
            pass  # it had enough of us
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with followed(Address("127.0.0.1", port)) as tells:
            await tells(Told(trouble=f"MPD at 127.0.0.1:{port} {said}"))
            async with asyncio.timeout(PATIENCE):
                while len(connections) < 2:
                    await asyncio.sleep(0.02)
    finally:
        over.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("nas", Address("nas")),
        ("nas:6601", Address("nas", 6601)),
        ("s:e@cret@nas", Address("nas", 6600, "s:e@cret")),
        ("[fd00::1]:6601", Address("fd00::1", 6601)),
        ("secret@/run/mpd/socket", Address("/run/mpd/socket", 6600, "secret")),
    ],
)  # fmt: skip
def test_where_an_mpd_is(text: str, meant: Address) -> None:
    """A host, a port, a password and a socket are read as in MPD_HOST."""
    assert address(text) == meant
    assert settings({"sound": {"mpd": {"music": text}}}).mpd == {"music": text}


@pytest.mark.parametrize("text", ["", "secret@", "nas:door", "nas:70000", "nas:0", "http://nas", "nas/music"])
def test_where_no_mpd_can_be(text: str) -> None:
    """A slip in the configuration is told by the stream's name, and no password is."""
    with pytest.raises(ConfigError, match=r"\[app.sound\] mpd music: received .*, expected an MPD like") as wrong:
        settings({"sound": {"mpd": {"music": text}}})
    assert "secret" not in str(wrong.value)


def test_names_of_songs() -> None:
    """As much as is known of one; a tag that it has several times is all of them, and one without an end is cut."""
    assert (
        name_of({"artist": ["Ella", "Louis"], "title": "Summertime", "file": "a/b.flac"}) == "Ella, Louis – Summertime"
    )
    assert name_of({"name": "FIP", "file": "http://radio.example/fip"}) == "FIP"
    assert name_of({"name": "FIP", "title": "the news"}) == "the news"
    assert name_of({"file": "a/b.flac"}) == "b.flac"
    assert name_of({}) == ""
    assert name_of({"title": "x" * 200}) == "x" * 119 + "…"
