"""``midflight upgrade``: the way from one release to the next, step by step."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from cyclopts import App

from midflight.cli.options import ConfigFile, Duration, Json, MaybeWait, Wait
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.cli.verdicts import aim_of, print_steps, print_verdict, step_of
from midflight.errors import UsageError
from midflight.upgrade import gates
from midflight.upgrade import plan as planning
from midflight.upgrade.aim import Aim
from midflight.upgrade.documents import FinalizeDocument, RoadDocument, VerdictDocument
from midflight.upgrade.finalize import finalize as go_through
from midflight.upgrade.forecast import forecast
from midflight.upgrade.operator import operating
from midflight.upgrade.verdict import Verdict
from midflight.upgrade.watch import watch

app = App(name="upgrade", help="The way from one release to the next, step by step.")
app.command(
    "midflight.cli.rehearse:rehearse",
    name="rehearse",
    help="Go the whole road on a scratch fleet, with every way back.",
)
app.command("midflight.cli.why:why", name="why", help="Why a gate does not pass: the fewest things to do.")
app.command("midflight.cli.ack:ack", name="ack", help="Take the risk of a fact for a while, for a reason.")
app.command("midflight.cli.journal:journal", name="journal", help="What was done to the fleet, and by whom.")

NEEDS_A_PERSON = 3
MINUTE = Duration(60)


@app.command
async def plan(release: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """The steps to a release with their commands and ways back, and whether the upgrade may begin (step 0).

    Parameters
    ----------
    release
        The frozen release to upgrade to.
    """
    out, place = Output(json=json), open_place(config)
    aim = Aim.of(place.project, release)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
    verdict = gates.prepare(fleet, aim)
    print_steps(out, fleet, aim)
    print_verdict(out, verdict)
    out.document(RoadDocument.of(fleet, aim, verdict, forecast(fleet, aim)))
    return verdict.status.exit_code


@app.command
async def status(*, to: str | None = None, config: ConfigFile = None, json: Json = False) -> int:
    """Where the fleet is on its way, and what the gate of the next step says. Exits 0 when the upgrade is done.

    Parameters
    ----------
    to
        The release to upgrade to; else the newest that is frozen in this copy of the project.
    """
    out, place = Output(json=json), open_place(config)
    aim = aim_of(place, to)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
    if aim.previous is None and all(aim.knows(member.release) for member in fleet.members):
        out.mark("done", f"{aim.target} is the first release of project {place.project.name}: nothing to upgrade from")
        out.document(RoadDocument.of(fleet, aim, None))
        return 0
    now = planning.here(fleet, aim)
    verdict = planning.STEPS[now].gate(fleet, aim) if now < len(planning.STEPS) else None
    if aim.previous is not None:
        print_steps(out, fleet, aim)
    if verdict is None:
        out.mark("done", f"the fleet is upgraded to {aim.target}")
    else:
        print_verdict(out, verdict)
    out.document(RoadDocument.of(fleet, aim, verdict))
    return 0 if verdict is None else verdict.status.exit_code or 1


@app.command
async def check(
    step: str,
    /,
    *,
    wait: MaybeWait = None,
    window: MaybeWait = None,
    to: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Ask the gate of one step: 0 pass, 1 warnings or more to do, 2 blocked, 4 a fact is missing.

    Parameters
    ----------
    step
        prepare, schema, pin, control, soak, roll, unpin, data or finalize; or its number.
    wait
        Ask again until it passes, for so long; like 30m.
    window
        soak: for how long every look must find the fleet clean; else as long as --wait, or 10s.
    to
        The release to upgrade to; else the newest that is frozen in this copy of the project.
    """
    out, place = Output(json=json), open_place(config)
    chosen = step_of(step)
    if window is not None and chosen.gate is not gates.soak:
        raise UsageError(reason=f"received --window for step {chosen.name}, which has none: only soak does")
    aim = aim_of(place, to)
    async with operating(place.config, place.project) as operator:
        note = partial(operator.note, target=aim.target)
        looks = partial(note, soaks=True)
        verdict = await watch(operator.fleet, aim, chosen, wait=wait, window=window, note=looks)
        await note(verdict)
    print_verdict(out, verdict)
    out.document(VerdictDocument.of(verdict))
    return verdict.status.exit_code


@app.command
async def finalize(
    *,
    yes: bool = False,
    to: str | None = None,
    wait: Wait = MINUTE,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Go through the one-way door: prove all data again, write new forms only, and raise the store floor.

    What cannot be undone is said before it is asked for. Where it was stopped, it goes on when it is run again.

    Parameters
    ----------
    yes
        Do not ask. Without a terminal to ask on, this is needed.
    to
        The release to finalize; else the newest that is frozen in this copy of the project.
    wait
        How long to wait for each acknowledgement of all who open the database.
    """
    out, place = Output(json=json), open_place(config)
    aim = aim_of(place, to)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
        verdict, doomed = gates.finalize(fleet, aim), gates.irreversible(fleet, aim)
        if verdict.status.exit_code > 1:
            return _blocked(out, verdict, doomed)
        if not doomed:
            return _finalized(out, verdict, doomed, f"nothing to do: {aim.target} is finalized")
        if not yes and not await _confirmed(out, verdict, doomed):
            return NEEDS_A_PERSON
        await go_through(operator, aim, wait=wait, tell=lambda line: out.mark("done", line))
    return _finalized(out, verdict, doomed, f"{aim.target} is finalized")


def _blocked(out: Output, verdict: Verdict, doomed: list[str]) -> int:
    print_verdict(out, verdict)
    out.document(_document(verdict, doomed, finalized=False))
    return verdict.status.exit_code


def _finalized(out: Output, verdict: Verdict, doomed: list[str], line: str) -> int:
    out.mark("done", line)
    out.document(_document(verdict, doomed, finalized=True))
    return 0


def _document(verdict: Verdict, doomed: list[str], *, finalized: bool) -> FinalizeDocument:
    return FinalizeDocument(finalized=finalized, irreversible=doomed, verdict=VerdictDocument.of(verdict))


async def _confirmed(out: Output, verdict: Verdict, doomed: list[str]) -> bool:
    """Say what cannot be undone, and ask; without a terminal nobody is there to answer."""
    print_verdict(out, verdict)
    out.say("This cannot be undone:")
    for line in doomed:
        out.say(f"  {line}")
    if out.json or not sys.stdin.isatty():
        out.mark("fail", "there is no terminal to ask on: add --yes")
        out.document(_document(verdict, doomed, finalized=False))
        return False
    return (await asyncio.to_thread(input, "Finalize? Type yes: ")).strip() == "yes"
