"""``midflight upgrade ack``: take the risk of a gate's fact for a while, for a reason that everybody reads."""

from __future__ import annotations

from midflight.cli.options import ConfigFile, Json, MaybeWait
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.cli.verdicts import aim_of
from midflight.conductor.interface import Fleet
from midflight.errors import UsageError
from midflight.spelling import meant
from midflight.upgrade import gates
from midflight.upgrade import plan as planning
from midflight.upgrade.aim import Aim
from midflight.upgrade.documents import AckDocument, RiskDocument
from midflight.upgrade.kinds import KINDS
from midflight.upgrade.operator import operating
from midflight.upgrade.verdict import Fact, Status


async def ack(
    fact: str | None = None,
    /,
    *,
    reason: str | None = None,
    expires: MaybeWait = None,
    withdraw: bool = False,
    to: str | None = None,
    config: ConfigFile = None,
    json: Json = False,
) -> int:
    """Turn a fact that fails or is unknown into a warning, for a while and for a reason; it stays listed.

    Without a fact: the risks that are taken now, and those that may be. At finalize no acknowledgement counts.

    Parameters
    ----------
    fact
        Its name as a gate says it in JSON, and ``midflight upgrade why`` in brackets: lost:compute@n2.
    reason
        Why the risk is taken.
    expires
        For how long; like 2h, and 30d at most.
    withdraw
        Take the risk no longer.
    to
        The release to upgrade to; else the newest that is frozen in this copy of the project.
    """
    out, place = Output(json=json), open_place(config)
    aim = aim_of(place, to)
    async with operating(place.config, place.project) as operator:
        fleet = await operator.fleet()
        if withdraw:
            await operator.withdraw(_named(fact))
            out.mark("done", f"{fact}: the risk is taken no longer")
        elif fact is not None:
            if reason is None or expires is None:
                raise UsageError(reason=f"to acknowledge {fact} takes both --reason and --expires, like 2h")
            _refuse_others(fact, fleet, aim)
            until = await operator.acknowledge(fact, reason, expires)
            out.mark("done", f"{fact}: acknowledged until {until:%Y-%m-%d %H:%M} UTC")
        else:
            _print(out, fleet, aim)
        fleet = fleet if fact is None else await operator.fleet()
    out.document(_document(fleet, aim))
    return 0


def _named(fact: str | None) -> str:
    if fact is None:
        raise UsageError(reason="--withdraw takes the name of a fact: see midflight upgrade ack")
    return fact


def _refuse_others(name: str, fleet: Fleet, aim: Aim) -> None:
    """Raises UsageError for what is in nobody's way, and for what no one can take on himself."""
    if name in (may_be := _may_be(fleet, aim)):
        return
    kind = KINDS.get(name.partition(":")[0])
    if kind is not None and not kind.risk:
        raise UsageError(reason=f"{name} cannot be acknowledged: {kind.says} is no risk that a person can take")
    known = (", ".join(may_be) or "none") + meant(name, may_be)
    raise UsageError(reason=f"received {name!r}, expected a fact that fails or is unknown now: {known}")


def _may_be(fleet: Fleet, aim: Aim) -> list[str]:
    """The facts that fail or are unknown, and whose risk a person may take, of all gates but that of finalize."""
    steps = [step for step in planning.STEPS if step.gate is not gates.finalize]
    facts = [fact for step in steps for fact in step.gate(fleet, aim).because if _is_open(fact)]
    return sorted({fact.name for fact in facts})


def _is_open(fact: Fact) -> bool:
    return fact.kind.risk and fact.status in (Status.FAIL, Status.UNKNOWN)


def _print(out: Output, fleet: Fleet, aim: Aim) -> None:
    rows = [(risk.fact, risk.expires[:16], risk.by or "-", risk.reason) for risk in _risks(fleet)]
    if rows:
        out.table(("fact", "until", "by", "reason"), rows)
    else:
        out.say("no risk is taken")
    out.say(f"may be acknowledged: {', '.join(_may_be(fleet, aim)) or 'nothing'}")


def _risks(fleet: Fleet) -> list[RiskDocument]:
    said = [entry.facts for entry in fleet.acknowledged]
    return [RiskDocument(fact=f["fact"], reason=f["reason"], expires=f["expires"], by=f.get("by")) for f in said]


def _document(fleet: Fleet, aim: Aim) -> AckDocument:
    return AckDocument(acknowledged=_risks(fleet), may_be=_may_be(fleet, aim))
