"""A fleet of real processes of several releases, on a real broker and a real database."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, TypeVar, final

from midflight.config import Config
from midflight.db.cluster import Cluster
from midflight.errors import UsageError
from midflight.guest import Guest, connect
from midflight.project import Project, load_project
from midflight.rpc.rights import CONDUCTOR, OPERATOR
from midflight.testing import config_files
from midflight.testing.processes import PlanFailed, Process, Release
from midflight.testing.release_trees import tree_of
from midflight.testing.traffic import Traffic
from midflight.transports.embedded import EmbeddedBroker

T = TypeVar("T")

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midflight" / "releases"
"""Where commits and wheels are unpacked."""
REFUSED_SECONDS = 60.0
"""For so long a step may be refused before that is a failure."""
AGAIN_SECONDS = 0.5
"""Then it is asked again."""
DATABASES = "sqlite", "postgresql"
REJECTED = b'"rpc.version_rejected"'

_releases: dict[tuple[str, Path, str, Path | None], Release] = {}
"""Those that were loaded: once for all plans of a test run."""


class RealFleet:
    """A fleet that goes from release to release, in the way that ``_hop`` says. What is upgraded, and what its users do
    meanwhile, stands in a class of a project's own; its hooks may raise whatever an assertion raises."""

    project: ClassVar[Project]
    """The project as the newest release has it: the guest's. A class without one has that of the midflight.toml in the
    newest release's folder; in the current one, where that release is no folder."""
    reference: ClassVar[str]
    """Where it is in each release, as in midflight.toml: ``package.module:attribute``. It comes with the project."""
    releases: ClassVar[Mapping[str, Path | str]]
    """By name, oldest first: a folder, a wheel of pure Python, or, as a str, a commit of the repository in which the
    newest release's folder is."""
    pythons: ClassVar[Mapping[str, Path]] = {}
    """By release, the Python of an environment with the packages that it is deployed with, midflight among them. Where
    there is none, they are those of the test's own environment."""
    members: ClassVar[Mapping[str, int]]
    """How many of each service, conductors included: ``{"conductor": 2, "api": 1}`` are conductor-1, conductor-2 and
    api-1, which are their hosts' names too."""
    app: ClassVar[Mapping[str, Any]] = {}
    """The ``[app]`` table of all members."""
    database: ClassVar[str] = "sqlite"
    """Or ``postgresql``: on a server that is started for each plan."""
    command_seconds: ClassVar[float | None] = 120.0
    """How long a command may take; None for as long as it needs."""
    _found: ClassVar[Project | None] = None
    """The project, where midflight.toml has named it."""

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

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.database not in DATABASES:
            reason = f"{cls.__name__}.database: received {cls.database!r}, expected {' or '.join(DATABASES)}"
            raise UsageError(reason=reason)
        is_named = "project" in vars(cls) or getattr(cls, "project", None) is not cls._found
        is_new = "releases" in vars(cls) or cls._found is None
        if hasattr(cls, "releases") and is_new and not is_named:
            if not cls.releases:
                reason = f"{cls.__name__}.releases: received none, expected them by name, oldest first"
                raise UsageError(reason=reason)
            cls.reference = Config.load(cls._here() / "midflight.toml").project
            cls.project = cls._found = load_project(cls.reference)

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
            if time.monotonic() > limit:
                raise AssertionError(f"not within {seconds:g} s: {found}")
            time.sleep(0.05)
        return result

    def command(self, *words: str, release: str = "", accept: tuple[int, ...] = (0,), config: str = OPERATOR) -> int:
        """A command of midflight's, from the tree of a release, else of the newest; its exit code."""
        name = release or [*self.releases][-1]
        file = str(self.folder / f"{config}.toml")
        process = self._release(name).start(*words, "--config", file, log=self._log(words[0]))
        try:
            code = process.wait(self.command_seconds)
        except BaseException:
            process.kill()
            raise
        if code not in accept:
            raise PlanFailed(f"{name}$ midflight {' '.join(words)} exited with {code}{process.last_words()}")
        return code

    @final
    @classmethod
    def names(cls) -> list[str]:
        """Of all members: conductors, then agents, then the others, who so know all from their first moment."""
        services = sorted(cls.members, key=lambda name: (name != CONDUCTOR, not cls.project.is_agent(name)))
        return [f"{service}-{n + 1}" for service in services for n in range(cls.members[service])]

    # From its start to its end.

    def _live(self) -> None:
        """Raises PlanFailed, and what a hook raises."""
        with ExitStack() as stack:
            stack.push(self._end)
            self._set_up(stack)
            oldest = next(iter(self.releases))
            self.command("db", "expand", release=oldest)
            self._start_all(oldest)
            self.guest = stack.enter_context(connect(self.project, self._config("operator")))
            self.on_start()
            self.traffic = Traffic(self.work if type(self).work is not RealFleet.work else _rest)
            stack.callback(self.traffic.stop)
            self._look()
            for old, new in pairwise(self.releases):
                self._hop(old, new)
            self.traffic.stop()
            self._look()
            self._stop_all()

    def _end(self, kind: object, wrong: BaseException | None, traceback: object) -> None:
        """What goes wrong in the hook hides nothing of what went wrong before; nor does a ``pytest.fail`` in it, which
        is no Exception."""
        try:
            self.on_end()
        except BaseException as also:
            if wrong is None or isinstance(also, KeyboardInterrupt | SystemExit):
                raise
            wrong.add_note(f"and on_end raised {type(also).__name__}: {also}")

    def _hop(self, old: str, new: str) -> None:
        """The whole way from one release to the next."""
        raise NotImplementedError

    def _persist(self, *words: str, release: str, accept: tuple[int, ...]) -> None:
        """Ask again while it refuses: rows are deferred, or a beat comes late on a busy machine, and that passes."""
        limit = time.monotonic() + REFUSED_SECONDS
        while self.command(*words, release=release, accept=(0, 1, 2, 4, 75)) not in accept:
            if time.monotonic() > limit:
                self.command(*words, release=release, accept=accept)
                return
            time.sleep(AGAIN_SECONDS)

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
            self._cluster = stack.enter_context(Cluster())
            self._url = self._cluster.create()
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

    def _tree(self, name: str) -> Path:
        """Of a release. Raises UsageError."""
        return tree_of(self.releases[name], self._here(), CACHE)

    @classmethod
    def _here(cls) -> Path:
        newest = [*cls.releases.values()][-1]
        return newest if isinstance(newest, Path) and newest.is_dir() else Path.cwd()

    def _release(self, name: str) -> Release:
        tree = self._tree(name)
        key = name, tree, self.reference, self.pythons.get(name)
        if key not in _releases or not _releases[key].runs:
            _releases[key] = Release(name, tree, self.reference, self.pythons.get(name))
        return _releases[key]

    def _stop_all(self) -> None:
        for name in reversed(self.names()):
            self.running.pop(name).stop()

    def _kill_all(self) -> None:
        for process in self.running.values():
            process.kill()


def _rest() -> None:
    time.sleep(0.01)


def service_of(name: str) -> str:
    """Of a member: ``api`` of ``api-1``."""
    return name.rpartition("-")[0] or name
