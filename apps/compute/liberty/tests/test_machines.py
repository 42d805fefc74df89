import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from compute.errors import MachineFailed
from compute.machines import Machines
from compute.waiting import until

TREE = Path(__file__).parent.parent
AGENT = """
import asyncio, sys, time, uuid, pathlib
from compute.machines import Machines
asyncio.run(Machines(pathlib.Path(sys.argv[1]), "one").start(uuid.UUID(sys.argv[2]), 512, 1))
sys.stdout.write("started")
sys.stdout.flush()
time.sleep(60)
"""


def counts(machines: Machines, uuid: UUID) -> list[list[str]]:
    """The whole lines of a machine's count, in words."""
    return [
        line.split() for line in machines.count_file(uuid).read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]


async def test_a_machine_counts_on_when_its_agent_is_killed_and_the_next_agent_finds_it(folder: Path) -> None:
    """Same process, no line missing, and on record for the host."""
    uuid = uuid4()
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, str(folder), str(uuid), cwd=TREE, stdout=PIPE, start_new_session=True
    )
    assert agent.stdout is not None
    assert await agent.stdout.read(7) == b"started"
    pid = Machines(folder, "one").pid(uuid)
    os.killpg(agent.pid, signal.SIGKILL)
    await agent.communicate()

    following = Machines(folder, "one")
    counted = len(counts(following, uuid))
    assert await until(lambda: len(counts(following, uuid)) >= counted + 5, 10)
    assert [record.pid for record in following.mine()] == [pid]
    assert {line[0] for line in counts(following, uuid)} == {str(pid)}
    assert [int(line[1]) for line in counts(following, uuid)] == list(range(len(counts(following, uuid))))


async def test_a_machine_has_a_session_of_its_own_and_no_agent_as_its_parent(folder: Path) -> None:
    """Nobody who stops an agent, with all its children, stops a machine."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await machines.start(uuid, 512, 1)
    pid = machines.pid(uuid)
    assert pid is not None
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1] != str(os.getpid())


async def test_starting_a_machine_many_times_at_once_gives_one_process(folder: Path) -> None:
    """The lock on the count decides, so a message that comes twice does no harm."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await asyncio.gather(*(machines.start(uuid, 512, 1) for _ in range(5)))
    await until(lambda: len(counts(machines, uuid)) > 3, 10)
    assert {line[0] for line in counts(machines, uuid)} == {str(machines.pid(uuid))}


async def test_a_reboot_leaves_a_mark_and_the_process(folder: Path) -> None:
    """It is soft: the count goes on."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await machines.start(uuid, 512, 1)
    pid = machines.pid(uuid)
    assert machines.reboot(uuid)
    assert await until(lambda: ["rebooted"] in [line[3:] for line in counts(machines, uuid)], 10)
    assert machines.pid(uuid) == pid
    assert not machines.reboot(uuid4())


def stands_still(pid: int | None) -> bool:
    return "(stopped)" in Path(f"/proc/{pid}/status").read_text()


async def test_a_paused_machine_stands_still_and_goes_on_where_it_was(folder: Path) -> None:
    """Same process, no line in between, and each said once, however often it is asked."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await machines.start(uuid, 512, 1)
    pid = machines.pid(uuid)
    assert await until(lambda: len(counts(machines, uuid)) > 3, 10)
    assert await machines.pause(uuid)
    assert await machines.pause(uuid)
    paused = len(counts(machines, uuid))
    assert stands_still(pid)
    assert machines.resume(uuid)
    assert machines.resume(uuid)
    assert await until(lambda: len(counts(machines, uuid)) > paused + 3, 10)
    assert not stands_still(machines.pid(uuid))
    lines = counts(machines, uuid)
    assert [line[3:] for line in lines if line[3:]] == [["started"], ["paused"], ["resumed"]]
    plain = [int(line[1]) for line in lines if not line[3:]]
    assert plain == list(range(1, len(plain) + 1))
    assert {line[0] for line in lines} == {str(pid)} == {str(machines.pid(uuid))}


async def test_a_paused_machine_can_be_ended(folder: Path) -> None:
    """By its own hand, not by force; what is not there can be neither paused nor resumed."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await machines.start(uuid, 512, 1)
    assert await machines.pause(uuid)
    await machines.stop(uuid)
    assert counts(machines, uuid)[-1][3:] == ["ended"]
    assert not await machines.pause(uuid)
    assert not machines.resume(uuid)


async def test_a_stopped_machine_ends_its_count_and_is_forgotten(folder: Path) -> None:
    """Its count stays; to stop it again is no error."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await machines.start(uuid, 512, 1)
    await machines.stop(uuid)
    assert counts(machines, uuid)[-1][3:] == ["ended"]
    assert (machines.pid(uuid), machines.record(uuid), machines.mine()) == (None, None, [])
    await machines.stop(uuid)


async def test_a_machine_has_one_owner_at_a_time(folder: Path) -> None:
    """Who takes it over has it, and its process is the same."""
    one, two, uuid = Machines(folder, "one"), Machines(folder, "two"), uuid4()
    await one.start(uuid, 512, 1)
    pid = one.pid(uuid)
    two.own(uuid, 1024, 2)
    assert one.mine() == []
    assert [(record.host, record.pid, record.memory_mb) for record in two.mine()] == [("two", pid, 1024)]


async def test_a_killed_machine_is_seen_to_be_gone(folder: Path) -> None:
    """By the kernel's word: no process of the same number is taken for it."""
    machines, uuid = Machines(folder, "one"), uuid4()
    await machines.start(uuid, 512, 1)
    os.kill(machines.pid(uuid) or 0, signal.SIGKILL)
    assert await until(lambda: machines.pid(uuid) is None, 10)
    assert machines.record(uuid) is not None


async def test_a_machine_that_cannot_start_says_why(folder: Path) -> None:
    """Here its folder is gone."""
    machines = Machines(folder, "one")
    folder.rmdir()
    with pytest.raises(MachineFailed, match=r"machine\.py .* ended with code 75"):
        await machines.start(uuid4(), 512, 1)
