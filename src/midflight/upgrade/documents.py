"""What ``midflight upgrade … --json`` writes, as types. With those of all other commands they are published."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

import msgspec

from midflight.conductor.interface import Fleet, JournalEntry
from midflight.upgrade import plan as planning
from midflight.upgrade.aim import Aim
from midflight.upgrade.forecast import Forecast
from midflight.upgrade.rehearsed import Report
from midflight.upgrade.verdict import Verdict
from midflight.upgrade.why import Why

StatusWord = Literal["pass", "warn", "unknown", "fail"]


class Document(msgspec.Struct, kw_only=True):
    """One JSON object. Later versions may add fields, and take none away."""


class AcknowledgementDocument(Document):
    """A person takes the risk of a fact until then."""

    by: str
    reason: str
    expires: str


class FactDocument(Document):
    """One thing that was gathered. Ages are in seconds; ``max_age`` is null for what cannot grow old."""

    name: str
    status: StatusWord
    fact: str
    way_out: str | None
    source: str
    age: float | None
    max_age: float | None
    acknowledged: AcknowledgementDocument | None


class VerdictDocument(Document):
    """``midflight upgrade check``: what a gate says, the worst fact first."""

    step: str
    status: StatusWord
    because: list[FactDocument]
    way_out: list[str]

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictDocument:
        """From a verdict."""
        return msgspec.convert(verdict.to_wire(), cls)


class StepDocument(Document):
    """One step of an upgrade."""

    number: int
    name: str
    progress: Literal["done", "here", "ahead"]
    command: str
    way_back: str


class ForecastDocument(Document):
    """What the upgrade will cost the conductors while the agents are old. Rates are per second."""

    translations: float
    by_object: dict[str, float]
    cores: float
    conductors: int
    add: int
    minutes: float

    @classmethod
    def of(cls, found: Forecast) -> ForecastDocument:
        """From a forecast."""
        return cls(**asdict(found), translations=found.translations, add=found.add)


class RoadDocument(Document):
    """``midflight upgrade plan``, with a forecast, and ``status``. Without a verdict the upgrade is done."""

    target: str
    previous: str | None
    steps: list[StepDocument]
    verdict: VerdictDocument | None
    forecast: ForecastDocument | None = None

    @classmethod
    def of(cls, fleet: Fleet, aim: Aim, verdict: Verdict | None, cost: Forecast | None = None) -> RoadDocument:
        """From the facts of a fleet on its way."""
        steps = [
            StepDocument(
                number=step.number, name=step.name, progress=progress.value, command=step.say(aim),
                way_back=step.say_back(aim),
            )
            for step, progress in planning.progress(fleet, aim)
        ]  # fmt: skip
        said = VerdictDocument.of(verdict) if verdict else None
        told = ForecastDocument.of(cost) if cost else None
        return cls(target=aim.target, previous=aim.previous, steps=steps, verdict=said, forecast=told)


class FinalizeDocument(Document):
    """``midflight upgrade finalize``: whether it is done, and what cannot be undone by it."""

    finalized: bool
    irreversible: list[str]
    verdict: VerdictDocument


class EntryDocument(Document):
    """One entry of ``midflight upgrade journal``; with ``--follow`` one a line. ``by`` is who did it, where that is
    known."""

    id: int
    at: str
    kind: str
    by: str | None
    facts: dict[str, Any]

    @classmethod
    def of(cls, entry: JournalEntry) -> EntryDocument:
        """From an entry as it travels."""
        facts = {name: fact for name, fact in entry.facts.items() if name != "by"}
        return cls(id=entry.id, at=entry.at.isoformat(), kind=entry.kind, by=entry.facts.get("by"), facts=facts)


class RemedyDocument(Document):
    """One thing to do, and the names of the facts that it mends."""

    do: str | None
    mends: list[str]


class WhyDocument(Document):
    """``midflight upgrade why``: the verdict, the fewest things to do, and what the journal knows."""

    verdict: VerdictDocument
    remedies: list[RemedyDocument]
    story: list[EntryDocument]

    @classmethod
    def of(cls, said: Why) -> WhyDocument:
        """From why a gate is red."""
        remedies = [RemedyDocument(do=each.do, mends=[fact.name for fact in each.mends]) for each in said.remedies]
        story = [EntryDocument.of(entry) for entry in said.story]
        return cls(verdict=VerdictDocument.of(said.verdict), remedies=remedies, story=story)


class RiskDocument(Document):
    """A risk that somebody takes."""

    fact: str
    reason: str
    expires: str
    by: str | None


class AckDocument(Document):
    """``midflight upgrade ack``: the risks that are taken now, and the facts whose risk may be."""

    acknowledged: list[RiskDocument]
    may_be: list[str]


OF_UPGRADE: dict[str, Any] = {
    "plan": RoadDocument,
    "status": RoadDocument,
    "check": VerdictDocument,
    "finalize": FinalizeDocument,
    "why": WhyDocument,
    "ack": AckDocument,
    "rehearse": Report,
    "journal": list[EntryDocument],
}
"""Command → what it writes."""
