import pytest

from house.sleeper.checks.base import FIRST, Check
from house.sleeper.checks.disk import Disk
from house.sleeper.checks.load import Load
from house.sleeper.checks.network import Network
from house.sleeper.system import Unclear
from tests.sleeper.machine import CPU, DISKS, NET, FakeMachine


async def test_load_is_the_work_of_all_processors(machine: FakeMachine) -> None:
    """In cores since the last look, whatever time has passed: here 100 of 1,000 ticks of two processors."""
    load = Load(cores=0.2)
    machine.write("proc/stat", CPU.format(work=1000, idle=5000))
    assert await load.look(machine.system) == FIRST
    machine.write("proc/stat", CPU.format(work=1100, idle=5900))
    assert await load.look(machine.system) == "its processors do the work of 0.2 cores"
    machine.write("proc/stat", CPU.format(work=1199, idle=6801))
    assert await load.look(machine.system) is None


@pytest.mark.parametrize(
    ("check", "path", "text", "step", "words"),
    [
        (
            Disk(bytes_per_second=25_600),
            "proc/diskstats",
            DISKS.replace("{sectors}", "{0}"),
            500,
            "its disks move 25600",
        ),
        (Network(bytes_per_second=900), "proc/net/dev", NET.replace("{moved}", "{0}"), 9000, "its network moves 900 "),
        (Network(900, ["eth0"]), "proc/net/dev", NET.replace("{moved}", "{0}"), 9000, "its network moves 900 bytes/s"),
    ],
)
async def test_a_rate_is_measured_between_two_looks(
    check: Check, path: str, text: str, step: int, words: str, machine: FakeMachine
) -> None:
    """Over the time that has really passed; neither loops and partitions nor the loopback count, and a counter that
    begins anew is no rate."""
    machine.write(path, text.format(0))
    assert await check.look(machine.system) == FIRST
    machine.clock.pass_(seconds=10)
    machine.write(path, text.format(step))
    assert (await check.look(machine.system) or "").startswith(words)
    machine.clock.pass_(seconds=10.1)
    machine.write(path, text.format(2 * step))
    assert await check.look(machine.system) is None
    machine.clock.pass_(seconds=10)
    machine.write(path, text.format(1))
    assert await check.look(machine.system) == FIRST


async def test_a_clock_that_is_set_changes_no_rate(machine: FakeMachine) -> None:
    """They are measured by a clock that nobody can set, and that goes on in suspend."""
    network = Network(bytes_per_second=100)
    machine.write("proc/net/dev", NET.format(moved=0))
    await network.look(machine.system)
    machine.clock.pass_(seconds=10)
    machine.clock.set(hours=5)
    machine.write("proc/net/dev", NET.format(moved=999))
    assert await network.look(machine.system) is None
    machine.clock.pass_(seconds=9)
    machine.write("proc/net/dev", NET.format(moved=1999))
    assert await network.look(machine.system) == "its network moves 111 bytes/s"


@pytest.mark.parametrize(
    ("check", "path"), [(Load(), "proc/stat"), (Disk(), "proc/diskstats"), (Network(), "proc/net/dev")]
)
async def test_what_cannot_be_read_is_unclear(check: Check, path: str, machine: FakeMachine) -> None:
    """Both a file that is missing and one that is garbled; each names the file."""
    for text in (None, "a\nb\nc: d\n"):
        if text is not None:
            machine.write(path, text)
        with pytest.raises(Unclear, match=f"^/{path}"):
            await check.look(machine.system)


async def test_a_network_card_that_is_not_there_is_unclear(machine: FakeMachine) -> None:
    """It names what there is."""
    machine.write("proc/net/dev", NET.format(moved=0))
    with pytest.raises(Unclear, match="there is no interface eth1; there is eth0"):
        await Network(interfaces=["eth1"]).look(machine.system)
