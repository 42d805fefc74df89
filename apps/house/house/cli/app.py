"""The command line: its commands, and how each ending becomes an exit code.

The table is midflight's: 0 done · 1 done, and there is more to do · 2 blocked, for a reason that is named · 3 needs a
person · 4 unknown · 64 usage · 70 internal · 75 try again · 130 interrupted · 141 who read the output has gone. ``house
hold -- COMMAND`` ends as the command does.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper

import structlog
from cyclopts import App, CycloptsError, UnknownCommandError

from house.cli.output import Output, complain
from house.errors import HouseError, NotClaimed, NotNow, StaysAwake
from midflight import InvalidValue, MidflightError

BLOCKED, PERSON, USAGE, INTERNAL, AGAIN, INTERRUPTED, UNREAD = 2, 3, 64, 70, 75, 130, 141

COMMAND = "--command"
"""Stands for ``--`` and what comes behind it, as a list in JSON: whatever that is, it is nobody's option."""

Command = tuple[str, str]
"""Where it is, as module:function, and what it is for in one line."""

SOUND: dict[str, Command] = {
    "rooms": ("house.cli.sound.rooms:list_", "What each room shall hear, and what it does."),
    "streams": ("house.cli.sound.streams:list_", "What can be heard, and how it stands."),
    "queue": ("house.cli.sound.streams:queue", "What a stream plays, and what comes next."),
    "patch": ("house.cli.sound.rooms:patch", "Have rooms hear a stream."),
    "off": ("house.cli.sound.rooms:off", "Have rooms be silent."),
    "volume": ("house.cli.sound.rooms:volume", "How loud rooms are."),
    "mute": ("house.cli.sound.rooms:mute", "Mute rooms."),
    "timer": ("house.cli.sound.rooms:timer", "Let rooms fall silent by themselves."),
    "scene": ("house.cli.sound.scenes:scene", "Set rooms as a scene says."),
    "scenes": ("house.cli.sound.scenes:list_", "Which scenes there are."),
    "save": ("house.cli.sound.scenes:save", "Keep how rooms are now, as a scene."),
    "drop": ("house.cli.sound.scenes:drop", "Drop a scene."),
    "stream": ("house.cli.sound.streams:stream", "Add something to be heard, or remove it."),
    "enable": ("house.cli.sound.streams:enable", "Have a stream sent again."),
    "disable": ("house.cli.sound.streams:disable", "Have a stream not be sent."),
    "group": ("house.cli.sound.groups:group", "A name for several rooms."),
    "room": ("house.cli.sound.rooms:room", "Where a room is played, by which engine, and how much later."),
    "test": ("house.cli.sound.testing:prove", "Play a signal, and say which engine the network bears."),
    "forget": ("house.cli.sound.rooms:forget", "A room is gone."),
}

COMMANDS: dict[str, Command | dict[str, Command]] = {
    "status": ("house.cli.machines:status", "How each machine stands, and why."),
    "wake": ("house.cli.machines:wake", "Wake a machine."),
    "sleep": ("house.cli.machines:sleep", "Have a machine sleep now."),
    "test-wake": ("house.cli.machines:prove", "Send a magic packet, and see whether the machine lives."),
    "hold": ("house.cli.holding:hold", "Keep a machine awake until then, or while a command runs."),
    "away": ("house.cli.home:away", "Nobody is at home until then: rules count no more."),
    "ignore": ("house.cli.requesters:ignore", "Wake no machine any more for a requester."),
    "rule": ("house.cli.rules:rule", "Hours in which machines do not sleep."),
    "add": ("house.cli.changing:add", "A machine without an agent."),
    "set": ("house.cli.changing:set_", "How a machine is guarded, and what it uses."),
    "forget": ("house.cli.changing:forget", "A machine is gone."),
    "history": ("house.cli.past:history", "Hours asleep, wakes by cause, and the energy that was saved."),
    "sound": SOUND,
    "page": ("house.cli.page:page", "The house in a browser."),
    "watch": ("house.cli.watch:watch", "Wake machines for whoever asks for them, alone on one box."),
}
"""Where each is; a command's module is imported only when it is used."""


def build() -> App:
    """The tree of commands."""
    app = App(
        name="house", help="Machines that sleep until somebody needs them.", version="1.0", help_format="plaintext",
        result_action="return_value", suppress_keyboard_interrupt=False,
    )  # fmt: skip
    _add(app, COMMANDS)
    return app


def _add(app: App, commands: Mapping[str, Command | dict[str, Command]]) -> None:
    for place, (name, command) in enumerate(commands.items()):
        if isinstance(command, dict):
            below = App(name=name, help="Music in every room: what is patched to what.", sort_key=place)
            _add(below, command)
            app.command(below)
        else:
            path, summary = command
            app.command(path, name=name, help=summary, sort_key=place)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Every error is told in one line on standard error, and with --json also
    as a document on standard output."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a poor locale is no reason to say nothing
    try:
        code = _run(_without_command(given), Output(json="--json" in given))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return code


def _without_command(given: list[str]) -> list[str]:
    """What stands behind -- is a command, and none of our words."""
    if "--" not in given:
        return given
    at = given.index("--")
    return [*given[:at], f"{COMMAND}={json.dumps(given[at + 1 :])}"]


def _run(given: list[str], out: Output) -> int:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        answer = build()(given or ["--help"], exit_on_error=False, print_error=False)
        return answer if isinstance(answer, int) else 0
    except CycloptsError as wrong:
        return _fail(out, wrong, f"{_usage(wrong, given)} See --help.", USAGE)
    except HouseError as wrong:
        return _fail(out, wrong, str(wrong), _code_of(wrong))
    except InvalidValue as wrong:
        return _fail(out, wrong, str(wrong), USAGE)
    except MidflightError as wrong:
        return _fail(out, wrong, str(wrong), wrong.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as wrong:  # noqa: BLE001  # whatever else it is, a person gets one line and an exit code
        return _fail(out, wrong, f"this is a bug in the house: {wrong!r}", INTERNAL)


def _usage(wrong: CycloptsError, given: Sequence[str]) -> str:
    """What is wrong with what was typed, in sentences."""
    if isinstance(wrong, UnknownCommandError) and given[0] in SOUND:
        return f'Unknown command "{given[0]}". Did you mean "house sound {given[0]}"?'
    return f"{str(wrong).replace(', ...', ' and others').rstrip('.')}."


def _code_of(wrong: HouseError) -> int:
    if isinstance(wrong, StaysAwake | NotClaimed):
        return BLOCKED
    return AGAIN if isinstance(wrong, NotNow) else USAGE


def _fail(out: Output, wrong: Exception, message: str, code: int) -> int:
    line = " ".join(message.split())
    complain(f"error: {line}")
    out.document({"error": {"kind": type(wrong).__name__, "message": line, "exit_code": code}})
    return code
