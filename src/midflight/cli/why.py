"""``midflight upgrade why``: the fewest things to do that turn a gate green, and how it came to be red."""

from __future__ import annotations

from midflight.cli.journal import told
from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.cli.verdicts import aim_of, step_of
from midflight.conductor.interface import JournalEntry
from midflight.conductor.record import MOST_ENTRIES
from midflight.errors import VersionRejected
from midflight.upgrade import plan as planning
from midflight.upgrade.documents import WhyDocument
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.verdict import Verdict
from midflight.upgrade.why import Why, families
from midflight.upgrade.why import why as explained


async def why(
    step: str | None = None, /, *, to: str | None = None, config: ConfigFile = None, json: Json = False
) -> int:
    """Why a gate does not pass: the fewest things to do, and what the journal knows. The exit code is the gate's.

    Parameters
    ----------
    step
        The step whose gate is asked; else the one that comes next.
    to
        The release to upgrade to; else the newest that is frozen in this copy of the project.
    """
    out, place = Output(json=json), open_place(config)
    aim = aim_of(place, to)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
        number = planning.here(fleet, aim) if step is None else step_of(step).number
        chosen = planning.STEPS[min(number, len(planning.STEPS) - 1)]
        verdict = chosen.gate(fleet, aim)
        said = explained(verdict, await _told(operator, verdict))
    _print(out, said)
    out.document(WhyDocument.of(said))
    return verdict.status.exit_code


async def _told(operator: Operator, verdict: Verdict) -> list[JournalEntry]:
    """What the journal says of such facts. An older conductor cannot be asked, and nothing is told."""
    if not (wanted := families(verdict)):
        return []
    try:
        return await operator.journal(None, wanted, MOST_ENTRIES)
    except VersionRejected:
        return []


def _print(out: Output, said: Why) -> None:
    out.mark(said.verdict.status.value, said.verdict.step)
    if not said.remedies:
        out.say("nothing is in the way")
    for number, remedy in enumerate(said.remedies, start=1):
        out.say(f"{number}. {remedy.do or 'see to it, or wait'}")
        for fact in remedy.mends:
            out.mark(fact.status.value, f"{fact.words} [{fact.name}]", indent=5)
    if said.story:
        out.say("how it came to be:")
    for entry in said.story:
        out.say(f"  {told(entry)}")
