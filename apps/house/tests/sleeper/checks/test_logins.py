import pytest
from dbus_fast import Variant

from house.sleeper.checks.logins import Logins
from house.sleeper.logind import Logind
from house.sleeper.system import System, Unclear
from tests.sleeper.login1 import Login1
from tests.sleeper.machine import FakeMachine


def with_logind(machine: FakeMachine, logind: Logind) -> System:
    return System(machine.root, machine.clock, logind)


async def test_it_is_idle_when_every_terminal_is(machine: FakeMachine) -> None:
    """The youngest use of any terminal counts, against the minutes that were set."""
    machine.login(("ada", "pts/0", 20), ("eve", "tty1", 16))
    assert await Logins().look(machine.system) is None
    assert await Logins(idle_minutes=18).look(machine.system) == "eve on tty1 was here 16 min ago"
    machine.use("pts/0", 1)
    assert await Logins().look(machine.system) == "ada on pts/0 was here 1 min ago"


async def test_an_entry_that_its_login_left_behind_is_nobody(machine: FakeMachine) -> None:
    """A terminal that is not there any more, and a display, which is none."""
    machine.login(("ada", "pts/0", 1), ("eve", ":0", 1))
    for terminal in ("pts/0", ":0"):
        (machine.root / "dev" / terminal).unlink()
    assert await Logins().look(machine.system) is None


async def test_a_missing_utmp_is_no_proof_that_nobody_is_here(machine: FakeMachine) -> None:
    """Without a logind to ask, it is unclear; and so is one that is cut off in the middle."""
    with pytest.raises(Unclear, match="/run/utmp is missing, and there is no logind to ask"):
        await Logins().look(machine.system)
    machine.login(("ada", "pts/0", 99))
    machine.write("run/utmp", (machine.root / "run/utmp").read_bytes()[:-1])
    with pytest.raises(Unclear, match="received 767 bytes, expected a multiple of 384"):
        await Logins().look(machine.system)


async def test_logind_knows_logins_that_utmp_does_not(machine: FakeMachine, login1: Login1, logind: Logind) -> None:
    """Terminals are looked at all the same; a session without one is not idle or busy here."""
    system = with_logind(machine, logind)
    assert await Logins().look(system) is None
    await login1.session("1", "ada", Type=Variant("s", "tty"), TTY=Variant("s", "pts/7"))
    await login1.session("2", "bob", Type=Variant("s", "unspecified"))
    machine.use("pts/7", 3)
    assert await Logins().look(system) == "ada on pts/7 was here 3 min ago"
    machine.use("pts/7", 30)
    assert await Logins().look(system) is None


async def test_a_desktop_says_itself_whether_it_is_idle(machine: FakeMachine, login1: Login1, logind: Logind) -> None:
    """It is busy until it says since when it is not; the greeter of a display manager is nobody's."""
    system, ten = with_logind(machine, logind), machine.clock.now().timestamp() - 600
    await login1.session("1", "gdm", Type=Variant("s", "wayland"), Class=Variant("s", "greeter"))
    assert await Logins().look(system) is None
    await login1.session("2", "ada", Type=Variant("s", "wayland"))
    assert await Logins().look(system) == "ada in a wayland session was here 0 min ago"
    idle = {"IdleHint": Variant("b", True), "IdleSinceHint": Variant("t", int(ten * 1e6))}
    await login1.session("3", "eve", Type=Variant("s", "x11"), **idle)
    assert await Logins(idle_minutes=9).look(system) == "ada in a wayland session was here 0 min ago"


async def test_a_silent_logind_is_unclear(machine: FakeMachine) -> None:
    """Since there may be desktops that no terminal shows."""
    machine.login(("ada", "pts/0", 99))
    async with Logind("unix:path=/nowhere/bus") as gone:
        with pytest.raises(Exception, match="logind: connect: no D-Bus: "):
            await Logins().look(with_logind(machine, gone))
