"""A watcher in the laboratory: a process of its own in the watcher's namespace, which does what it is told on standard
input and writes what it logs on standard output, both in lines of JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from house.clock import SystemClock
from house.errors import HouseError
from house.lan import ip
from house.lan.mac import Mac
from house.states import Cause, Mode, State
from house.watcher.file import GuardFile
from house.watcher.guarded import Guarded
from house.watcher.watch import Watch
from tests.lab.network import Network, Sleeper
from tests.lab.unit import HERE, PATIENCE


class Watching:
    """The process, as a test sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        """What it has logged."""
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()

    async def ask(self, verb: str, *arguments: Any) -> Any:
        """Have it do something: its answer; raises RuntimeError with the text of its error."""
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([number, verb, *arguments]).encode() + b"\n")
        return await self._asked[number]

    async def read(self) -> None:
        """Take in what it says, until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            said = json.loads(line)
            if "answer" in said:
                self._take(self._asked.pop(said["answer"]), said)
            else:
                self.events.append(said)
            self._changed.set()

    def _take(self, asked: asyncio.Future[Any], said: dict[str, Any]) -> None:
        if "error" in said:
            asked.set_exception(RuntimeError(said["error"]))
        else:
            asked.set_result(said["value"])

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it has said what is waited for."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"the watcher has only said: {self.events}") from None

    def told(self, event: str, sleeper: Sleeper | None = None) -> list[dict[str, Any]]:
        """What it has logged of that kind, of a machine or of all."""
        name = sleeper.name if sleeper else None
        return [each for each in self.events if each["event"] == event and name in (None, each.get("machine"))]

    async def sleep(self, sleeper: Sleeper) -> None:
        """The machine says that it sleeps, and does when that is acknowledged; the watcher sees it answer no more."""
        await self.ask("claim", sleeper.name)
        sleeper.suspend()

        await self.sees(State.ASLEEP, sleeper)

    async def sees(self, state: State, *sleepers: Sleeper) -> None:
        """Wait until the watcher sees the machines in this state."""
        names, states = {sleeper.name for sleeper in sleepers}, dict[str, str]()
        try:
            async with asyncio.timeout(PATIENCE):
                while dict.fromkeys(names, state) != {name: states.get(name) for name in names}:
                    states = await self.ask("states")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"expected {state}, found {states}; the watcher has said: {self.events}") from None


def machine_of(sleeper: Sleeper) -> dict[str, Any]:
    """As it is told to the process."""
    addresses = [str(sleeper.four), str(sleeper.six)]
    return {"name": sleeper.name, "mac": str(sleeper.mac), "addresses": addresses, "mode": sleeper.mode} | {
        "vlan": sleeper.vlan, **sleeper.more,
    }  # fmt: skip


@asynccontextmanager
async def watching(net: Network, state: Path, *ignored: str) -> AsyncIterator[Watching]:
    """A watcher of all machines of a network, which has found out how they stand."""
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", net.watcher, sys.executable, "-m", "tests.lab.watching", str(state),
        cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    watcher = Watching(process)
    reading = asyncio.create_task(watcher.read())
    try:
        await watcher.ask("set", [machine_of(sleeper) for sleeper in net.sleepers], [[mac, None] for mac in ignored])
        yield watcher
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await reading


# The process.


async def _serve(state: Path) -> None:
    watch = Watch(SystemClock(), GuardFile(state / "guards.json"))
    watch.start()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    async for line in reader:
        tasks.add(asyncio.create_task(_do(watch, *json.loads(line))))
    transport.close()
    await asyncio.gather(*tasks)
    watch.stop()


async def _do(watch: Watch, number: int, verb: str, *arguments: Any) -> None:
    try:
        value = await _verbs(watch)[verb](*arguments)
    except HouseError as wrong:
        _say({"answer": number, "error": str(wrong)})
    else:
        _say({"answer": number, "value": value})


def _verbs(watch: Watch) -> dict[str, Callable[..., Any]]:
    async def set_(machines: list[dict[str, Any]], ignored: list[tuple[str, str | None]]) -> None:
        watch.set([_guarded(**machine) for machine in machines], [(mac, name) for mac, name in ignored], strict=True)

    async def claim(name: str) -> None:
        await watch.claim(watch.guards[name].machine)

    async def claim_and_forget(name: str) -> None:
        """The house forgets a machine while the claim still listens for it."""
        claiming = asyncio.create_task(claim(name))
        await asyncio.sleep(0)  # until it listens
        await set_([], [])
        await claiming

    async def release(name: str) -> None:
        watch.release(name)

    async def wake(name: str) -> int | None:
        wake = await watch.wake(name, Cause.ASKED)
        return None if wake.awake is None else wake.tries

    async def states() -> dict[str, str]:
        return {name: guard.state for name, guard in watch.guards.items()}

    async def wakes() -> list[str]:
        return [wake.machine for wake in watch.reports.wakes.values()]

    verbs = set_, claim, claim_and_forget, release, wake, states, wakes
    return {each.__name__.strip("_"): each for each in verbs}


def _guarded(name: str, mac: str, addresses: list[str], mode: str, **more: Any) -> Guarded:
    ports = frozenset(more.pop("wake_ports", (22,)))
    return Guarded(name, Mac.parse(mac), tuple(map(ip.parse, addresses)), mode=Mode(mode), wake_ports=ports, **more)


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what, default=str) + "\n")
    sys.stdout.flush()


def _main() -> None:
    def to_lines(_: object, __: str, event: Any) -> str:
        return json.dumps(event, default=str)

    structlog.configure(processors=[to_lines], logger_factory=structlog.PrintLoggerFactory())
    asyncio.run(_serve(Path(sys.argv[1])))


if __name__ == "__main__":
    _main()
