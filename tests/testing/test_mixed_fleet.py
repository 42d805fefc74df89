"""A fleet of processes of two releases: its hooks, what is noticed, and what a failure says."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest

from midflight.errors import InvalidValue, UsageError
from midflight.project import Project
from midflight.testing import MixedFleet, real_fleet
from midflight.testing.plans import read
from midflight.testing.processes import PlanFailed, Process, Release
from midflight.upgrade.freeze import freeze
from tests.testing.test_release_trees import git

SHOP = """
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from midflight import Context, Interface, Project, Service, endpoint


class ClerkAPI(Interface, Protocol, topic="clerk", version="{version}"):
    @endpoint(since="1.0")
    async def greet(self, context: Context, name: str) -> str: ...


class Clerk(ClerkAPI):
    async def greet(self, context: Context, name: str) -> str:
        return f"hello {{name}}, from {version}"


@asynccontextmanager
async def clerk(runtime):
    yield [Clerk()]


project = Project(
    "shop", interfaces=[ClerkAPI], services=[Service("clerk", clerk, agent=True)], releases=Path(__file__).parent
)
"""


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two releases of a shop, of which the older is a commit by now, and the project as the newer one has it."""
    tree = tmp_path_factory.mktemp("repository") / "shop"
    tree.mkdir()
    git(tree, "init", "-q")
    for release, version in (("juno", "1.0"), ("kilo", "1.1")):
        (tree / "shop_of_two.py").write_text(SHOP.format(version=version))
        freeze(project_in(tree), release)
        git(tree, "add", ".")
        git(tree, "commit", "-qm", release)
        git(tree, "tag", release)
    return {"juno": "juno", "kilo": tree, "project": project_in(tree)}


def project_in(tree: Path) -> Project:
    """As another process would import it."""
    spec = importlib.util.spec_from_file_location("shop_of_two", tree / "shop_of_two.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Project = module.project
    return found


@pytest.fixture
def shop(trees: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> type[MixedFleet]:
    """One that notes its hooks."""
    monkeypatch.setattr(real_fleet, "CACHE", trees["kilo"].parent / "cache")

    class Shop(MixedFleet):
        project, reference = trees["project"], "shop_of_two:project"
        releases: ClassVar = {name: trees[name] for name in ("juno", "kilo")}
        members: ClassVar = {"clerk": 1, "conductor": 1}

        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            self.told: list[str] = []

        def greeting(self) -> str:
            (endpoint,) = (spec.cls.greet for topic, spec in self.project.contract.interfaces.items())
            found: str = self.guest.call(endpoint, "ada")
            return found

        def on_start(self) -> None:
            self.told.append(f"start: {self.greeting()}")

        def on_mixed(self) -> None:
            self.told.append(f"mixed: {self.greeting()}")

        def after_unpin(self) -> None:
            self.told.append(f"unpinned: {self.greeting()}")

        def after_finalize(self) -> None:
            self.told.append(f"final: {self.greeting()}")

        def check(self) -> None:
            self.told.append("check")

        def on_end(self) -> None:
            self.told.append("end")

    return Shop


def test_a_plan_goes_from_one_release_to_the_next(shop: Any, tmp_path: Path) -> None:
    """Its hooks are told in order, the members are really of the releases that they are said to be, and are replaced,
    killed and rolled back as planned."""
    plan = "kilo pinned: upgrade conductor-1, roll back conductor-1, kill clerk-1 | kilo unpinned: kill conductor-1"
    fleet = shop(tmp_path)
    fleet.go(read(plan))
    assert [told for told in fleet.told if told != "check"] == [
        "start: hello ada, from 1.0", "mixed: hello ada, from 1.0", "mixed: hello ada, from 1.0",
        "unpinned: hello ada, from 1.1", "final: hello ada, from 1.1", "end",
    ]  # fmt: skip
    assert fleet.told.count("check") == 11
    logs = {path.name for path in tmp_path.glob("*-1.*.log")}
    assert logs == {
        "clerk-1.juno.1.log", "clerk-1.juno.2.log", "clerk-1.kilo.1.log", "conductor-1.juno.1.log",
        "conductor-1.kilo.1.log", "conductor-1.juno.2.log", "conductor-1.kilo.2.log", "conductor-1.kilo.3.log",
    }  # fmt: skip
    killed = {path.name for path in tmp_path.glob("*-1.*.log") if "service.stopped" not in path.read_text()}
    assert killed == {"clerk-1.juno.1.log", "conductor-1.kilo.2.log"}


def test_a_member_that_ends_by_itself_is_noticed(shop: Any, tmp_path: Path) -> None:
    """With its code and its last words; and nobody is left behind."""

    class Murdered(shop):  # type: ignore[misc]
        def on_start(self) -> None:
            self.pids = [process.pid for process in self.running.values()]
            os.kill(self.running["clerk-1"].pid, signal.SIGKILL)
            self.running["clerk-1"].wait(60)

    fleet = Murdered(tmp_path)
    with pytest.raises(
        PlanFailed, match=r"clerk-1\.juno\.1\.log has ended by itself, with -9\n  \| (?s:.*)service\.ready"
    ):
        fleet.go(())
    assert not [pid for pid in fleet.pids if Path(f"/proc/{pid}").exists()]
    assert fleet.told == ["end"]


def test_what_a_hook_raises_in_the_end_hides_nothing(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong before is told, and that this went wrong too; where nothing did, the hook fails the plan."""

    class Odd(shop):  # type: ignore[misc]
        def _set_up(self, stack: ExitStack) -> None:
            raise UsageError(reason="there is no broker")

        def on_end(self) -> None:
            raise AttributeError("no uuid")

    with pytest.raises(UsageError, match="there is no broker") as failed:
        Odd(tmp_path).go(())
    assert failed.value.__notes__ == ["and on_end raised AttributeError: no uuid"]
    with pytest.raises(AttributeError, match="no uuid"):
        Odd(tmp_path)._end(None, None, None)
    monkeypatch.setattr(Odd, "on_end", lambda _: pytest.fail("no uuid"))
    with pytest.raises(UsageError, match="there is no broker") as failed:
        Odd(tmp_path).go(())
    assert failed.value.__notes__ == ["and on_end raised Failed: no uuid"]


def test_who_ends_by_itself_while_its_successor_starts_is_noticed(shop: Any, tmp_path: Path) -> None:
    """It was not the plan that ended it."""

    class Murdered(shop):  # type: ignore[misc]
        def _started(self, name: str, release: str) -> Process:
            process: Process = super()._started(name, release)
            if (before := self.running.get(name)) is not None:
                os.kill(before.pid, signal.SIGKILL)
                before.wait(60)
            return process

    with pytest.raises(PlanFailed, match=r"conductor-1\.juno\.1\.log has ended by itself, with -9"):
        Murdered(tmp_path).go(())


def test_work_goes_on_meanwhile_and_fails_the_plan_when_it_does(shop: Any, tmp_path: Path) -> None:
    """It begins after the start, is done while members are replaced, and what it raises is told."""

    class Busy(shop):  # type: ignore[misc]
        worked = 0

        def work(self) -> None:
            assert "unpinned: hello ada, from 1.1" not in self.told, "new words"
            self.greeting()
            self.worked += 1

        def after_unpin(self) -> None:
            super().after_unpin()
            self.traffic._thread.join()

    fleet = Busy(tmp_path)
    with pytest.raises(AssertionError, match="new words"):
        fleet.go(read("kilo pinned: restart conductor-1"))
    assert fleet.worked > 0
    assert fleet.told[-2:] == ["unpinned: hello ada, from 1.1", "end"]


def test_a_failing_plan_is_shortened_and_told_how_to_be_tried_again(
    shop: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What was needless is gone."""

    class Afraid(shop):  # type: ignore[misc]
        def check(self) -> None:
            gone = [
                log.name for log in self.folder.glob("clerk-1.*.log") if log.name != self.running["clerk-1"].log.name
            ]
            assert not gone or "kilo" in self.running["clerk-1"].log.name, "clerk-1 was replaced"

    with pytest.raises(
        PlanFailed, match=r"clerk-1 was replaced(?s:.*)\n  plan    kilo pinned: kill clerk-1\n"
    ) as failed:
        Afraid.plans()("kilo pinned: restart conductor-1, kill clerk-1", tmp_path, request)
    assert f"again   pytest {request.node.nodeid} --midflight-plan='kilo pinned: kill clerk-1'" in str(failed.value)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("kilo pinned: kill clerk-2", "received 'clerk-2', expected one of Shop's: conductor-1, clerk-1"),
        ("liberty pinned: kill clerk-1", "received 'liberty', expected one of Shop's: kilo"),
        ("juno pinned: kill clerk-1", "received 'juno', expected one of Shop's: kilo"),
    ],
)
def test_the_plan_of_another_fleet_is_refused(
    plan: str, told: str, shop: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """No process is started for it."""
    with pytest.raises(InvalidValue, match=f"^plan '{plan}': {told}"):
        shop.plans()(plan, tmp_path, request)
    assert not [*tmp_path.iterdir()]


def test_a_database_that_there_is_not_is_refused() -> None:
    """Else an SQLite file would be tested silently."""
    with pytest.raises(UsageError, match=r"Fleet\.database: received 'postgres', expected sqlite or postgresql"):
        type("Fleet", (MixedFleet,), {"database": "postgres"})


def test_a_test_without_a_plan_is_refused(shop: type[MixedFleet]) -> None:
    """pytest would skip it silently."""
    with pytest.raises(UsageError, match=r"Shop\.plans: received 0 and none that are always tried"):
        shop.plans(0)
    assert shop.plans(0, always=["kilo pinned: kill clerk-1"])


def test_a_fleet_of_other_releases_has_their_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where midflight.toml names it; one that a class names itself stays."""
    trees = [tmp_path / name for name in ("one", "two")]
    for tree in trees:
        tree.mkdir()
        (tree / "midflight.toml").write_text(f'[midflight]\nproject = "{tree.name}:project"\nbroker = "memory:a"\n')
    monkeypatch.setattr(real_fleet, "load_project", lambda name: Project(name.partition(":")[0]))
    first: Any = type("First", (MixedFleet,), {"releases": {"juno": trees[0]}})
    second: Any = type("Second", (first,), {"releases": {"kilo": trees[1]}})
    same: Any = type("Same", (second,), {})
    named: Any = type("Named", (first,), {"releases": {"kilo": trees[1]}, "project": first.project})
    assert [each.reference for each in (first, second, same)] == ["one:project", "two:project", "two:project"]
    assert [each.project.name for each in (first, second, named)] == ["one", "two", "one"]
    with pytest.raises(UsageError, match=r"Fleet\.releases: received none"):
        type("Fleet", (MixedFleet,), {"releases": {}})


def test_a_plan_that_fails_before_its_first_act_is_not_made_shorter(
    shop: Any, trees: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What is told is why it failed, and that no act did it; and the next plan fails in the same way."""
    (tmp_path / "broken").mkdir()

    class Broken(shop):  # type: ignore[misc]
        releases: ClassVar = {"juno": tmp_path / "broken", "kilo": trees["kilo"]}
        reference = "nowhere:project"

    plan = "kilo pinned: restart conductor-1, kill clerk-1"
    told = r"(?s)the code of juno in .* cannot be loaded: nowhere:project\n  plan    no act at all\n.* 2 acts, 0 tries"
    for _ in range(2):
        with pytest.raises(PlanFailed, match=told):
            Broken.plans()(plan, tmp_path / str(len([*tmp_path.iterdir()])), request)


def test_a_step_that_is_refused_for_good_is_told_with_its_reasons(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again as long as it may pass by itself, and not for ever."""
    monkeypatch.setattr(real_fleet, "REFUSED_SECONDS", 0)

    class Older(shop):  # type: ignore[misc]
        def after_unpin(self) -> None:
            self._replace("clerk-1", "juno")

    with pytest.raises(PlanFailed, match=r"(?s)finalize --yes exited with 2.*clerk@clerk-1.*juno"):
        Older(tmp_path).go(())


def test_a_step_that_passes_at_last_is_not_taken_again(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where that was its last chance."""
    monkeypatch.setattr(real_fleet, "REFUSED_SECONDS", -1)
    fleet, codes = shop(tmp_path), [0, 2]
    monkeypatch.setattr(fleet, "command", lambda *_, **__: codes.pop())
    fleet._persist("upgrade", "finalize", release="kilo", accept=(0, 1))
    assert codes == []


def test_a_command_that_takes_too_long_is_ended(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no member, and nobody else would."""
    started: list[Process] = []
    start = Release.start

    def noted(release: Release, *words: str, log: Path) -> Process:
        started.append(start(release, *words, log=log))
        return started[-1]

    fleet = shop(tmp_path)
    with ExitStack() as stack:
        fleet._set_up(stack)
        fleet.command("db", "expand", release="juno")
        monkeypatch.setattr(shop, "command_seconds", 0)
        monkeypatch.setattr(Release, "start", noted)
        with pytest.raises(PlanFailed, match=r"run\.1\.log was not gone within 0 s"):
            fleet.command("run", "conductor", release="juno")
        assert [each.code for each in started] == [-signal.SIGKILL]


def test_nobody_outlives_the_test_run(shop: Any, tmp_path: Path) -> None:
    """A run that is killed has no time to end its processes: they end with it, and so with the one that forked them."""
    fleet = shop(tmp_path)
    with ExitStack() as stack:
        fleet._set_up(stack)
        fleet.command("db", "expand", release="juno")
        conductor = fleet._started("conductor-1", "juno")
        release = conductor.release
        os.kill(release._zygote.pid, signal.SIGKILL)
        fleet.until(lambda: not runs(conductor.pid))
    release.close()
    real_fleet._releases.clear()


def runs(pid: int) -> bool:
    """A zombie does not: it waits for a parent who will hear of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_code_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    """With the release and its folder, each time that it is asked for."""
    release = Release("juno", tmp_path, "nowhere:project")
    for _ in range(2):
        with pytest.raises(PlanFailed, match=r"the code of juno in .* cannot be loaded: nowhere:project"):
            release.start("run", log=tmp_path / "log")
    release.close()


def test_a_release_with_a_python_of_its_own_sees_nothing_of_ours(
    trees: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its environment has, and its tree; not what lies on our path."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$PYTHONPATH" > {tmp_path}/path\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ours"))
    release = Release("kilo", trees["kilo"], "shop_of_two:project", python)
    assert release.start("--version", log=tmp_path / "version.log").wait(60) == 0
    assert (tmp_path / "path").read_text() == f"{trees['kilo']}\n"
    release.close()


def test_a_package_may_be_named_like_a_module_of_the_kit(trees: dict[str, Any], tmp_path: Path) -> None:
    """Each release's own code is found, whatever lies beside ours."""
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans/project.py").write_text((trees["kilo"] / "shop_of_two.py").read_text())
    release = Release("kilo", tmp_path, "plans.project:project")
    assert release.start("--version", log=tmp_path / "version.log").wait(60) == 0
    release.close()


def test_who_has_ended_cannot_be_told_to(trees: dict[str, Any], tmp_path: Path) -> None:
    """A stop says that it ended by itself; a kill finds its work done."""
    release = Release("kilo", trees["kilo"], "shop_of_two:project")
    process = release.start("--version", log=tmp_path / "version.log")
    assert process.wait(60) == 0
    process.kill()
    with pytest.raises(PlanFailed, match=r"version\.log has ended by itself, with 0"):
        process.stop()
    release.close()


def test_a_number_that_was_another_process_s_before(trees: dict[str, Any], tmp_path: Path) -> None:
    """In a long run the system numbers its processes round and round: the code of an earlier one is not taken for that
    of a later one, nor the other way round."""
    release = Release("kilo", trees["kilo"], "shop_of_two:project")
    earlier = release.start("--version", log=tmp_path / "version.log")
    assert earlier.wait(60) == 0
    numbers = int(Path("/proc/sys/kernel/pid_max").read_text())
    release.ended.update(dict.fromkeys(range(numbers), 7))
    later = release.start("nothing", log=tmp_path / "nothing.log")
    assert (later.wait(60), earlier.code) == (64, 0)
    release.close()
