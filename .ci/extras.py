"""Install each extra alone into a bare environment, let it do what it is for, and see what it says of what is missing.

Arguments: a folder with wheels, midflight's and those of all its requirements; and one to work in. Run with
``PYTHONPATH=.`` from the repository, whose tests have the brokers. Each environment is made without a network, and
works on a project that ``midflight init`` has made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from midflight.db.cluster import lent
from midflight.transports.embedded import EmbeddedBroker
from tests.transports.ports import Port
from tests.transports.rabbit import Rabbit

MOST = 12
"""Packages that midflight alone may consist of, itself among them."""
PROJECT = "bakery"
DATABASE = "sqlite:///jobs.db"
EXPAND = """
from bakery.project import project
from midflight.db.schema.runner import SchemaRunner
SchemaRunner({url!r}, project.schema, project.tables, "v1").expand(project.migrations)
"""
KEY = "from midflight.transports.nkey import new_seed, public_of; print(public_of(new_seed()))"
SECOND_EYES = """
from midflight.db.lint.squawk import squawk
print(*squawk("1", "ALTER TABLE a ADD COLUMN b int NOT NULL;"))
"""
BROKER = """
import asyncio, pathlib
from midflight.transports.embedded import EmbeddedBroker
async def main():
    broker = await EmbeddedBroker(pathlib.Path("store")).start()
    print(broker.url)
    await broker.stop()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Bare:
    """An environment with midflight, one extra of it or none, and nothing else; and a project of its own."""

    folder: Path

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder), "MIDFLIGHT_LOG": "info"}

    def configure(self, broker: str = "memory:nobody", database: str = DATABASE, more: str = "") -> None:
        """Write the configuration of all that runs from now on."""
        lines = [
            "[midflight]",
            'project = "bakery.project:project"',
            f'broker = "{broker}"',
            f'database = "{database}"',
        ]
        (self.folder / "midflight.toml").write_text("\n".join([*lines, more]))

    def expand(self, url: str) -> None:
        """The schema, as an operator elsewhere would have it."""
        self.python("-c", EXPAND.format(url=url))

    def python(self, *words: str) -> str:
        """What a program writes; it must succeed."""
        code, said = self.ran("python", *words)
        assert code == 0, said
        return said

    def midflight(self, *words: str, expected: tuple[int, ...] = (0,)) -> str:
        """What a command says."""
        code, said = self.ran("midflight", *words)
        assert code in expected, f"midflight {' '.join(words)} exits {code}: {said}"
        assert "Traceback" not in said, said
        return said

    def lacks(self, extra: str, *words: str) -> None:
        """A command is refused in one line, which names the extra."""
        said = self.midflight(*words, expected=(64,)).strip().splitlines()[-1]
        assert f"pip install 'midflight[{extra}]'" in said, f"{words} without {extra}: {said}"

    @contextlib.contextmanager
    def runs(self, ready: str, *words: str) -> Iterator[str]:
        """A process of midflight's, from its word that it is ready to its end by SIGTERM, which must be a good one."""
        with subprocess.Popen(
            [self.folder / "venv/bin/midflight", *words], cwd=self.folder, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if ready in line:
                    break
            else:
                raise AssertionError(f"midflight {' '.join(words)} has ended: {''.join(said)}")
            try:
                yield line
            finally:
                process.send_signal(signal.SIGTERM)
                rest = process.stdout.read()
            assert process.wait() == 0, "".join(said) + rest

    def conductor(self) -> contextlib.AbstractContextManager[str]:
        """A conductor, which needs a broker and a database, and nobody else."""
        return self.runs('"service.ready"', "run", "conductor", "--host", "c1")

    def ran(self, program: str, *words: str) -> tuple[int, str]:
        """How a program of the environment ends, and what it writes."""
        command = [self.folder / "venv/bin" / program, *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr


def core(bare: Bare) -> None:
    """Services run; whatever else there is says what it needs."""
    installed = bare.python("-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))").split()
    assert len(installed) <= MOST, f"{len(installed)} packages: {sorted(installed)}"
    print(f"midflight alone is {len(installed)} packages: {', '.join(sorted(installed))}")
    with bare.conductor():
        pass
    for words in (["fleet", "list"], ["--help"], ["run", "conductor", "--hots", "c1"]):
        bare.lacks("cli", *words)
    for extra, settings in {
        "nats": {"broker": "nats://127.0.0.1:9"},
        "amqp": {"broker": "amqp://127.0.0.1:9"},
        "postgresql": {"database": "postgresql://127.0.0.1:9/jobs"},
        "metrics": {"more": '[metrics]\nlisten = "127.0.0.1:0"\n'},
        "otel": {"more": '[traces]\nendpoint = "http://127.0.0.1:9"\n'},
    }.items():
        bare.configure(**settings)
        bare.lacks(extra, "run", "conductor")
    for extra, program in {"testing": "from midflight.testing import roundtrip", "nkey": KEY}.items():
        code, said = bare.ran("python", "-c", program)
        assert code, f"{extra} works without its extra"
        assert f"pip install 'midflight[{extra}]'" in said, said


def nats(bare: Bare) -> None:
    """A service of a fleet on NATS."""
    store = bare.folder / "store"
    broker = asyncio.run(EmbeddedBroker(store).start())
    try:
        _serves(bare, broker=broker.url)
    finally:
        broker.kill()


def amqp(bare: Bare) -> None:
    """A service of a fleet on RabbitMQ."""
    rabbit = Rabbit(bare.folder / "rabbit")
    asyncio.run(rabbit.start())
    try:
        _serves(bare, broker=rabbit.url)
    finally:
        rabbit.stop()


def postgresql(bare: Bare) -> None:
    """A service whose rows are in PostgreSQL."""
    with lent(None) as url:
        bare.expand(url)
        bare.configure(database=url)
        with bare.conductor():
            pass


def metrics(bare: Bare) -> None:
    """A service that answers Prometheus; without the command line, the fleet's own page is refused."""
    port = Port()
    bare.configure(more=f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    with bare.conductor():
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    assert "midflight_" in page, page
    bare.lacks("cli", "metrics")


def otel(bare: Bare) -> None:
    """A service that traces."""
    _serves(bare, more='[traces]\nendpoint = "http://127.0.0.1:9"\n')


def embedded(bare: Bare) -> None:
    """A broker, and with it a service."""
    assert bare.python("-c", BROKER).startswith("nats://127.0.0.1:")
    nats(bare)


def cli(bare: Bare) -> None:
    """The schema is expanded and releases are frozen; what else commands need is named."""
    bare.configure(database="sqlite:///empty.db")
    assert "the schema is expanded to v1" in bare.midflight("db", "expand")
    bare.midflight("release", "list")
    assert "metrics" in bare.midflight("--help")
    for extra, words in {
        "console": ["console"], "lint": ["db", "lint"], "metrics": ["metrics"],
    }.items():  # fmt: skip
        bare.lacks(extra, *words)
    bare.lacks("console", "console", "token", "ada")
    bare.configure(broker="nats://127.0.0.1:9")
    bare.lacks("nats", "fleet", "list")


def console(bare: Bare) -> None:
    """The fleet in a browser, and tokens for who may act there."""
    assert "[[console.tokens]]" in bare.midflight("console", "token", "ada")
    with bare.runs("console: http", "console", "--listen", "127.0.0.1:0") as line:
        page = urllib.request.urlopen(line.split()[1]).read().decode()
    assert "<html" in page, page


def lint(bare: Bare) -> None:
    """Revisions are tried out on a PostgreSQL that is started for it, and squawk is there."""
    assert "revisions tried" in bare.midflight("db", "lint")
    assert "squawk" in bare.python("-c", SECOND_EYES)


def nkey(bare: Bare) -> None:
    """Keys by which a broker knows its members."""
    assert bare.python("-c", KEY).startswith("U")


def testing(bare: Bare) -> None:
    """The tests of a project."""
    assert " passed" in bare.python("-m", "pytest", "-q", "-p", "no:cacheprovider")


def rehearsal(bare: Bare) -> None:
    """The whole road of an upgrade, by real processes, without pytest and Hypothesis."""
    before = bare.folder / "before"
    shutil.copytree(bare.folder, before, ignore=shutil.ignore_patterns("venv", "before"))
    bare.midflight("release", "freeze", "v2")
    said = bare.midflight("upgrade", "rehearse", "--from", f"v1={before}", "--to", "v2", expected=(0, 1))
    assert "pass: prepare: " in said, said  # the scaffold's own data migration was finalized, as production has it
    assert "finalize: " in said, said


def _serves(bare: Bare, **settings: str) -> None:
    bare.configure(**settings)
    with bare.conductor():
        pass


TRIES: dict[str, Callable[[Bare], None]] = {
    "": core, "amqp": amqp, "cli": cli, "console": console, "embedded": embedded, "lint": lint, "metrics": metrics,
    "nats": nats, "nkey": nkey, "otel": otel, "postgresql": postgresql, "testing": testing,
    "cli,embedded": rehearsal,
}  # fmt: skip


def made(extra: str, wheels: Path, work: Path) -> Bare:
    """A bare environment, and in it the wheel with this extra and what that brings."""
    bare = Bare(work / (extra or "core"))
    shutil.copytree(work / PROJECT, bare.folder)
    python = bare.folder / "venv/bin/python"
    subprocess.run(["uv", "venv", "--quiet", "--offline", "--python", sys.executable, bare.folder / "venv"], check=True)
    wanted = f"midflight[{extra}]" if extra else "midflight"
    where = ["--no-index", "--find-links", wheels, "--refresh-package", "midflight"]  # the last one has its name too
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *where, wanted], check=True)
    bare.configure()
    return bare


def main() -> int:
    """All of them, some at once."""
    wheels, work = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    declared = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
    alone = {extra for extra in TRIES if extra and "," not in extra}
    assert declared.keys() == alone, f"{declared.keys() ^ alone} is an extra or is tried, not both"
    work.mkdir(parents=True)
    subprocess.run(["midflight", "init", PROJECT], cwd=work, check=True, capture_output=True)
    here = {**os.environ, "MIDFLIGHT_DATABASE": DATABASE}
    subprocess.run(["midflight", "db", "expand"], cwd=work / PROJECT, env=here, check=True, capture_output=True)

    def one(extra: str) -> None:
        TRIES[extra](made(extra, wheels, work))
        print(f"midflight[{extra}] alone does what it is for" if extra else "midflight alone serves", flush=True)

    with ThreadPoolExecutor(3) as several:
        for _ in several.map(one, TRIES):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
