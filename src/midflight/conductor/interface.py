"""What members and conductors say to each other: two interfaces, and the objects that travel on them.

midflight eats what it cooks: these are versioned objects and interfaces like a project's own, and are upgraded by the
same means. The hello by which a member joins never changes its form, so that the oldest member can still be told to
upgrade.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from midflight.conductor.data_objects import Comparison, MigrationDetail, MigrationState, ProofResult, SweepResult
from midflight.conductor.traffic import Traffic
from midflight.context import Context
from midflight.objects.base import VersionedObject
from midflight.objects.fields import field
from midflight.rpc.interface import Interface, endpoint
from midflight.rpc.rights import CONDUCTOR, OPERATOR

NOTHING = msgspec.Raw(b"\xc0")
"""MessagePack's nil: where there is no object to send."""


class State(StrEnum):
    """What a conductor thinks of a member. It travels as text, so that a later word does no harm to an older reader."""

    ACTIVE = "active"
    DRAINING = "draining"
    LOST = "lost"
    RETIRED = "retired"
    ASLEEP = "asleep"
    OUTDATED = "outdated"


class Member(VersionedObject, version="1.0"):
    """One service process in the fleet: what it said of itself, and how a conductor sees it now."""

    id: str = field(read_only=True)
    service: str
    host: str
    release: str
    manifest: str
    """The digest of what it understands."""
    topics: list[str] = field(default_factory=list)
    """The topics on which it takes work."""
    database: bool = False
    """It opens the database itself."""
    code: str = ""
    """The folder of the project's package that it really runs."""
    overrides: dict[str, str] = field(default_factory=dict)
    """Topic → release, for the pins that its own configuration sets."""
    beat_seconds: float = 10.0
    state: str = State.ACTIVE.value
    epoch: int = 0
    """The last epoch of pins and forms that it has acknowledged."""
    joined_at: datetime | None = None
    seen_at: datetime | None = None
    age: float = 0.0
    """Seconds since its last beat, by the conductor's clock, when this object was made."""


class FleetView(VersionedObject, version="1.0"):
    """What every member must know of the others in order to speak to them. A later epoch replaces an earlier one."""

    id: str
    """Stands for the content: equal ids, equal views."""
    epoch: int
    at: datetime | None = None
    """When it was so. Of two views of one epoch the later one holds."""
    pins: dict[str, str] = field(default_factory=dict)
    """Topic, or ``*`` → the release that the pin was set to."""
    pinned: dict[str, str] = field(default_factory=dict)
    """Topic, or ``*`` → the digest of the pin's manifest: it is obeyed also by who does not know the release's name."""
    peers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Topic → host → the digest of what the member there understands, for all that hold the floor down."""
    away: dict[str, list[str]] = field(default_factory=dict)
    """Topic → the hosts among the peers that should get no new work: lost or draining."""
    manifests: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Digest → manifest, in its wire form, for every digest named above."""
    forms: dict[str, str] = field(default_factory=dict)
    """The write form of each data migration that is not at its default."""


class JournalEntry(VersionedObject, version="1.1"):
    """One act or event of the fleet, as it was written down. 1.1: it says its place in the order."""

    at: datetime
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    age: float = 0.0
    """Seconds since then, when this object was made."""
    id: int = field(since="1.1", default=0)


class Fleet(VersionedObject, version="1.2"):
    """All facts of the fleet at one moment: what gates decide on. Ages are in seconds, at ``taken_at``.

    1.1: data migrations say what they do in the background. 1.2: what the database says of itself and really has, what
    people have acknowledged, how soaks stand, how members tested themselves, what conductors answer, what is hidden.
    """

    taken_at: datetime
    taken_by: str
    """The member that gathered it, with its release."""
    epoch: int
    releases: list[str] = field(default_factory=list)
    """The frozen releases that the gathering conductor knows, oldest first."""
    members: list[Member] = field(default_factory=list)
    """Everyone but the retired."""
    pins: dict[str, str] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)
    migrations: list[MigrationState] = field(default_factory=list)
    schema_release: str | None = None
    """The release whose code expanded the schema last."""
    schema_digest: str | None = None
    schema_at: datetime | None = None
    store_floor: str | None = None
    rejections: list[JournalEntry] = field(default_factory=list)
    """The latest rejected versions of the last hour, newest last, each with its sender; a hundred at most."""
    age: float = field(since="1.2", default=0.0)
    """Seconds since it was taken, as whoever holds it knows."""
    health: dict[str, list[float]] | None = field(since="1.2", default=None)
    """What the database says of itself: what was read → the number, and how high it may be. None where the conductor is
    of an earlier midflight, and tells nothing that is new in 1.2."""
    held: str = field(since="1.2", default="")
    """Why rows wait; empty where nothing holds them."""
    brake: bool = field(since="1.2", default=False)
    acknowledged: list[JournalEntry] = field(since="1.2", default_factory=list)
    """The facts whose risk a person takes now, each with its reason and when that expires."""
    soaks: list[JournalEntry] = field(since="1.2", default_factory=list)
    """The last look of each soak, with the seconds for which all looks before it were clean."""
    self_tests: list[JournalEntry] = field(since="1.2", default_factory=list)
    """The last test that each member made of itself."""
    traffic: list[Traffic] = field(since="1.2", default_factory=list)
    """What conductors answered in the last minutes, and in the hour before."""
    hidden: dict[str, datetime] = field(since="1.2", default_factory=dict)
    """The contract revisions that are held → since when: what they take away can still be brought back."""
    catalogue: list[str] | None = field(since="1.2", default=None)
    """The tables and columns that the database really has, without midflight's own: ``table flavors``, ``column
    flavors.name``. None where the conductor does not read them."""


class RunResult(VersionedObject, version="1.0"):
    """What a remotable left behind, written in the caller's versions already."""

    result: msgspec.Raw
    target: msgspec.Raw
    """The object as it is after the run; NOTHING for a class method."""


class VersionsAtRest(VersionedObject, version="1.0"):
    """Which versions of objects were found at rest, in some rows of one of the project's tables or in all of them."""

    rows: int = 0
    columns: list[str] = field(default_factory=list)
    """The JSON columns that were looked at: ``instances.flavor``."""
    found: dict[str, dict[str, int]] = field(default_factory=dict)
    """Column → name and version of an object, ``Flavor:1.1`` → how often; ``?`` is a tag that names no object."""
    unreadable: dict[str, int] = field(default_factory=dict)
    """Column → rows whose value is no JSON."""
    examples: dict[str, str] = field(default_factory=dict)
    """Column → the key of one of those."""
    unkeyed: list[str] = field(default_factory=list)
    """Tables without a primary key, which were not looked at."""
    after: list[Any] = field(default_factory=list)
    """Where to go on; empty at the end."""


STEERS = CONDUCTOR, OPERATOR
"""The roles that may change a fleet, and read what was done to it."""


class ConductorAPI(Interface, Protocol, topic="conductor", version="1.3"):
    """What a conductor does for services without a database, and for the operator.

    1.1 counts versions at rest, and notes what becomes of parked messages. 1.2 migrates rows at the fleet's pace, also
    in the background. 1.3 keeps what people acknowledge and what gates said, reads the journal in order, and tells
    the traffic by the minute; and it has members empty their hosts. Whoever joins says so in 1.0 for ever.
    """

    @endpoint(since="1.0")
    async def run(
        self,
        context: Context,
        object: str,
        version: str,
        method: str,
        target: msgspec.Raw,
        arguments: msgspec.Raw,
    ) -> RunResult:
        """Run a remotable where the database is; ``target`` is NOTHING for a class method.

        Raises what it raises, and UnknownObject and UnknownRemotable.
        """
        ...

    @endpoint(since="1.0", idempotent=True)
    async def hello(self, context: Context, member: Member, manifest: dict[str, list[str]]) -> FleetView:
        """Join the fleet, or say again who one is. Raises OutsideWindow for a member that must not join,
        and InvalidValue for what nobody can be."""
        ...

    @endpoint(since="1.0", idempotent=True)
    async def beat(
        self, context: Context, member: str, state: str, epoch: int, view: str, rejected: list[dict[str, str]]
    ) -> FleetView | None:
        """Say that one is alive and obeys ``epoch``; answers the view if it is not ``view``. Raises NotAMember."""
        ...

    @endpoint(since="1.0", idempotent=True)
    async def leave(self, context: Context, member: str) -> None:
        """Leave the fleet for good. A stranger's leave does nothing."""
        ...

    @endpoint(since="1.0", idempotent=True)
    async def manifest(self, context: Context, digest: str) -> dict[str, list[str]] | None:
        """The manifest of a member that has joined once, in its wire form."""
        ...

    @endpoint(since="1.0", idempotent=True)
    async def fleet(self, context: Context) -> Fleet:
        """All facts of the fleet, now."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=STEERS)
    async def journal(self, context: Context, since: datetime | None) -> list[JournalEntry]:
        """What was done and what happened since then (or ever), oldest first."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=STEERS)
    async def set_pin(self, context: Context, topic: str, release: str) -> int:
        """Pin a topic (``*``: all) to a release, or one interface to a bare number. Returns the epoch to wait for."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=STEERS)
    async def clear_pin(self, context: Context, topic: str) -> int:
        """Take a pin away (``*``: the one for all topics). Returns the epoch to wait for."""
        ...

    @endpoint(since="1.0", allow=STEERS)
    async def sweep(self, context: Context, name: str, limit: int) -> SweepResult:
        """Migrate up to ``limit`` rows of one data migration."""
        ...

    @endpoint(since="1.0", allow=STEERS)
    async def prove(self, context: Context, name: str) -> ProofResult:
        """Compare both forms of every row of one data migration, and remember whether they agree."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=STEERS)
    async def advance_form(self, context: Context, name: str, to: str) -> int:
        """Move the write form of a data migration by one arrow. Returns the epoch to wait for; waits for nothing."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=STEERS)
    async def raise_store_floor(self, context: Context, release: str) -> None:
        """Let no release before this one open the database any more."""
        ...

    @endpoint(since="1.0", idempotent=True, allow=STEERS)
    async def retire_member(self, context: Context, member: str) -> None:
        """Take a dead member out of all counts. One that lives after all joins again at its next beat."""
        ...

    @endpoint(since="1.1", idempotent=True, allow=STEERS)
    async def versions_at_rest(self, context: Context, after: list[Any], limit: int) -> VersionsAtRest:
        """Count the versions of the objects in the JSON columns of up to ``limit`` rows of the project's tables.

        ``after`` is what the chunk before said; empty, it begins.
        """
        ...

    @endpoint(since="1.1", allow=STEERS)
    async def note_parked(self, context: Context, act: str, facts: dict[str, str]) -> None:
        """Write down that an operator is about to have a parked message ``replayed`` or ``discarded``."""
        ...

    @endpoint(since="1.2", allow=STEERS)
    async def sweep_paced(self, context: Context, name: str) -> SweepResult:
        """Migrate one chunk of the size that the pace allows, or say why not now."""
        ...

    @endpoint(since="1.2", idempotent=True, allow=STEERS)
    async def steer(self, context: Context, name: str, act: str) -> None:
        """``start`` a data migration in the background; ``pause``, ``resume`` or ``cancel`` it there."""
        ...

    @endpoint(since="1.2", idempotent=True, allow=STEERS)
    async def brake(self, context: Context, on: bool) -> None:
        """Let nobody migrate rows before the brake is off again."""
        ...

    @endpoint(since="1.2", idempotent=True, allow=STEERS)
    async def pace(self, context: Context, changes: dict[str, Any]) -> dict[str, Any]:
        """Change settings of the pace for all; returns all of them. Raises InvalidValue."""
        ...

    @endpoint(since="1.2", idempotent=True, allow=STEERS)
    async def migration(self, context: Context, name: str) -> MigrationDetail:
        """All that is known of one data migration."""
        ...

    @endpoint(since="1.2", allow=STEERS)
    async def retry(self, context: Context, name: str) -> SweepResult:
        """Try the rows in quarantine again, some hundreds of them."""
        ...

    @endpoint(since="1.2", idempotent=True, allow=STEERS)
    async def compare(self, context: Context, name: str, after: list[Any], limit: int, sample: bool) -> Comparison:
        """Compare both forms of up to ``limit`` rows, and change nothing: from where ``after`` says, or, as a
        ``sample``, at places spread over the table."""
        ...

    @endpoint(since="1.3", allow=STEERS)
    async def acknowledge(self, context: Context, fact: str, reason: str, seconds: float) -> datetime:
        """Take the risk of a gate's fact for so long, for a reason; until when that is."""
        ...

    @endpoint(since="1.3", idempotent=True, allow=STEERS)
    async def withdraw(self, context: Context, fact: str) -> None:
        """Take the risk of a fact no longer."""
        ...

    @endpoint(since="1.3", allow=STEERS)
    async def note_verdict(
        self, context: Context, step: str, target: str, status: str, because: dict[str, str], soaks: bool
    ) -> None:
        """Write down what a gate said: its ``status``, and by name the facts that kept it from passing.

        ``soaks``: it is one look of a soak.
        """
        ...

    @endpoint(since="1.3", idempotent=True, allow=STEERS)
    async def journal_page(
        self, context: Context, after: int | None, kinds: list[str], limit: int
    ) -> list[JournalEntry]:
        """Up to ``limit`` entries of these kinds, or of all, oldest first: the first behind an entry, or the latest."""
        ...

    @endpoint(since="1.3", idempotent=True, allow=STEERS)
    async def drain_member(self, context: Context, member: str, undo: bool) -> list[str] | None:
        """Let a member take no new work, and move away what lives there; or ``undo`` that. Returns what is still there,
        and None while that is not known: it is asked again until there is nothing."""
        ...

    @endpoint(since="1.3", idempotent=True)
    async def traffic(self, context: Context) -> list[Traffic]:
        """What conductors answered in each whole minute of the last hour and a quarter, oldest first; without who asked
        and for what. The last ten minutes come in pieces of ten seconds."""
        ...


class MemberAPI(Interface, Protocol, topic="member", version="1.2"):
    """What every member listens to, at the host that is its id.

    1.1 takes bodies in parts, wherever it listens. 1.2 empties its host.
    """

    @endpoint(since="1.0", allow=[CONDUCTOR])
    async def view_changed(self, context: Context, view: FleetView) -> None:
        """Obey this view from now on, and acknowledge it by a beat."""
        ...

    @endpoint(since="1.0")
    async def rejected(self, context: Context, facts: dict[str, str]) -> None:
        """A cast that this member sent could not be served by its receiver."""
        ...

    @endpoint(since="1.2", idempotent=True, allow=[CONDUCTOR])
    async def drain(self, context: Context, undo: bool) -> list[str] | None:
        """Take no new work, and let the application move away what lives here; or ``undo`` that. Returns what is still
        here, and None while that is not known."""
        ...
