"""The rows of members, and what a conductor thinks of each by its own clock.

``lost`` is never stored: it is what somebody finds who looks at a member that has been silent for three beats, and a
moment.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, String, cast, delete, insert, select, update

from midflight.conductor.interface import Member, State
from midflight.conductor.peers import ASIDE, Kind, Peer, Present
from midflight.context import Caller
from midflight.db import journal
from midflight.db.tables import members
from midflight.errors import InvalidValue, NotAllowed
from midflight.transports.base import are_names, check_name

MISSED_BEATS = 3
"""A member that has missed so many is lost."""

GATHER_SECONDS = 0.5
"""So much earlier than a member was heard its row may say that it was: beats are written together."""

LONGEST_BEAT = 86_400
"""Seconds; what the configuration allows too."""

MOST_AT_ONCE = 1_000
"""Members that one statement names: databases have a bound on its values."""

REMEMBERED = timedelta(days=1)
"""For so long a retired member is remembered, unless it has a successor."""

_SAID = (
    "service", "host", "release", "manifest", "topics", "database", "code", "overrides", "beat_seconds", "state",
    "epoch",
)  # fmt: skip
"""What a member says of itself."""


_NOTED: Mapping[str, journal.Kind] = {
    State.ACTIVE: "member.active", State.DRAINING: "member.draining", State.ASLEEP: "member.asleep",
}  # fmt: skip
"""What a member may say that it is → the journal's kind of entry for one that is it from now on. Other kinds about
members are the conductors' own, and others read them."""


P = TypeVar("P", bound=Peer)


def check(member: Member) -> None:
    """Raises InvalidValue for what nobody can say of itself: a name that is no address, a beat that never comes."""
    for what, name in (("service", member.service), ("host", member.host)):
        check_name(f"hello(member).{what}", name)
    if not (member.id.startswith(f"{member.service}.{member.host}.") and are_names(member.id)):
        expected = f"{member.service}.{member.host}., and a name"
        raise InvalidValue(path="hello(member).id", received=repr(member.id), expected=expected)
    for what, name in (*(("topics", topic) for topic in member.topics), ("state", member.state)):
        check_name(f"hello(member).{what}", name)
    if not 0 < member.beat_seconds <= LONGEST_BEAT:
        expected = f"more than 0 seconds, and at most {LONGEST_BEAT}"
        raise InvalidValue(path="hello(member).beat_seconds", received=str(member.beat_seconds), expected=expected)


def check_speaker(what: str, member: str, caller: Caller | None) -> None:
    """Raises NotAllowed where somebody speaks for a member of another service or host. ``caller`` is None within the
    member's own process."""
    if caller is not None and not member.startswith(f"{caller.service}.{caller.host}."):
        sender = f"{caller.service}@{caller.host}"
        raise NotAllowed(what=what, sender=sender, reason=f"the member {member!r} is not there")


def register(
    connection: Connection, member: Member, at: datetime, beside: Mapping[str, Any] | None = None
) -> str | None:
    """Write down who has joined, with what is to be kept ``beside`` it; or who joined again. Returns its state before;
    None for who was not known."""
    _make_room(connection, member, at)
    said = {name: getattr(member, name) for name in _SAID} | {"seen_at": at}
    this = members.c.id == member.id
    before: str | None = connection.execute(select(members.c.state).where(this)).scalar_one_or_none()
    if before is None:
        connection.execute(insert(members).values(id=member.id, joined_at=at, facts=dict(beside or {}), **said))
    else:
        connection.execute(update(members).where(this).values(said))
    return before


def _make_room(connection: Connection, member: Member, at: datetime) -> None:
    """Forget the retired and the lost of the same service and host. One that took work is remembered until its
    successor takes some, so that it is known what others may believe of it."""
    before = members.c.service == member.service, members.c.host == member.host, members.c.id != member.id
    rows = connection.execute(select(members).where(*before))
    gone = [row.id for row in rows if _is_gone(row, at) and (member.topics or not row.topics)]
    if gone:
        connection.execute(delete(members).where(members.c.id.in_(gone)))


def forget_retired(connection: Connection, at: datetime) -> None:
    """Those of long ago."""
    long_ago = (members.c.state == State.RETIRED) & (members.c.seen_at < at - REMEMBERED)
    connection.execute(delete(members).where(long_ago))


def is_member(connection: Connection, member: str) -> bool:
    """Whether this one has joined, and is neither retired nor asleep."""
    found = select(members.c.id).where(members.c.id == member, members.c.state.not_in(ASIDE))
    return connection.execute(found).first() is not None


def of_services(connection: Connection, but: Collection[str], at: datetime) -> list[str]:
    """The members of all services ``but`` these, if they are awake and not lost."""
    there = members.c.service.not_in(but), members.c.state.not_in(ASIDE)
    columns = (members.c[name] for name in ("id", "state", "seen_at", "beat_seconds"))
    found = connection.execute(select(*columns).where(*there).order_by(members.c.id))
    return [row.id for row in found if not _is_gone(row, at)]


def _is_gone(row: Row[Any], at: datetime) -> bool:
    return state_now(row.state, at - row.seen_at, row.beat_seconds) in (State.RETIRED, State.LOST)


def hear(connection: Connection, who: Collection[str], at: datetime, **said: Any) -> set[str]:
    """Write down that these were heard, and what they said of themselves. Returns those of them that are members: who
    never joined, left, or was retired is none."""
    found: set[str] = set()
    for names in _pieces(sorted(who)):
        living = members.c.id.in_(names), members.c.state != State.RETIRED
        heard = update(members).where(*living).values(seen_at=at, **said).returning(members.c.id)
        found.update(connection.execute(heard).scalars())
    return found


def turned(connection: Connection, states: Mapping[str, str]) -> list[tuple[str, str]]:
    """Those of these members whose row says another state than this one, each with this one."""
    found: list[tuple[str, str]] = []
    for names in _pieces(sorted(states)):
        said = select(members.c.id, members.c.state).where(members.c.id.in_(names), members.c.state != State.RETIRED)
        found += [(row.id, states[row.id]) for row in connection.execute(said) if row.state != states[row.id]]
    return found


def note_state(connection: Connection, member: str, state: str) -> None:
    """Write into the journal what a member says that it is from now on, where that is a word for it."""
    if kind := _NOTED.get(state):
        journal.write(connection, kind, {"member": member})


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + MOST_AT_ONCE] for start in range(0, len(names), MOST_AT_ONCE))


def retire(connection: Connection, member: str) -> bool:
    """Take a member out of all counts. Says whether there was one to take out."""
    living = members.c.id == member, members.c.state != State.RETIRED
    return connection.execute(update(members).where(*living).values(state=State.RETIRED.value)).rowcount > 0


def retire_lost(connection: Connection, after: timedelta, at: datetime) -> list[Member]:
    """Take out who has been lost for so long. Returns them."""
    gone = [each for each in everyone(connection, at) if each.state == State.LOST and each.age > after.total_seconds()]
    return [each for each in gone if retire(connection, each.id)]


def everyone(connection: Connection, at: datetime) -> list[Member]:
    """All members but the retired, by service, host and time of joining, each as it is at that moment."""
    rows = connection.execute(_in_order(members))
    return without_superseded([_seen(row._asdict(), at) for row in rows])


def present(connection: Connection, at: datetime) -> list[Present]:
    """The same, and of each only what others must know: every conductor of a large fleet looks again and again."""
    rows = connection.execute(_in_order(*(members.c[name] for name in (*Present._fields, "seen_at", "beat_seconds"))))
    said = [(Present(*tuple(row)[:6]), at - row.seen_at, row.beat_seconds) for row in rows]
    return without_superseded([p._replace(state=state_now(p.state, silence, beat)) for p, silence, beat in said])


def _in_order(*columns: Any) -> Select[*tuple[Any, ...]]:
    order = members.c.service, members.c.host, members.c.joined_at
    return select(*columns).where(members.c.state != State.RETIRED).order_by(*order)


def _seen(row: dict[str, Any], at: datetime) -> Member:
    silence = at - row["seen_at"]
    state = state_now(row["state"], silence, row["beat_seconds"])
    fields = {name: value for name, value in row.items() if name != "facts"}
    member = Member(**(fields | {"state": state, "age": max(0.0, silence.total_seconds())}))
    member.reset_changes()
    return member


def kinds(connection: Connection) -> set[Kind]:
    """What there is at all among the members that are not aside."""
    found = select(members.c.service, members.c.manifest, cast(members.c.topics, String)).distinct()
    rows = connection.execute(found.where(members.c.state.not_in(ASIDE))).all()
    return {(service, manifest, topics) for service, manifest, topics in rows}


def state_now(said: str, silence: timedelta, beat_seconds: float) -> str:
    """What a member is that last said it was ``said`` and has been silent for this long."""
    silent = silence.total_seconds() > MISSED_BEATS * beat_seconds + GATHER_SECONDS
    return State.LOST.value if silent and said not in (State.RETIRED, State.ASLEEP) else said


def without_superseded(everybody: Sequence[P]) -> list[P]:
    """Leave out the lost whose service and host have somebody who joined later: who was killed has a successor.

    They come in the order in which they joined.
    """
    last = {(member.service, member.host): member.id for member in everybody}
    return [m for m in everybody if m.state != State.LOST or last[m.service, m.host] == m.id]


def manifests_of(connection: Connection, service: str, host: str | None = None) -> set[str]:
    """The digests of what members of a service understand or understood, of the retired too; or those on one host."""
    here = [members.c.host == host] if host is not None else []
    found = select(members.c.manifest).where(members.c.service == service, *here).distinct()
    return set(connection.execute(found).scalars())


def kind_of(member: Member) -> Kind:
    """See Kind."""
    return member.service, member.manifest, json.dumps(member.topics)


def has_alike(connection: Connection, member: Member) -> bool:
    """Whether another of its kind is a member."""
    service, manifest, topics = kind_of(member)
    same = members.c.service == service, members.c.manifest == manifest, cast(members.c.topics, String) == topics
    others = select(members.c.id).where(*same, members.c.id != member.id, members.c.state.not_in(ASIDE))
    return connection.execute(others.limit(1)).first() is not None
