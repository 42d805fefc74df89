"""Fleets made by hand: a cloud on its way from juno to kilo, at whatever point a test wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from midflight.conductor.data_objects import MigrationState
from midflight.conductor.interface import Fleet, JournalEntry, Member
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
    made = Member(service=service, host=host, release=release, manifest="0", **(known | fields))
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
    }
    return Fleet(taken_at=NOW, epoch=4, members=list(members), **(known | fields))


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
