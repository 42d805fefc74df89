"""What became of a load, counted from facts: the rows of the database and the lines of the agents' files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec
from sqlalchemy import create_engine, select

from midflight.rpc.messages import decode_request
from midflight.transports.base import ParkedMessage
from tests.faults.ledger import entries
from tests.faults.load import CASTS, FLOWS, IN_DATABASE, KINDS, RATE, Piece

RECOVER_SECONDS = 8.0
"""Within which traffic has to flow again, after the broker is ready."""

TELL_SECONDS = 0.5
"""Until whoever has ended something has written that down, and told the broker."""


@dataclass
class Facts:
    """When each piece of work was done, by its name; and which were in hand when their process was killed: it had no
    time to end them, or to tell anyone."""

    done: dict[str, list[float]]
    interrupted: set[str]

    @classmethod
    def read(cls, folder: Path, database: str, killed: Mapping[int, float]) -> Facts:
        """``folder`` has the agents' files; ``killed`` says when a process had to go, by its id."""
        done, interrupted = defaultdict[str, list[float]](list), set[str]()
        for file in folder.iterdir():
            lines = [line.split() for line in file.read_text().splitlines()]
            for what, name, at in lines:
                if what == "began":
                    done[name].append(float(at))
            if end := killed.get(int(file.suffix[1:])):
                told = {name for what, name, at in lines if what == "ended" and float(at) < end - TELL_SECONDS}
                interrupted |= {name for _, name, _ in lines} - told
        for name, at in _rows(database):
            done[name].append(at)
        return cls(done, interrupted)


def _rows(database: str) -> list[tuple[str, float]]:
    engine = create_engine(database)
    try:
        with engine.connect() as connection:
            found = connection.execute(select(entries.c.name, entries.c.at).order_by(entries.c.at)).all()
            return [(name, at) for name, at in found]
    finally:
        engine.dispose()


@dataclass
class Counts:
    """A case of the report."""

    case: str
    broker: str
    sent: int = 0
    answered: int = 0
    accepted: int = 0
    """Casts that the broker has confirmed."""
    not_delivered: int = 0
    unknown: int = 0
    refused: int = 0
    """Answered by the word that the database is away, or busy."""
    failed: int = 0
    """Any other error, which there should not be: see ``failures``."""
    run_twice: int = 0
    """Of the effects on the database."""
    run_twice_elsewhere: int = 0
    """Of the agents' effects, but for those that were interrupted."""
    interrupted: int = 0
    """The process was killed between an effect and the note that it was done. Casts are parked as Unknown."""
    lost: int = 0
    """Acknowledged, and neither done nor parked."""
    parked: int = 0
    undelivered_but_run: int = 0
    """Called certainly not executed, and was."""
    away: float = 0.0
    """Seconds from the fault until all could go on: the broker was ready, the process was back, the network mended."""
    recovered: float = 0.0
    """Seconds from then until all that was sent went well again, of each kind."""
    caught_up: float = 0.0
    """Seconds from then until the last accepted cast had run."""
    within: float = RECOVER_SECONDS
    """How soon it has to flow again, in seconds."""
    stretch: float = 1.0
    """How much slower than it should be the load was sent: a machine that has no time is given more."""
    failures: tuple[str, ...] = ()

    def wrong(self) -> dict[str, object]:
        """What breaks a promise: the counts, and the words of the errors."""
        forbidden = "failed", "run_twice", "run_twice_elsewhere", "lost", "parked", "undelivered_but_run", "failures"
        found = {name: getattr(self, name) for name in forbidden if getattr(self, name)}
        return found | ({"recovered": self.recovered} if self.recovered > self.within * self.stretch else {})

    @classmethod
    def names(cls) -> list[str]:
        """The columns, in the order of the report."""
        return [each.name for each in fields(cls) if each.name not in ("failures", "within")]


def names_in(parked: Iterable[ParkedMessage]) -> dict[str, str]:
    """Of the pieces that were parked, each with its error."""
    requests = [(decode_request(message.body), message.facts["error"]) for message in parked]
    return {msgspec.msgpack.decode(request.arguments)["name"]: error for request, error in requests}


def counted(
    case: str,
    broker: str,
    pieces: list[Piece],
    facts: Facts,
    parked: Mapping[str, str],
    broken_at: float,
    ready_at: float,
) -> Counts:
    """Times are of time.monotonic(). ``parked`` says with which error; what is parked as Unknown was interrupted."""
    outcomes = Counter(piece.outcome for piece in pieces)
    twice = {piece.name for piece in pieces if len(facts.done.get(piece.name, ())) > 1}
    rows = {piece.name for piece in pieces if piece.kind in IN_DATABASE}
    acknowledged = {piece.name for piece in pieces if piece.went_well}
    ours, unsettled = {piece.name for piece in pieces}, {name for name, error in parked.items() if error == "Unknown"}
    interrupted = facts.interrupted & (twice | {piece.name for piece in pieces if not piece.went_well})
    known = "answered", "accepted", "not_delivered", "unknown", "refused"
    return Counts(
        case=case,
        broker=broker,
        sent=len(pieces),
        **{outcome: outcomes[outcome] for outcome in known},
        failed=outcomes.total() - sum(outcomes[outcome] for outcome in known),
        run_twice=len(twice & rows),
        run_twice_elsewhere=len(twice - rows - facts.interrupted),
        interrupted=len(interrupted | (unsettled & ours)),
        lost=len(acknowledged - facts.done.keys() - parked.keys()),
        parked=len(ours & parked.keys() - unsettled),
        undelivered_but_run=sum(p.outcome == "not_delivered" and p.name in facts.done for p in pieces),
        away=round(ready_at - broken_at, 2),
        recovered=round(max(_recovered(kind, pieces, facts, ready_at) for kind in {p.kind for p in pieces}), 2),
        caught_up=round(_caught_up(pieces, facts, ready_at), 2),
        stretch=round(_stretch(pieces), 2),
        failures=tuple(sorted({piece.outcome for piece in pieces} - {*known})),
    )


def _recovered(kind: str, pieces: list[Piece], facts: Facts, since: float) -> float:
    """Seconds until as many as make a flow went well after the last failure, among what was sent since then. Casts flow
    when they are run; one that waits longer than the others is the business of ``caught_up``."""
    ours = [piece for piece in pieces if piece.kind == kind and piece.sent >= since]
    failures = [number for number, piece in enumerate(ours) if not piece.went_well]
    after = ours[failures[-1] + 1 :] if failures else ours
    if kind in CASTS:
        ends = sorted(facts.done[piece.name][0] for piece in after if piece.name in facts.done)[FLOWS // 2 :]
    else:
        ends = [piece.ended for piece in after]
    return max(0.0, ends[0] - since) if ends else float("inf")


def _stretch(pieces: list[Piece]) -> float:
    ideal = (pieces[-1].sent - pieces[0].sent) * RATE * len(KINDS)
    return max(1.0, ideal / len(pieces))


def _caught_up(pieces: list[Piece], facts: Facts, since: float) -> float:
    accepted = [facts.done[p.name][0] for p in pieces if p.outcome == "accepted" and p.name in facts.done]
    return max(0.0, max(accepted, default=since) - since)
