"""The two windows, judged by the rows of members."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from midflight.conductor import members
from midflight.conductor.peers import ASIDE
from midflight.conductor.windows import KEPT, Order, refuse
from midflight.db import tables
from midflight.errors import StepBlocked
from midflight.project import Project
from midflight.versions import Release

_MOST_NAMED = 5


def latest_order(connection: Connection, project: Project) -> Order:
    """The order that this copy of the project knows, or the longest that a member which opens the database has left."""
    columns = tables.members.c
    there = select(columns.facts).where(columns.database, columns.state.not_in(ASIDE))
    kept = [facts[KEPT] for facts in connection.execute(there).scalars() if KEPT in facts]
    left = [Order(*(each[name] for name in Order._fields)) for each in kept]  # a later midflight may keep more
    return max((Order.of(project), *left), key=lambda order: len(order.families))


def check_rows(
    connection: Connection, project: Project, service: str, release: str, *, opens: bool, at: datetime
) -> None:
    """Raises OutsideWindow for a release that is too far from that of a member; ``opens`` the database, and from that
    of a member that opens it. Who is asleep, outdated or retired is no member in this."""
    order = latest_order(connection, project)

    def too_far(other: str, other_opens: bool) -> bool:
        apart = order.apart(release, other)
        return apart > order.skew or (opens and other_opens and apart > order.store)

    columns = tables.members.c
    there = select(columns.release, columns.database).where(columns.state.not_in(ASIDE)).distinct()
    if not any(too_far(other, other_opens) for other, other_opens in connection.execute(there)):
        return
    everyone = members.everyone(connection, at)
    if distant := [each for each in everyone if each.state not in ASIDE and too_far(each.release, each.database)]:
        who = ", ".join(f"{each.service}@{each.host} ({each.release}, {each.state})" for each in distant[:_MOST_NAMED])
        more = f" and {len(distant) - _MOST_NAMED} more" if len(distant) > _MOST_NAMED else ""
        refuse(service, release, {each.release for each in distant}, f"{who}{more}", order)


def check_pin(connection: Connection, project: Project, release: str) -> None:
    """Raises StepBlocked for a pin that is too old for a member to speak."""
    columns = tables.members.c
    there = connection.execute(select(columns.release).where(columns.state.not_in(ASIDE)).distinct()).scalars()
    order = latest_order(connection, project)
    newer = {Release.family_of(each) for each in there if order.apart(release, each) > order.skew}
    if later := [name for name in order.families if name in newer]:
        reason = f"members of {' and '.join(later)} speak at most {order.skew} before their own release"
        raise StepBlocked(step=f"Pinning to {release}", reason=f"{reason}: pin a nearer one, or auto")
