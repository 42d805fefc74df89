"""Everything that a run needs, set up in one directory and taken down again: broker, database, socket, fleet,
load, operator."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from demo import proc, witness
from demo.console import Console
from demo.counts import last
from demo.fleet import Fleet
from demo.loader import Loader
from demo.operator import Operator
from demo.raw import Journal, lines
from demo.rows import Rows
from demo.size import RELEASES, Size
from midflight.db.cluster import Cluster
from midflight.transports.embedded import EmbeddedBroker

HOME = Path(__file__).resolve().parent.parent
TREES = {release: HOME / release for release in RELEASES}


class Stage:
    """One run's directory and what works in it. ``say`` gets every line that a user of the demo may want to see."""

    def __init__(
        self,
        size: Size,
        run: Path,
        say: Callable[[str], None],
        broker_url: str,
        database_url: str,
        stack: contextlib.AsyncExitStack,
    ) -> None:
        self.size, self.run, self.say = size, run, say
        self.broker_url, self.database_url = broker_url, database_url
        self.machines = run / "machines"
        for folder in (self.machines, run / "config"):
            folder.mkdir()
        self._stack = stack
        self.steps, self.witness = self._journal("steps"), self._journal("witness")
        self.listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        self.port: int = self.listening.getsockname()[1]
        self._processes = self._journal("fleet")
        self.fleet = Fleet(TREES, run, self._processes, self.listening)
        self.operator = Operator(TREES, self.fleet.config("operator"), self._journal("commands"), say)
        self.load: Loader
        self.console: Console | None = None
        self.rows = stack.enter_context(Rows(database_url))

    def _journal(self, name: str) -> Journal:
        journal = Journal(self.run / f"{name}.jsonl")
        self._stack.callback(journal.close)
        return journal

    async def open(self) -> None:
        """Start the load client, idle; from now on the stack ends whatever was started."""
        self._stack.callback(end_machines, self.machines)
        self._stack.push_async_callback(self.fleet.end)
        self.load = await Loader.start(self.port, self.run / "load.jsonl")
        self.note_helper("load", self.load.pid)
        self._stack.push_async_callback(self.load.end)

    def note_helper(self, name: str, pid: int | None) -> None:
        """Write down the id of a process that is no service, so that the next run finds it if this one is killed."""
        self._processes.write(event="helper", name=name, pid=pid)

    def configure(self, name: str, service: str, levels: Mapping[str, str] | None = None) -> None:
        """Write a member's configuration file; ``levels`` are local pins."""
        has_database = service in ("api", "conductor", "operator")
        content = f"""
[midflight]
project = "compute.project:project"
broker = "{self.broker_url}"
{f'database = "{self.database_url}"' if has_database else ""}
state = "../state/{name}"
beat_seconds = 1

[upgrade_levels]
{"".join(f'{topic} = "{level}"' for topic, level in (levels or {}).items())}

[app]
machines = "{self.machines}"
resize_seconds = {self.size.resize_seconds}
"""
        self.fleet.config(name).write_text(content)

    def members(self) -> list[tuple[str, str]]:
        """Every member's name and service, in an order in which they may start."""
        size = self.size
        numbers = {"conductor": size.conductors, "scheduler": 1, "api": size.apis}
        control = [(f"{service}-{n + 1}", service) for service, count in numbers.items() for n in range(count)]
        return [*control, *((host, "compute") for host in size.hosts)]

    def requests(self) -> int:
        """How many requests the load has logged."""
        log = self.run / "load.jsonl"
        return log.read_bytes().count(b"\n") if log.exists() else 0

    async def show(self, release: str, more: str = "") -> None:
        """The fleet in a browser, as who upgrades it to this release sees it; at one address in all of the run.
        ``more`` is for its configuration, by which nobody signs in."""
        self.configure("console", "operator")
        with self.fleet.config("console").open("a") as file:
            file.write(more)
        listen = "127.0.0.1:0" if self.console is None else self.console.url.removeprefix("http://")
        address = self.run / "console.url"
        if self.console is not None:
            address.unlink()  # first: who watches may know by that why the pages are pushed no more
            await self.console.end()
        log = self.run / "logs" / "console.jsonl"
        self.console = await Console.start(TREES[release], self.fleet.config("console"), log, listen)
        self._stack.push_async_callback(self.console.end)
        self.note_helper("console", self.console.process.pid)
        address.write_text(self.console.url)
        self.say(f"the fleet in a browser: {self.console.url}")

    async def look_around(self) -> None:
        """Write down what the world is like at the end, when nothing is going on any more."""
        await witness.look_back(self.run, self.port, self.rows, self.witness)
        broker = await witness.broker_engine(int(self.broker_url.rpartition(":")[2]))
        self.witness.write(kind="engine", engine={"broker": broker, "database": self.rows.engine()})


@contextlib.asynccontextmanager
async def staged(size: Size, run: Path, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """A stage in a fresh directory. However it is left, no process of it stays behind."""
    clear(run)
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(EmbeddedBroker(run / "broker"))
        stage = Stage(size, run, say, broker.url, database(size.db, run, stack), stack)
        stage.note_helper("broker", broker.pid)
        await stage.open()
        yield stage


def database(kind: str, run: Path, stack: contextlib.AsyncExitStack) -> str:
    """The URL of an empty database: a file of the run's, or a database on a PostgreSQL that ends with the stack."""
    if kind == "postgresql":
        return stack.enter_context(Cluster()).create()
    return f"sqlite:///{run / 'compute.db'}"


def clear(run: Path) -> None:
    """Wipe what an earlier run left, its processes included if it was killed itself."""
    if run.exists():
        for event in lines(run / "fleet.jsonl"):
            proc.kill(int(event["pid"]), str(run))
        end_machines(run / "machines")
        shutil.rmtree(run)
    run.mkdir(parents=True)


def end_machines(machines: Path) -> None:
    """Kill the processes of all instances, by the ids under which they count."""
    for counted in machines.glob("*.count"):
        if latest := last(counted):
            proc.kill(latest.pid, counted.stem)
