"""Fleets made by hand: a cloud on its way from juno to kilo, at whatever point a test wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from midflight.conductor.data_objects import MigrationState
from midflight.conductor.interface import Fleet, JournalEntry, Member
from midflight.conductor.traffic import Traffic
from midflight.upgrade.aim import Aim
from midflight.upgrade.verdict import Status, Verdict

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
KILO = Aim(
    target="kilo",
    releases=("icehouse", "juno", "kilo", "liberty"),
    agents=frozenset({"compute"}),
    migrations={"flavors": "kilo"},
    numbers={("compute", "3.35"): "juno", ("compute", "4.0"): "kilo"},
)


def member(service: str, host: str, release: str = "juno", **fields: Any) -> Member:
    """One member, active and up to date unless the fields say otherwise."""
    known = {"id": f"{service}-{host}-1", "epoch": 4, "database": service in ("api", "conductor")}
    made = Member(service=service, host=host, release=release, **({"manifest": "0"} | known | fields))
    made.reset_changes()
    return made


def cloud(control: str = "juno", agents: str = "juno", **fields: Any) -> Fleet:
    """An api and a conductor of one release, two agents of another; the schema is expanded to kilo, and juno pinned."""
    members = [
        member("api", "web", control),
        member("conductor", "c1", control),
        member("compute", "n1", agents),
        member("compute", "n2", agents),
    ]
    return fleet(*members, **fields)


def fleet(*members: Member, **fields: Any) -> Fleet:
    """A fleet of these members at epoch 4."""
    known: dict[str, Any] = {
        "taken_by": "conductor@c1 (kilo)",
        "pins": {"*": "juno"},
        "schema_release": "kilo",
        "schema_at": NOW - timedelta(minutes=12),
        "migrations": [flavors()],
        "health": {},
        "traffic": [traffic(5), traffic(60)],
        "self_tests": [self_tested(each) for each in members if each.database],
    }
    return Fleet(taken_at=NOW, epoch=4, members=list(members), **(known | fields))


def traffic(minutes: float, calls: int = 0, **fields: Any) -> Traffic:
    """What was answered in so many minutes."""
    return Traffic(since=NOW - timedelta(minutes=minutes), until=NOW, calls=calls, **fields)


def self_tested(member: Member, schema: str = "", **failed: str) -> JournalEntry:
    """A member's test of itself, in which something may have failed."""
    facts = {"member": member.id, "release": member.release, "schema": schema, "failed": failed}
    return JournalEntry(at=NOW, kind="member.tested", facts=facts, age=30.0)


def acknowledged(fact: str, reason: str = "known") -> JournalEntry:
    """Somebody takes the risk of a fact."""
    facts = {"fact": fact, "reason": reason, "expires": "2030-01-02T12:00:00+00:00", "by": "operator@desk (kilo)"}
    return JournalEntry(at=NOW, kind="gate.acknowledged", facts=facts)


def soaked(clean_for: float | None, age: float, target: str = "kilo") -> JournalEntry:
    """The last look of a soak, and for how long all before it were clean."""
    return JournalEntry(at=NOW, kind="gate.soaked", facts={"target": target, "clean_for": clean_for}, age=age)


def flavors(**fields: Any) -> MigrationState:
    """The one data migration of kilo, waiting to be run."""
    known = {"name": "flavors", "release": "kilo", "table": "instances", "state": "waiting", "form": "both, read old"}
    return MigrationState(**(known | fields))


def proven(**fields: Any) -> MigrationState:
    """The same, proven a while ago."""
    return flavors(**({"proven": True, "proven_age": 5.0, "completed": 200, "matched": 200} | fields))


def rejection(age: float = 5.0, method: str = "compute.build") -> JournalEntry:
    """An api that is pinned too high was refused by an agent."""
    facts = {
        "sender": "api@web", "sender_release": "kilo", "pin_epoch": "3", "receiver": "compute@n1",
        "receiver_release": "juno", "interface": "compute", "method": method, "requested": "4.0", "understood": "3.35",
    }  # fmt: skip
    return JournalEntry(at=NOW - timedelta(seconds=age), kind="rpc.version_rejected", facts=facts, age=age)


def lost(service: str, host: str, release: str = "juno", **fields: Any) -> Member:
    """A member that was last heard three minutes ago."""
    return member(service, host, release, **({"state": "lost", "age": 180.0} | fields))


def words(verdict: Verdict, status: Status) -> list[str]:
    """What the facts of one status say."""
    return [fact.words for fact in verdict.because if fact.status is status]
