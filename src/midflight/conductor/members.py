"""The rows of members, and what a conductor thinks of each by its own clock.

``lost`` is never stored: it is what somebody finds who looks at a member that has been silent for three beats.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, String, cast, delete, insert, select, update

from midflight.conductor.interface import Member, State
from midflight.context import Caller
from midflight.db.tables import members
from midflight.errors import InvalidValue, NotAllowed, NotAMember
from midflight.transports.base import are_names, check_name

MISSED_BEATS = 3
"""A member that has missed so many is lost."""

LONGEST_BEAT = 86_400
"""Seconds; what the configuration allows too."""

REMEMBERED = timedelta(days=1)
"""For so long a retired member is remembered, unless it has a successor."""

_SAID = (
    "service", "host", "release", "manifest", "topics", "database", "code", "overrides", "beat_seconds", "state",
    "epoch",
)  # fmt: skip
"""What a member says of itself."""


Kind = tuple[str, str, str]
"""A service, a manifest, and the topics on which it takes work: of many members there are few kinds."""


def check(member: Member) -> None:
    """Raises InvalidValue for what nobody can say of itself: a name that is no address, a beat that never comes."""
    for what, name in (("service", member.service), ("host", member.host)):
        check_name(f"hello(member).{what}", name)
    if not (member.id.startswith(f"{member.service}.{member.host}.") and are_names(member.id)):
        expected = f"{member.service}.{member.host}., and a name"
        raise InvalidValue(path="hello(member).id", received=repr(member.id), expected=expected)
    for topic in member.topics:
        check_name("hello(member).topics", topic)
    if not 0 < member.beat_seconds <= LONGEST_BEAT:
        expected = f"more than 0 seconds, and at most {LONGEST_BEAT}"
        raise InvalidValue(path="hello(member).beat_seconds", received=str(member.beat_seconds), expected=expected)


def check_speaker(what: str, member: str, caller: Caller | None) -> None:
    """Raises NotAllowed where somebody speaks for a member of another service or host. ``caller`` is None within the
    member's own process."""
    if caller is not None and not member.startswith(f"{caller.service}.{caller.host}."):
        sender = f"{caller.service}@{caller.host}"
        raise NotAllowed(what=what, sender=sender, reason=f"the member {member!r} is not there")


def register(connection: Connection, member: Member, at: datetime) -> None:
    """Write down who has joined, or joined again."""
    _make_room(connection, member, at)
    said = {name: getattr(member, name) for name in _SAID} | {"seen_at": at}
    if connection.execute(update(members).where(members.c.id == member.id).values(said)).rowcount == 0:
        connection.execute(insert(members).values(id=member.id, joined_at=at, facts={}, **said))


def _make_room(connection: Connection, member: Member, at: datetime) -> None:
    """Forget the retired and the lost of the same service and host, and the retired of long ago. One that took work is
    remembered until its successor takes some, so that it is known what others may believe of it."""
    before = members.c.service == member.service, members.c.host == member.host, members.c.id != member.id
    rows = connection.execute(select(members).where(*before))
    gone = [row.id for row in rows if _is_gone(row, at) and (member.topics or not row.topics)]
    long_ago = (members.c.state == State.RETIRED) & (members.c.seen_at < at - REMEMBERED)
    connection.execute(delete(members).where(members.c.id.in_(gone) | long_ago))


def _is_gone(row: Row[Any], at: datetime) -> bool:
    return state_now(row.state, at - row.seen_at, row.beat_seconds) in (State.RETIRED, State.LOST)


def acknowledge(connection: Connection, member: str, state: str, epoch: int, at: datetime) -> None:
    """Write down a beat. Raises NotAMember for somebody who never joined, left, or was retired."""
    living = members.c.id == member, members.c.state != State.RETIRED
    beaten = connection.execute(update(members).where(*living).values(state=state, epoch=epoch, seen_at=at))
    if beaten.rowcount == 0:
        raise NotAMember(member=member)


def retire(connection: Connection, member: str) -> bool:
    """Take a member out of all counts. Says whether there was one to take out."""
    living = members.c.id == member, members.c.state != State.RETIRED
    return connection.execute(update(members).where(*living).values(state=State.RETIRED.value)).rowcount > 0


def everyone(connection: Connection, at: datetime) -> list[Member]:
    """All members but the retired, by service, host and time of joining, each as it is at that moment."""
    order = members.c.service, members.c.host, members.c.joined_at
    rows = connection.execute(select(members).where(members.c.state != State.RETIRED).order_by(*order))
    return without_superseded([_seen(row._asdict(), at) for row in rows])


def _seen(row: dict[str, Any], at: datetime) -> Member:
    silence = at - row["seen_at"]
    state = state_now(row["state"], silence, row["beat_seconds"])
    fields = {name: value for name, value in row.items() if name != "facts"}
    member = Member(**(fields | {"state": state, "age": max(0.0, silence.total_seconds())}))
    member.reset_changes()
    return member


def kinds(connection: Connection) -> set[Kind]:
    """What there is at all among the members but the retired."""
    found = select(members.c.service, members.c.manifest, cast(members.c.topics, String)).distinct()
    rows = connection.execute(found.where(members.c.state != State.RETIRED)).all()
    return {(service, manifest, topics) for service, manifest, topics in rows}


def state_now(said: str, silence: timedelta, beat_seconds: float) -> str:
    """What a member is that last said it was ``said`` and has been silent for this long."""
    silent = silence.total_seconds() > MISSED_BEATS * beat_seconds
    return State.LOST.value if silent and said != State.RETIRED else said


def without_superseded(present: Iterable[Member]) -> list[Member]:
    """Leave out the lost whose service and host have somebody who joined later: who was killed has a successor.

    ``present`` come in the order in which they joined.
    """
    everybody = list(present)
    last = {(member.service, member.host): member.id for member in everybody}
    return [m for m in everybody if m.state != State.LOST or last[m.service, m.host] == m.id]


def manifests_of(connection: Connection, service: str) -> set[str]:
    """The digests of what members of a service understand or understood, of the retired too."""
    return set(connection.execute(select(members.c.manifest).where(members.c.service == service)).scalars())
