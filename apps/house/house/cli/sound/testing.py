"""``house sound test``: which engine the network bears."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter

from house import trying
from house.cli.output import Output, complain
from house.cli.place import ConfigFile, Json, ask, visiting
from house.objects.player import Player
from house.objects.trial import Trial
from house.operator import Operator
from house.trying import Try
from midflight import InvalidValue

ANOTHER, BLOCKED, PERSON, UNKNOWN = 1, 2, 3, 4


def prove(
    *rooms: str,
    from_: Annotated[str, Parameter(name="--from", show_default=False)] = "",
    seconds: float = trying.SECONDS,
    yes: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Play a quiet signal in rooms by each engine, and say which one the network bears. What they hear is interrupted.

    It ends with 1 where another engine is better for a room than the one that it has, with 2 where none plays well
    there, and with 4 where an agent could not be asked.

    Parameters
    ----------
    rooms
        Rooms or groups; without any, all rooms.
    from_
        The host that sends the signal; else the one from which most streams come.
    seconds
        How long each room listens by each engine.
    yes
        Do not ask before what is heard is interrupted.
    """
    if not 1 <= seconds <= 60:
        raise InvalidValue(path="--seconds", received=f"{seconds:g}", expected="from 1 to 60")
    out = Output(json=json)
    with visiting(config) as guest:
        bay = ask(guest, lambda operator: operator.sound.bay())
        sender, meant = trying.sender(bay, from_), trying.targets(bay, rooms)
        planned = trying.tries(bay, meant, sender)
        if not yes and not _confirmed(out, trying.interruption(planned, seconds)):
            return PERSON
        trials = ask(guest, lambda operator: _tested(operator, planned, sender, seconds, out))
    return _told(out, {room.name: room for room in meant}, sender, trials)


def _confirmed(out: Output, interruption: str) -> bool:
    """Whether a person says so; where there is nobody to ask, it is told how to go on."""
    if not out.json and sys.stdin.isatty():
        try:
            agreed = input(f"{interruption} Type yes: ").strip() == "yes"
        except EOFError:  # Ctrl-D
            agreed = False
            out.say("")
        if not agreed:
            out.say("nothing was tested")
        return agreed
    said = f"{interruption} Nobody is there to ask: add --yes"
    complain(f"error: {said}")
    out.document({"error": {"kind": "Unconfirmed", "message": said, "exit_code": PERSON}})
    return False


async def _tested(operator: Operator, planned: Sequence[Try], sender: str, seconds: float, out: Output) -> list[Trial]:
    trials = list[Trial]()
    for each in planned:
        out.say(f"{each.engine} from {sender}: listening for {seconds:g} s …")
        trials += await operator.sound.test(each, sender, seconds)
    return trials


def _told(out: Output, rooms: Mapping[str, Player], sender: str, trials: Sequence[Trial]) -> int:
    advice = trying.advise(trials)
    ordered = sorted((each for each in trials if trying.was_tried(each)), key=lambda each: [*rooms].index(each.player))
    out.table(("room", "engine", "heard", "peak", "lost", "jitter", "buffer", "notes"), map(_row, ordered))
    for each in advice:
        has = rooms[each.room].engine
        out.say(f"{each.room}: {each.engine or 'none'}, for {each.why}")
        if each.engine not in (None, has):
            out.say(f"  now it is {has}: house sound room {each.room} --engine {each.engine}")
    untested = trying.untested(rooms.values(), sender, trials)
    for name, why in untested.items():
        out.say(f"{name} was not tested: {why}")
    out.document(
        {
            "sender": sender, "trials": trials, "untested": untested,
            "advice": [{"room": each.room, "engine": each.engine, "why": each.why} for each in advice],
        }
    )  # fmt: skip
    if any(each.engine is None for each in advice):
        return BLOCKED
    if any(not trying.was_tried(trial) for trial in trials):
        return UNKNOWN
    return ANOTHER if any(each.engine != rooms[each.room].engine for each in advice) else 0


def _row(trial: Trial) -> Sequence[str]:
    figures = (
        f"{100 * (1 - trial.silent / trial.seconds):.0f} %",
        _figure(trial.level_db, "dB"),
        "-" if trial.lost is None else str(trial.lost),
        _figure(trial.jitter_ms, "ms"),
        _figure(trial.buffer_ms, "ms"),
    )
    return trial.player, trial.engine.value, *figures, trying.fault(trial)


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.0f} {unit}"
