"""A fleet of real processes of several releases, on a real broker and a real database, that goes along a plan."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, TypeVar, final

import pytest

from midflight.config import Config
from midflight.db.cluster import Cluster
from midflight.errors import InvalidValue, UsageError
from midflight.guest import Guest, connect
from midflight.project import Project
from midflight.rpc.rights import CONDUCTOR, OPERATOR
from midflight.testing import config_files
from midflight.testing.plans import Act, Plan, drawn, read, said, shortest
from midflight.testing.processes import PlanFailed, Process, Release
from midflight.testing.release_trees import tree_of
from midflight.testing.traffic import Traffic
from midflight.transports.embedded import EmbeddedBroker

T = TypeVar("T")

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midflight" / "releases"
"""Where commits and wheels are unpacked."""
COMMAND_SECONDS = 120.0
REFUSED_SECONDS = 60.0
"""For so long a step may be refused before that is a failure."""
TRIES = 20
"""How often a failing plan is tried to be shorter."""
DATABASES = "sqlite", "postgresql"
REJECTED = b'"rpc.version_rejected"'

_releases: dict[tuple[str, Path, str], Release] = {}
"""Those that were loaded: once for all plans of a test run."""


class MixedFleet:
    """A fleet that is upgraded from release to release while members are restarted, killed and rolled back.

    A test derives from it and says what is upgraded; what it does with its fleet stands in the hooks, which may use
    ``guest`` and raise whatever an assertion raises. ``test_upgrades = MyFleet.plans()`` makes tests of it.
    """

    project: ClassVar[Project]
    """The project as the newest release has it: the guest's."""
    reference: ClassVar[str]
    """Where it is in each release, as in midflight.toml: ``package.module:attribute``."""
    releases: ClassVar[Mapping[str, Path | str]]
    """By name, oldest first: a folder, a wheel of pure Python, or, as a str, a commit of the repository in which the
    newest release's folder is. The other packages are those of the test's own environment."""
    members: ClassVar[Mapping[str, int]]
    """How many of each service, conductors included: ``{"conductor": 2, "api": 1}`` are conductor-1, conductor-2 and
    api-1, which are their hosts' names too."""
    app: ClassVar[Mapping[str, Any]] = {}
    """The ``[app]`` table of all members."""
    database: ClassVar[str] = "sqlite"
    """Or ``postgresql``: on a server that is started for each plan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Process] = {}
        """By their names."""
        self.pinned = ""
        """The release of the pin, while there is one."""
        self.guest: Guest
        """A connection of a guest's, once the fleet has started."""
        self.traffic: Traffic
        """What goes on meanwhile, after ``on_start``."""
        self._numbers, self._heard = dict[str, int](), dict[Path, int]()
        self._has_acted = False

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.database not in DATABASES:
            reason = f"{cls.__name__}.database: received {cls.database!r}, expected {' or '.join(DATABASES)}"
            raise UsageError(reason=reason)

    # Hooks.

    def on_start(self) -> None:
        """The fleet is one of the oldest release, and complete."""

    def on_mixed(self) -> None:
        """Something has happened to a member, and there are members of two releases."""

    def after_unpin(self) -> None:
        """All members are new, and may say so."""

    def after_finalize(self) -> None:
        """There is no way back any more."""

    def check(self) -> None:
        """What always holds: after the start, each act and each step. midflight's own invariants are looked at as well:
        who was not told to end runs, who was told to ended well, and no message was rejected for its version."""

    def work(self) -> None:
        """What users do meanwhile: called again and again in a thread of its own, from after ``on_start`` until the
        last step; so there is always a call in flight when a member is replaced. It may raise NotDelivered and Unknown
        where a member was killed meanwhile, and else nothing. Without one, nobody uses the fleet."""

    def on_end(self) -> None:
        """The processes have ended, however it went."""

    # What hooks may use.

    def until(self, found: Callable[[], T], seconds: float = 60.0) -> T:
        """Wait for something that comes about by itself, and return it. Raises AssertionError when it does not."""
        limit = time.monotonic() + seconds
        while not (result := found()):
            assert time.monotonic() < limit, f"not within {seconds:g} s: {found}"
            time.sleep(0.05)
        return result

    def command(self, *words: str, release: str = "", accept: tuple[int, ...] = (0,)) -> int:
        """A command of midflight's, from the tree of a release, else of the newest; its exit code."""
        name = release or [*self.releases][-1]
        config = self.folder / "operator.toml"
        process = self._release(name).start(*words, "--config", str(config), log=self._log(words[0]))
        code = process.wait(COMMAND_SECONDS)
        if code not in accept:
            raise PlanFailed(f"{name}$ midflight {' '.join(words)} exited with {code}{process.last_words()}")
        return code

    # The tests.

    @final
    @classmethod
    def plans(cls, count: int = 2) -> Callable[..., None]:
        """A parametrised test for pytest, one case a plan. Seeds count from 1.

        The environment says otherwise: MIDFLIGHT_PLANS how many, MIDFLIGHT_SEED from where on, and MIDFLIGHT_PLAN is
        one plan in words, as a failure prints it. A plan that fails is made as short as it can be and still fail.
        Raises InvalidValue for numbers that are none; the test does for a plan that is none of this fleet's.
        """
        first, many = _number("MIDFLIGHT_SEED", 1, least=0), _number("MIDFLIGHT_PLANS", count, least=1)
        given = os.environ.get("MIDFLIGHT_PLAN")

        @pytest.mark.parametrize("seed", [0] if given is not None else range(first, first + many))
        def test_plan(seed: int, tmp_path: Path) -> None:
            """The fleet comes through whatever the plan does to it."""
            __tracebackhide__ = True
            plan = cls._checked(read(given)) if given is not None else cls.plan_of(seed)
            print(f"seed {seed}: {said(plan)}")  # noqa: T201  # pytest shows it where the test fails
            if (failure := cls._failure(plan, tmp_path / "all")) is not None:
                raise cls._shortened(seed, plan, *failure, tmp_path)

        return test_plan

    @final
    @classmethod
    def plan_of(cls, seed: int) -> Plan:
        """What a seed stands for."""
        return drawn(seed, [*cls.releases][1:], cls.names())

    @final
    @classmethod
    def names(cls) -> list[str]:
        """Of all members: conductors, then agents, then the others, who so know all from their first moment."""
        services = sorted(cls.members, key=lambda name: (name != CONDUCTOR, not cls.project.is_agent(name)))
        return [f"{service}-{n + 1}" for service in services for n in range(cls.members[service])]

    @classmethod
    def _checked(cls, plan: Plan) -> Plan:
        """A plan that was given. Raises InvalidValue where it is another fleet's."""
        releases, members = [*cls.releases][1:], cls.names()
        for act in plan:
            for received, known in ((act.release, releases), (act.member, members)):
                if received not in known:
                    raise InvalidValue(
                        path=f"{said((act,))!r} in MIDFLIGHT_PLAN", received=repr(received),
                        expected=f"one of {cls.__name__}'s: {', '.join(known)}",
                    )  # fmt: skip
        return plan

    @classmethod
    def _failure(cls, plan: Plan, folder: Path) -> tuple[BaseException, bool] | None:
        """How it fails, and whether anything had happened to a member by then."""
        folder.mkdir(parents=True)
        fleet = cls(folder)
        try:
            fleet.go(plan)
        except Exception as wrong:  # noqa: BLE001  # whatever a hook raises
            return wrong, fleet._has_acted
        return None

    @classmethod
    def _shortened(cls, seed: int, plan: Plan, wrong: BaseException, has_acted: bool, folder: Path) -> PlanFailed:
        """What failed before its first act fails without any, and none but the whole is tried."""
        last = [(plan if has_acted else (), wrong)]

        def fails(shorter: Plan) -> bool:
            failure = cls._failure(shorter, folder / f"try-{len(tried)}")
            tried.append(shorter)
            if failure is None or not failure[1]:
                return False
            last.append((shorter, failure[0]))
            return True

        tried: list[Plan] = []
        shortest(last[0][0], fails, TRIES)
        found, why = last[-1]
        failed = PlanFailed(
            f"{type(why).__name__}: {why}\n  plan    {said(found) or 'no act at all'}\n"
            f"  again   MIDFLIGHT_PLAN={said(found)!r}\n  from    seed {seed}, {len(plan)} acts, {len(tried)} tries"
        )
        failed.__cause__ = why
        return failed

    # One plan, from its start to its end.

    @final
    def go(self, plan: Plan) -> None:
        """Go along a plan in the folder. Raises PlanFailed, and what a hook raises."""
        with ExitStack() as stack:
            stack.callback(self.on_end)
            self._set_up(stack)
            oldest = next(iter(self.releases))
            self.command("db", "expand", release=oldest)
            self._start_all(oldest)
            self.guest = stack.enter_context(connect(self.project, self._config("operator")))
            self.on_start()
            self.traffic = Traffic(self.work if type(self).work is not MixedFleet.work else _rest)
            stack.callback(self.traffic.stop)
            self._look()
            for old, new in pairwise(self.releases):
                self._hop(plan, old, new)
            self.traffic.stop()
            self._look()
            self._stop_all()

    def _hop(self, plan: Plan, old: str, new: str) -> None:
        self.command("db", "expand", release=new)
        self.command("pin", "set", old, release=new, accept=(0, 1))
        self.pinned = old
        self._look()
        for act in plan:
            if (act.release, act.phase) == (new, "pinned"):
                self._do(act, old, new)
        for name in self.names():
            self._do(Act(new, "pinned", "upgrade", name), old, new)
        self.command("pin", "clear", release=new, accept=(0, 1))
        self.pinned = ""
        self.after_unpin()
        self._look()
        for act in plan:
            if (act.release, act.phase) == (new, "unpinned"):
                self._do(act, old, new)
        if self.project.migrations:
            self._persist("data", "run", release=new, accept=(0,))
        self._persist("upgrade", "finalize", "--yes", release=new, accept=(0, 1))
        self.after_finalize()
        self._look()

    def _persist(self, *words: str, release: str, accept: tuple[int, ...]) -> None:
        """Ask again while it refuses: rows are deferred, or a beat comes late on a busy machine, and that passes."""
        limit = time.monotonic() + REFUSED_SECONDS
        while self.command(*words, release=release, accept=(0, 1, 2, 4, 75)) not in accept:
            if time.monotonic() > limit:
                self.command(*words, release=release, accept=accept)

    def _do(self, act: Act, old: str, new: str) -> None:
        self._has_acted = True
        running = self.running[act.member]
        wanted = {"upgrade": new, "roll back": old}.get(act.verb, running.release.name)
        if act.verb in ("upgrade", "roll back") and running.release.name == wanted:
            return
        if act.verb == "kill":
            running.look()
            with self.traffic.kill():
                running.kill()
                self.running[act.member] = self._started(act.member, wanted)
        else:
            self._replace(act.member, wanted)
        if len({each.release.name for each in self.running.values()}) > 1:
            self.on_mixed()
        self._look()

    def _replace(self, name: str, release: str) -> None:
        """There is one agent on a host: the old one leaves first. Anybody else's successor is there before."""
        old, leaves_first = self.running[name], self.project.is_agent(service_of(name))
        if leaves_first:
            old.stop()
        self.running[name] = self._started(name, release)
        if not leaves_first:
            old.stop()

    def _look(self) -> None:
        for process in self.running.values():
            process.look()
        if self.traffic.failure is not None:
            raise self.traffic.failure
        for log in self._fresh_logs():
            raise PlanFailed(f"{log.name} tells of a message that was rejected for its version")
        self.check()

    def _fresh_logs(self) -> Iterator[Path]:
        for log in self.folder.glob("*.log"):
            text = log.read_bytes()
            if REJECTED in text[self._heard.get(log, 0) :]:
                yield log
            self._heard[log] = len(text)

    # Its processes.

    def _set_up(self, stack: ExitStack) -> None:
        broker = EmbeddedBroker(self.folder / "broker")
        asyncio.run(broker.start())
        stack.callback(broker.kill)
        self._broker, self._url = broker.url, f"sqlite:///{self.folder / 'fleet.db'}"
        if self.database == "postgresql":
            self._url = stack.enter_context(Cluster()).create()
        stack.callback(self._kill_all)
        for name in (*self.names(), "operator"):
            config_files.write(self._config(name))

    def _config(self, name: str) -> Config:
        service = service_of(name)
        opens = service == OPERATOR or self.project.opens_database(service)
        return Config(
            project=self.reference, broker=self._broker, database=self._url if opens else None, beat_seconds=0.5,
            state=str(self.folder / "state" / name), app=dict(self.app), path=str(self.folder / f"{name}.toml"),
        )  # fmt: skip

    def _start_all(self, release: str) -> None:
        for name in self.names():
            self.running[name] = self._started(name, release)

    def _started(self, name: str, release: str) -> Process:
        words = "run", service_of(name), "--host", name, "--config", str(self.folder / f"{name}.toml")
        process = self._release(release).start(*words, log=self._log(f"{name}.{release}"))
        try:
            process.until_ready()
        except BaseException:
            process.kill()
            raise
        return process

    def _log(self, name: str) -> Path:
        self._numbers[name] = number = self._numbers.get(name, 0) + 1
        return self.folder / f"{name}.{number}.log"

    def _release(self, name: str) -> Release:
        newest = [*self.releases.values()][-1]
        here = newest if isinstance(newest, Path) and newest.is_dir() else Path.cwd()
        tree = tree_of(self.releases[name], here, CACHE)
        key = name, tree, self.reference
        if key not in _releases or not _releases[key].runs:
            _releases[key] = Release(name, tree, self.reference)
        return _releases[key]

    def _stop_all(self) -> None:
        for name in reversed(self.names()):
            self.running.pop(name).stop()

    def _kill_all(self) -> None:
        for process in self.running.values():
            process.kill()


def _rest() -> None:
    time.sleep(0.01)


def _number(variable: str, default: int, *, least: int) -> int:
    """What the environment says. Raises InvalidValue."""
    if (text := os.environ.get(variable)) is None:
        return default
    if not text.isdecimal() or int(text) < least:
        raise InvalidValue(path=variable, received=repr(text), expected=f"a whole number, {least} or more")
    return int(text)


def service_of(name: str) -> str:
    """Of a member: ``api`` of ``api-1``."""
    return name.rpartition("-")[0] or name
