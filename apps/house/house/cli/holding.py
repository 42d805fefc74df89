"""``house hold``: keep a machine awake until then, or while a command runs."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from json import loads
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from cyclopts import Parameter, Token

from house import clock, until
from house.cli.output import Output, at, complain
from house.cli.place import ConfigFile, Json, ask, once, this_machine, visiting
from house.errors import HouseError, NotFound
from midflight import Guest, InvalidValue, MidflightError

LEASE = timedelta(minutes=5)
"""How long a machine is held after the last word of a command that ran there: for so long it is awake for nothing where
the command was killed together with us."""
RENEW_SECONDS = 60.0
NOT_FOUND, NOT_RUN = 127, 126
"""What a shell says of a command that there is not, or that may not be run."""


def _command(_type: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(loads(tokens[0].value))


Command = Annotated[tuple[str, ...] | None, Parameter(name="--command", converter=_command, show=False)]


def hold(
    name: str | None = None,
    /,
    *,
    until_: Annotated[str, Parameter(name="--until")] = "",
    reason: str = "",
    all_: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    undo: Annotated[int | None, Parameter(name="--undo")] = None,
    command: Command = None,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Keep a machine awake: house hold NAME --until 2h. Or for as long as a command runs: house hold -- make check.

    Parameters
    ----------
    name
        The machine; without it, this one.
    until_
        45m, 2h, 3d, 18:30, 2026-12-24 or 2026-12-24 18:00, where this machine is.
    reason
        What for.
    all_
        Hold the whole house.
    undo
        Let this hold go, by the number that `house status` shows.
    """
    if undo is not None:
        return _let_go(undo, config, json)
    machine = None if all_ else name or this_machine()
    if command and not until_:
        return _while(machine, command, reason or " ".join(command)[:200], config)
    if command or not until_:
        raise InvalidValue(
            path="house hold", received="both" if command else "neither", expected="--until TIME, or -- COMMAND"
        )
    when = until.read(until_, clock.now())
    held = once(config, lambda operator: operator.hold(machine, when, reason or "somebody said so"))
    out = Output(json=json)
    out.say(f"hold {held.id}: {machine or 'the whole house'} stays awake until {at(when)}")
    out.document(held)
    return 0


def _let_go(number: int, config: Path | None, json: bool) -> int:
    gone = once(config, lambda operator: operator.let_go(number))
    out = Output(json=json)
    out.say(f"hold {number} of {gone.machine or 'the whole house'} is gone")
    out.document(gone)
    return 0


def _while(machine: str | None, command: Sequence[str], reason: str, config: Path | None) -> int:
    """Where nobody can be asked the command runs all the same: without a conductor no machine has leave to sleep."""
    over = threading.Event()
    holder = threading.Thread(target=_keep, args=(machine, reason, config, over), name="house hold")
    holder.start()
    try:
        return _run(command)
    finally:
        over.set()
        holder.join()


def _run(command: Sequence[str]) -> int:
    try:
        running = subprocess.Popen(command)
    except FileNotFoundError:
        return _not_run(command, "there is no such command", NOT_FOUND)
    except OSError as wrong:
        return _not_run(command, wrong.strerror or str(wrong), NOT_RUN)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        running.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to both, and what the command does counts
    code = running.wait()
    return code if code >= 0 else 128 - code


def _not_run(command: Sequence[str], reason: str, code: int) -> int:
    complain(f"error: {command[0]} was not run: {reason}")
    return code


def _keep(machine: str | None, reason: str, config: Path | None, over: threading.Event) -> None:
    """Hold it for as long as the command runs. What goes wrong is told once, and tried again."""
    told = False
    while not over.is_set():
        try:
            with visiting(config) as guest:
                _keep_here(guest, machine, reason, over)
        except (HouseError, MidflightError) as wrong:
            if not told:
                complain(f"warning: {machine or 'the house'} is not held: {wrong}")
            told = True
            over.wait(RENEW_SECONDS)


def _keep_here(guest: Guest, machine: str | None, reason: str, over: threading.Event) -> None:
    """By a short hold that is prolonged."""
    number = ask(guest, lambda operator: operator.hold(machine, clock.now() + LEASE, reason)).id or 0
    try:
        while not over.wait(RENEW_SECONDS):
            ask(guest, lambda operator: operator.prolong(number, clock.now() + LEASE))
    finally:
        with suppress(NotFound):  # somebody has let it go meanwhile
            ask(guest, lambda operator: operator.let_go(number))
