"""The operator's pages are true: their commands are typed at the tutorial's fleet, to which just that has happened."""

from __future__ import annotations

import asyncio
import re
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from midflight.testing.processes import Process, Release
from midflight.transports.embedded import EmbeddedBroker
from tests.shell import Shell, fits, typed
from tests.test_tutorial import TUTORIAL, environment

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"
PLAYED = UPGRADE, WRONG = HOW_TO / "upgrade-a-fleet.md", HOW_TO / "when-something-is-wrong.md"
PATIENCE = 60.0
OPENS = "conductor", "dispatcher", "operator"
"""Who is given the database."""
DEFERS = """
    if not row.text:
        raise ValueError("nothing to count")
    if row.state == "handed out":
        raise Deferred("a worker has it")
    return"""
"""What the page's data migration has beside the scaffold's, so that there are rows that do not follow."""


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Release, Release]]:
    """v1 as `midflight init` makes it, and v2 as the tutorial does; each with a process to fork from."""
    folder = tmp_path_factory.mktemp("bakery")
    shell = Shell(folder, environment(), ["bash"])
    shell.run("midflight init bakery")
    migrations = folder / "bakery/bakery/migrations.py"
    text = migrations.read_text().replace("import Row,", "import Deferred, Row,")
    migrations.write_text(re.sub(r"\n    return(?= \{)", DEFERS, text))
    shell.run("cp -r bakery bakery-v2; cd bakery-v2")
    for edit in typed(TUTORIAL.read_text(), install=False):
        assert edit.what != "diff" or not shell.edit(edit.command)
    shell.run("export MIDFLIGHT_DATABASE=sqlite:///nothing.db")
    said, code = shell.run("midflight db revision --autogenerate -m urgent && midflight release freeze v2")
    assert code == 0, said
    shell.close()
    with ExitStack() as stack:
        made = [Release(name, folder / tree, "bakery.project:project") for name, tree in
                (("v1", "bakery"), ("v2", "bakery-v2"))]  # fmt: skip
        for release in made:
            stack.callback(release.close)
        yield made[0], made[1]


class Bakery:
    """Its broker, its rows and its processes, each of them a real one."""

    def __init__(self, folder: Path, v1: Release, v2: Release) -> None:
        self.folder, self.v1, self.v2 = folder, v1, v2
        self.broker = EmbeddedBroker(folder / "broker")
        self.running: dict[str, Process] = {}
        self._count = 0

    def begin(self) -> None:
        """The broker, the rows, and four members of v1 that work."""
        self.resume()
        self.done("db expand", self.v1)
        self.start(self.v1, "conductor@c1", "dispatcher@d1", "worker@w1", "worker@w2")
        self.until("fleet list", "4 active")

    def pause(self) -> None:
        """The broker is away, and nobody is asked for long."""
        self.broker.kill()
        self.call_seconds = 2

    def resume(self) -> None:
        """It is back."""
        asyncio.run(self.broker.start())
        self.call_seconds = 30

    def no_conductor(self) -> None:
        """The broker is back, and the only conductor has left."""
        self.resume()
        self.until("fleet list", "4 active")
        self.stop("conductor@c1")
        self.call_seconds = 2

    def with_a_conductor(self) -> None:
        """It is there again, and has heard everybody."""
        self.call_seconds = 30
        self.start(self.v1, "conductor@c1")
        self.until("fleet list", "4 active")

    def start(self, release: Release, *members: str) -> None:
        """In the place of those who run there, and in this order."""
        for member in members:
            self.stop(member)
            service, _, host = member.partition("@")
            words = "run", service, "--host", host, "--config", str(self._config(service, host))
            self.running[member] = process = release.start(*words, log=self._log(member))
            process.until_ready()

    def stop(self, member: str) -> None:
        """As SIGTERM does."""
        if (process := self.running.pop(member, None)) is not None:
            process.stop()

    def lose(self, member: str) -> None:
        """It is killed, and the fleet has noticed."""
        self.running.pop(member).kill()
        self.until("fleet list", rf"{member.replace('@', ' +')} .* lost ")

    def command(self, *words: str, release: Release | None = None) -> tuple[str, int]:
        """What a command writes from v2's copy, and its exit code."""
        log = self._log("command")
        process = (release or self.v2).start(*words, "--config", str(self._config("operator", "desk")), log=log)
        code = process.wait(PATIENCE)
        return log.read_text(), code

    def done(self, command: str, release: Release | None = None) -> None:
        """It must be."""
        written, code = self.command(*command.split(), release=release)
        assert code == 0, f"midflight {command} exits {code}: {written}"

    def until(self, command: str, said: str) -> None:
        """Ask again until a command says so."""
        limit = time.monotonic() + PATIENCE
        while not re.search(said, written := self.command(*shlex.split(command))[0]):
            assert time.monotonic() < limit, f"midflight {command} never said {said!r}: {written}"

    def rows(self, statement: str, *parameters: object) -> None:
        """Somebody writes past the code."""
        with closing(sqlite3.connect(self.folder / "jobs.db")) as connection, connection:
            connection.execute(statement, parameters)

    def close(self) -> None:
        """End all of it at once."""
        for process in self.running.values():
            process.kill()
        self.broker.kill()

    def _config(self, service: str, host: str) -> Path:
        path = self.folder / f"{service}-{host}.toml"
        lines = ['project = "bakery.project:project"', f'broker = "{self.broker.url}"', "beat_seconds = 2",
                 f'state = "{self.folder}/state/{service}-{host}"']  # fmt: skip
        if service in OPENS:
            lines.append(f'database = "sqlite:///{self.folder}/jobs.db"')
        if service == "operator":
            lines.append(f"call_seconds = {self.call_seconds}")
        path.write_text("\n".join(["[midflight]", *lines, ""]))
        return path

    def _log(self, name: str) -> Path:
        self._count += 1
        return self.folder / f"{self._count}-{name}.log"


@pytest.fixture
def bakery(tmp_path: Path, releases: tuple[Release, Release]) -> Iterator[Bakery]:
    """Four members of v1 that work."""
    made = Bakery(tmp_path, *releases)
    try:
        made.begin()
        yield made
    finally:
        made.close()


def upgrade_half(bakery: Bakery) -> None:
    """Pinned to v1, the control services and one of two workers are v2."""
    bakery.done("data run", bakery.v1)
    bakery.done("upgrade finalize --yes", bakery.v1)
    bakery.done("db expand")
    bakery.done("pin set v1")
    bakery.start(bakery.v2, "conductor@c1", "dispatcher@d1", "worker@w1")
    bakery.until("fleet list", "4 active")


def played(page: Path, before: Mapping[str, Callable[[], object]], bakery: Bakery) -> list[str]:
    """Where a page and what happens differ; and what has happened ``before`` a part, by its heading."""
    parts = re.split(r"^(?=## )", page.read_text(), flags=re.MULTILINE)
    assert {f"## {title}" for title in before} <= {part.partition("\n")[0] for part in parts}
    differences = []
    for part in parts:
        title = part.partition("\n")[0].removeprefix("## ")
        before.get(title, lambda: None)()
        for each in typed(part, install=True):
            word, *arguments = shlex.split(each.command)
            assert word == "midflight", each
            happened, code = bakery.command(*arguments)
            if code != each.code or not fits(each.answer, happened):
                said = f"--- said ({each.code})\n{each.answer}--- happened ({code})\n{happened}"
                differences.append(f"{page.name}, {title}: {each.command}\n{said}")
    return differences


def test_an_upgrade_is_as_the_page_says(bakery: Bakery) -> None:
    """A red gate, its risk, the ways back, the door in the middle of a roll, and the journal of it all."""
    before = {"Watch": lambda: upgrade_half(bakery), "When a gate is red": lambda: bakery.lose("worker@w2")}
    assert not (differences := played(UPGRADE, before, bakery)), "\n\n".join(differences)


def test_what_goes_wrong_is_as_the_page_says(bakery: Bakery) -> None:
    """Rows that do not follow, a pin, no broker, no conductor, and a host that goes."""

    def rows_that_do_not_follow() -> None:
        for text, state in (("one two", "done"), ("three", "done"), ("four", "handed out"), ("", "done")):
            bakery.rows("INSERT INTO jobs (text, state) VALUES (?, ?)", text, state)

    before = {
        "A migration does not move": rows_that_do_not_follow,
        "The broker is down": bakery.pause,
        "No conductor answers": bakery.no_conductor,
        "A host is to go": bakery.with_a_conductor,
        "A host has gone": lambda: bakery.lose("worker@w2"),
    }
    assert not (differences := played(WRONG, before, bakery)), "\n\n".join(differences)
