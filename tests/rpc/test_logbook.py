"""The logbook: what a service without a database has noted of its casts when it is killed, and who reads it then."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from midflight.rpc import logbook as module
from midflight.rpc import noted
from midflight.rpc.logbook import Logbook
from midflight.rpc.messages import PROTOCOL, Request, Sender
from midflight.rpc.repeats import Note, Receipt, State


def receipt(name: str, arguments: bytes = b"\x80", *, expires: float | None = None) -> Receipt:
    request = Request(
        protocol=PROTOCOL, sender=Sender("api", "a1", "kilo"), kind="cast", interface="compute", version="4.0",
        method="work", arguments=msgspec.Raw(arguments), manifest="", message_id=name, expires=expires,
    )  # fmt: skip
    return Receipt(request, name)


def book(folder: Path, owner: str = "one") -> Logbook:
    made = Logbook(folder, "compute@h1", owner)
    made.open()
    return made


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_was_begun_and_done_is_known_to_the_next_process(tmp_path: Path) -> None:
    """In each of its states; a cast that failed is as if it had never begun. The file of the dead goes."""
    one = book(tmp_path)
    for name, state in (("a", State.DONE), ("b", State.PARKED), ("c", None)):
        await one.begin(receipt(name))
        await one.end(receipt(name), state)
    await one.begin(receipt("d"))
    assert await one.find("d") == Note(receipt("d").digest, "begun", in_hand=True)
    one.close()
    with capture_logs() as logs:
        two = book(tmp_path, "two")
    found = {name: await two.find(name) for name in "abcde"}
    assert {name: note and (note.state, note.in_hand) for name, note in found.items()} == {
        "a": ("done", False), "b": ("parked", False), "c": None, "d": ("begun", False), "e": None,
    }  # fmt: skip
    assert [(log["event"], log["casts"], log["message_ids"]) for log in logs] == [("rpc.interrupted", 1, ["d"])]
    assert files(tmp_path) == ["compute@h1.two.logbook"]


async def test_no_file_is_made_where_nothing_is_cast(tmp_path: Path) -> None:
    """A service that only calls leaves nothing behind."""
    one = book(tmp_path)
    assert await one.find("a") is None
    one.close()
    assert files(tmp_path) == []


async def test_what_a_living_process_has_in_hand_is_not_interrupted(tmp_path: Path) -> None:
    """Two processes of one service and host know of each other, whoever started first; other names are others'."""
    one, two = book(tmp_path), book(tmp_path, "two")
    other = Logbook(tmp_path, "compute@h2", "three")
    for each, name in ((one, "a"), (two, "b"), (other, "c")):
        await each.begin(receipt(name))
    await one.begin(receipt("d"))
    await one.end(receipt("d"), State.DONE)
    assert [await two.find(name) for name in "ad"] == [
        Note(receipt("a").digest, "begun", in_hand=True), Note(receipt("d").digest, "done"),
    ]  # fmt: skip
    assert await one.find("b") == Note(receipt("b").digest, "begun", in_hand=True)
    assert await one.find("c") is None
    one.close()
    assert await two.find("a") == Note(receipt("a").digest, "begun", in_hand=False)


async def test_a_folder_in_which_nothing_happens_is_not_listed_for_each_cast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a cast costs does not grow with the files of others; and yet who comes, or dies, is seen at once."""
    listed = list[Path]()
    list_now = os.listdir

    def noting(folder: Path) -> list[str]:
        listed.append(folder)
        return list_now(folder)

    monkeypatch.setattr(os, "listdir", noting)
    one, two = book(tmp_path), book(tmp_path, "two")
    await one.begin(receipt("a"))
    yesterday = time.time() - 86_400
    os.utime(tmp_path, (yesterday, yesterday))
    listed.clear()
    assert [await one.find(f"other-{number}") for number in range(100)] == [None] * 100
    assert len(listed) == 1
    await two.begin(receipt("b"))
    assert await one.find("b") == Note(receipt("b").digest, "begun", in_hand=True)
    os.utime(tmp_path, (yesterday, yesterday))
    assert await one.find("b") == Note(receipt("b").digest, "begun", in_hand=True)
    two.close()
    assert await one.find("b") == Note(receipt("b").digest, "begun")
    assert files(tmp_path) == ["compute@h1.one.logbook"]


async def test_a_killed_process_leaves_its_notes(tmp_path: Path) -> None:
    """kill -9 after the note that a cast begins: its successor finds it, and nobody's lock."""
    code = (
        "import asyncio, os, signal, sys; from pathlib import Path; from tests.rpc.test_logbook import book, receipt\n"
        "async def main():\n"
        "    one = book(Path(sys.argv[1]))\n"
        "    await one.begin(receipt('a')); await one.end(receipt('a'), 'done'); await one.begin(receipt('b'))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -9
    two = book(tmp_path, "two")
    notes = [await two.find(name) for name in "ab"]
    assert [(note.state, note.in_hand) for note in notes if note] == [("done", False), ("begun", False)]


async def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    """A kill, or a full disk, may leave half of one; what stands behind it begins on a line of its own."""
    one = book(tmp_path)
    await one.begin(receipt("a"))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"id":"torn","dig')
    await one.begin(receipt("b"))
    one.close()
    with path.open("ab") as file:
        file.write(b"\n\xff\x00garbage\n[]\n{}\n" + b'{"id":1}\n')
    two = book(tmp_path, "two")
    assert [bool(await two.find(name)) for name in ("a", "torn", "b")] == [True, False, True]


async def test_what_is_old_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cast that is done after a day, or soon after its expiry; one that was interrupted is kept while its host may be
    off."""
    one = book(tmp_path)
    soon = time.time() + 5
    for name, expires, state in (("a", None, State.DONE), ("b", soon, State.DONE), ("c", None, State.PARKED)):
        await one.begin(receipt(name, expires=expires))
        await one.end(receipt(name, expires=expires), state)
    one.close()
    clock = time.time
    for later, known in ((3_600, "ac"), (90_000, "c"), (31 * 86_400, "")):
        monkeypatch.setattr(time, "time", lambda later=later: clock() + later)
        two = book(tmp_path, f"two{later}")
        assert "".join([name for name in "abc" if await two.find(name)]) == known
        two.close()


async def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over is written no more; the process that did it, and the next one, know what still counts."""
    monkeypatch.setattr(module, "COMPACT_BYTES", 10_000)
    monkeypatch.setattr(noted, "MOST", 20)
    one = book(tmp_path)
    await one.begin(receipt("open"))
    sizes: list[int] = []
    for number in range(500):
        await one.begin(receipt(f"n{number}"))
        await one.end(receipt(f"n{number}"), State.DONE)
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert max(sizes) < 12_000
    assert files(tmp_path) == ["compute@h1.one.logbook"]
    assert await one.find("n499") == Note(receipt("n499").digest, "done")
    one.close()
    two = book(tmp_path, "two")
    known = [name for name in ("open", "n0", "n480", "n481", "n499") if await two.find(name)]
    assert known == ["open", "n481", "n499"]


async def test_many_casts_wait_for_one_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cast begins when its note is on the disk, which is asked once for all that wait meanwhile."""
    synced: list[int] = []
    fdatasync = os.fdatasync

    def slow(file: int) -> None:
        synced.append((tmp_path / "compute@h1.one.logbook").read_bytes().count(b"begun"))
        fdatasync(file)
        time.sleep(0.02)

    monkeypatch.setattr(os, "fdatasync", slow)
    one = book(tmp_path)
    await asyncio.gather(*(one.begin(receipt(f"n{number}")) for number in range(64)))
    assert 1 <= len(synced) <= 3
    assert synced[-1] == 64


async def test_a_cast_that_is_given_up_while_it_is_noted_may_run_again(tmp_path: Path) -> None:
    """What stands last in the file is that it has not begun."""
    one = book(tmp_path)
    given_up = asyncio.create_task(one.begin(receipt("a")))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    await one.end(receipt("a"), None)
    await one.begin(receipt("b"))
    one.close()
    two = book(tmp_path, "two")
    assert [bool(await two.find(name)) for name in "ab"] == [False, True]
