"""What commands write with --json, as types: from these follows the JSON Schema that is published."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from midflight.cli.output import Output
from midflight.conductor.data_objects import Comparison, MigrationDetail, MigrationState, ProofResult, SweepResult
from midflight.conductor.interface import Fleet, Member
from midflight.db.lint.facts import TableFacts
from midflight.db.lint.linter import Linted
from midflight.db.schema.runner import SchemaStatus
from midflight.objects import coercion
from midflight.upgrade.documents import OF_UPGRADE, Document, StatusWord


class ProblemDocument(Document):
    """What went wrong, in one line, and how the command ended."""

    kind: str
    message: str
    exit_code: int


class ErrorDocument(Document):
    """Any command that goes wrong, instead of its own document."""

    error: ProblemDocument


class RevisionDocument(Document):
    """A revision, and what it would do."""

    revision: str
    sql: str


class DryRunDocument(Document):
    """``--dry-run``: what would be done."""

    revisions: list[RevisionDocument]


class ExpandDocument(Document):
    """The release whose schema it is now, the revisions that were applied, and what some of them had to say."""

    release: str
    applied: list[str]
    remarks: dict[str, list[str]]


class WrittenDocument(Document):
    """The files that were written."""

    written: list[str]


class LintDocument(Document):
    """Each revision that was tried, and what was found in it."""

    revisions: list[Linted]


class ContractDocument(Document):
    """The revisions with which that was done: held, undone or purged; and what some of them had to say."""

    done: list[str]
    way: str
    remarks: dict[str, list[str]]


class HistoryDocument(Document):
    """One thing that was done to the schema; its other facts stand beside these."""

    at: str
    what: str


class HeldDocument(Document):
    """A contract revision: what it takes away, and what speaks against it yet."""

    revision: str
    state: str
    removes: list[str]
    against: list[str]


@dataclass(frozen=True, kw_only=True)
class SchemaDocument(SchemaStatus):
    """How the schema stands to this code, and each contract revision."""

    contracts: list[HeldDocument]


class MemberDocument(Document):
    """A member, and what it understands: name → its version, and the version from which readers may read it."""

    member: Member
    understands: dict[str, list[str]]


class DrainDocument(Document):
    """What is left on a host: member → what it still has; null where it did not say."""

    host: str
    undo: bool
    left: dict[str, list[str] | None]
    not_asked: list[str]


class EpochDocument(Document):
    """The epoch of a pin, who has not acknowledged it, and the topics that another operator has set since."""

    epoch: int | None
    unacknowledged: list[Member]
    changed: dict[str, str] = msgspec.field(default_factory=dict)


class FloorDocument(Document):
    """In which version a topic is spoken without a pin, and who holds it down."""

    version: str
    held_by: list[str]


class PinsDocument(Document):
    """What is pinned, by the fleet and by members' own configurations; topic → floor, where nothing is."""

    epoch: int
    pins: dict[str, str]
    overrides: dict[str, dict[str, str]]
    unacknowledged: list[Member]
    auto: dict[str, FloorDocument]


class ParkedDocument(Document):
    """A parked message. ``expires`` is Unix time, ``age`` seconds."""

    id: str
    address: str
    method: str
    reason: str
    key: str | None
    ahead: str | None
    expires: float | None
    expired: bool
    age: float | None
    bytes: int
    facts: dict[str, str]


class ReplayedDocument(Document):
    """The messages that are sent again."""

    replayed: list[str]


class DiscardedDocument(Document):
    """The messages that were let go, and those that were held back behind them."""

    discarded: list[str]
    replayed: list[str]


class SecretDocument(Document):
    """Where a secret lies, and by what the broker knows it."""

    file: str
    known_by: str


class MadeDocument(Document):
    """A new project: its folder, the files in it, and what to do next."""

    folder: str
    written: list[str]
    next: list[str]


class FoundDocument(Document):
    """What was found in one part of a place; ``way_out`` mends it."""

    part: str
    status: StatusWord
    words: str
    way_out: str | None


class DoctorDocument(Document):
    """An examination: how all of it stands, and each thing that was found."""

    status: StatusWord
    found: list[FoundDocument]


class SteeredDocument(Document):
    """What was asked of a data migration in the background."""

    migration: str
    act: str


class BrakeDocument(Document):
    """Whether the brake is on."""

    brake: bool


class FrozenDocument(Document):
    """The release that was frozen; ``written`` is whether its file is new."""

    release: str
    sequence: int
    path: str
    written: bool


class FindingDocument(Document):
    """A change that peers would not survive."""

    category: str
    path: str
    change: str
    breaks: str
    due: str
    suggestion: str
    peers: list[str]
    met_in: list[str]


class CheckedDocument(Document):
    """The code beside the releases in the skew window."""

    code: str
    window: list[str]
    raised: list[str]
    findings: list[FindingDocument]


class ChapterDocument(Document):
    """What changed in one object or interface."""

    title: str
    lines: list[str]


class DiffDocument(Document):
    """What changed from one release to another; ``after`` is null for the code as it is."""

    before: str
    after: str | None
    chapters: list[ChapterDocument]


class MarkDocument(Document):
    """A mark in the code that is there for a release."""

    path: str
    mark: str
    because: str
    status: str


class AtRestDocument(Document):
    """Objects in rows that need a mark."""

    column: str
    object: str
    version: str
    count: int


class ReasonDocument(Document):
    """Why something stands as it does."""

    status: str
    words: str


class RetireDocument(Document):
    """The marks that may go with a release."""

    release: str
    status: str
    window: list[str]
    marks: list[MarkDocument]
    at_rest: list[AtRestDocument]
    because: list[ReasonDocument]


class ReleaseDocument(Document):
    """A frozen release: name → version, and whether it is that of this code."""

    release: str
    sequence: int
    manifest: dict[str, str]
    digest: str
    this_code: bool


DOCUMENTS: dict[str, list[Any]] = {
    **{f"upgrade-{name}": [each] for name, each in OF_UPGRADE.items()},
    "broker-config": [dict[str, Any]],
    "broker-secret": [SecretDocument],
    **{f"data-{act}": [SteeredDocument] for act in ("cancel", "pause", "resume", "start")},
    "data-brake": [BrakeDocument],
    "data-compare": [Comparison],
    "data-list": [list[MigrationState]],
    "data-pace": [dict[str, Any]],
    "data-prove": [ProofResult],
    "data-retry": [SweepResult],
    "data-run": [list[SweepResult]],
    "data-show": [MigrationDetail],
    "db-contract": [ContractDocument, DryRunDocument],
    "db-expand": [ExpandDocument, DryRunDocument],
    "db-facts": [dict[str, TableFacts]],
    "db-history": [list[HistoryDocument]],
    "db-lint": [LintDocument],
    "db-revision": [WrittenDocument],
    "db-status": [SchemaDocument],
    "db-sync": [ExpandDocument, DryRunDocument],
    "doctor": [DoctorDocument],
    "fleet-drain": [DrainDocument],
    "fleet-list": [Fleet],
    "fleet-retire": [Member],
    "fleet-show": [MemberDocument],
    "init": [MadeDocument],
    "parked-discard": [DiscardedDocument],
    "parked-list": [list[ParkedDocument]],
    "parked-replay": [ReplayedDocument],
    "parked-show": [ParkedDocument],
    "pin-clear": [EpochDocument],
    "pin-set": [EpochDocument],
    "pin-show": [PinsDocument],
    "release-check": [CheckedDocument],
    "release-diff": [DiffDocument],
    "release-freeze": [FrozenDocument],
    "release-list": [list[ReleaseDocument]],
    "release-retire": [RetireDocument],
    "error": [ErrorDocument],
}
"""Command → what it writes, one of these; ``error`` may come from any of them."""


def documents() -> int:
    """The JSON Schema of what each command writes with --json."""
    Output(json=True).document(schema())
    return 0


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of all of them; each is at ``#/$defs/NOUN-VERB``."""
    types = [_as_written(each) for several in DOCUMENTS.values() for each in several]
    found, parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    said = iter(found)
    commands = {name: _one_of([next(said) for _ in several]) for name, several in DOCUMENTS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What midflight writes with --json",
        "$defs": {**commands, **dict(sorted(parts.items()))},
    }


def _one_of(several: list[dict[str, Any]]) -> dict[str, Any]:
    return several[0] if len(several) == 1 else {"anyOf": several}


def _as_written(kind: Any) -> Any:
    """A type, with versioned objects as they are written: without the marks by which they know each other. One that
    stands for a part of an object is that object."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind)
    if get_origin(kind) in (Union, UnionType):
        by_name = {getattr(each, "__qualname__", each): each for each in reversed(get_args(kind))}
        return Union[tuple(map(_as_written, reversed(by_name.values())))]  # noqa: UP007  # they are not written here
    if get_origin(kind) is Annotated:
        return _as_written(get_args(kind)[0])
    if getattr(kind, "__module__", "") == coercion.__name__:  # what may be anything is a class of its own there
        return Any
    if origin := get_origin(kind):
        return origin[tuple(map(_as_written, get_args(kind)))]
    return kind


@functools.cache
def _struct(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    told = []
    for each in msgspec.structs.fields(kind):
        if (name := each.encode_name).isidentifier():
            written = _as_written(each.type)
            told.append((name, written) if each.required else (name, written, None))
    return msgspec.defstruct(kind.__name__, told, kw_only=True, namespace={"__doc__": kind.__doc__})
