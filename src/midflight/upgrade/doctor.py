"""An examination of one place: what a process, or a command, would meet here, and how to mend what is wrong.

Each part is looked at on its own, so that one that fails hides no other; what cannot be looked at is unknown, and never
pass.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from midflight.conductor.contract import UNRELEASED, release_of
from midflight.conductor.interface import Fleet
from midflight.conductor.visit import identity_here
from midflight.config import ANONYMOUS, Config, public_url
from midflight.db import sqlite
from midflight.db.clock import now
from midflight.db.engine import is_postgresql, reason_of
from midflight.db.schema.opening import looking, shared
from midflight.db.schema.runner import SchemaRunner
from midflight.errors import BrokerUnreachable, ConfigError, MidflightError, NoConductor, NotAllowed
from midflight.project import Project
from midflight.rpc.rights import OPERATOR
from midflight.upgrade import roster
from midflight.upgrade.aim import Aim
from midflight.upgrade.facts import health, members, pins
from midflight.upgrade.operator import operating
from midflight.upgrade.roster import ago
from midflight.upgrade.verdict import Fact, Status, bad, good, missing, warning

LISTEN_SECONDS = 3.0
"""How long one address of a broker may take to be connected to."""
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[\w.-]+):(\d{1,5})\b")
_LOOPBACK = ("127.", "localhost", "[::1]", "memory:")


@dataclass(frozen=True)
class Finding:
    """What was found in one part; ``way_out`` mends it."""

    part: str
    status: Status
    words: str
    way_out: str | None = None


def worst(findings: list[Finding]) -> Status:
    """The status of all of them together."""
    return max((finding.status for finding in findings), key=lambda status: status.weight)


def _in(part: str, facts: Iterator[Fact]) -> Iterator[Finding]:
    """The facts of one part. An error that ends them is one of them, and hides no other part: midflight's own say their
    way out themselves."""
    try:
        for fact in facts:
            yield Finding(part, fact.status, fact.words, fact.way_out)
    except MidflightError as wrong:
        yield Finding(part, Status.FAIL, str(wrong))
    except PermissionError as refused:
        words = f"this user may not look at {refused.filename or refused}"
        yield Finding(part, Status.FAIL, words, "chmod u+x the folders above it, or ask as the user whose they are")
    except (OSError, DBAPIError) as wrong:
        reason = reason_of(wrong) if isinstance(wrong, DBAPIError) else wrong
        yield Finding(part, Status.UNKNOWN, f"it could not be looked at: {reason}")


def machine() -> Iterator[Finding]:
    """Python, and this midflight."""
    return _in("python", _python())


def _python() -> Iterator[Fact]:
    found = ".".join(map(str, sys.version_info[:3]))
    words = f"Python {found}, midflight {version('midflight')}"
    yield (
        good(words)
        if sys.prefix != sys.base_prefix
        else warning(f"{words}, in no environment of its own", "python3 -m venv .venv, and install it there")
    )


def here(config: Config, project: Project) -> Iterator[Finding]:
    """What lies on this host: the state folder, the credentials, the frozen releases."""
    yield from _in("state", _state(config))
    yield from _in("rights", _secrets(config))
    yield from _in("releases", _releases(project))


def _state(config: Config) -> Iterator[Fact]:
    folder = Path(config.path).parent / config.state
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        yield good(f"the state folder {folder} can be {'written' if there == folder else 'made'}")
    else:
        yield bad(f"{there} is no folder that this user may write", f"chown it, or chmod u+rwx {there}")


def _secrets(config: Config) -> Iterator[Fact]:
    """Files that prove who we are, and that nobody else may read."""
    for what in ("key", "nkey"):
        path = getattr(config.credentials, what)
        if path is None:
            continue
        try:
            mode = Path(path).stat().st_mode
        except OSError as wrong:
            raise ConfigError(
                path=config.path, where=f"[credentials] {what}", reason=f"{path}: {wrong.strerror}"
            ) from None
        if mode & 0o077:
            yield warning(f"{path} can be read by others ({mode & 0o777:03o})", f"chmod 600 {path}")
        else:
            yield good(f"{path} is for its owner only")
    address = public_url(config.broker).partition("//")[2] or config.broker
    if not _proves_itself(config) and not address.startswith(_LOOPBACK):
        words = f"nobody proves to the broker at {public_url(config.broker)} who it is: whoever reaches it may say all"
        yield warning(words, "midflight broker config, and [credentials] in the configuration")


def _proves_itself(config: Config) -> bool:
    return config.credentials != ANONYMOUS or "@" in config.broker


def _releases(project: Project) -> Iterator[Fact]:
    if not project.releases:
        yield warning(f"project {project.name} has no frozen release", "midflight release freeze NAME")
    elif release_of(project) == UNRELEASED:
        newest = project.releases[-1].name
        words = f"this code is no frozen release; the newest is {newest}"
        yield warning(words, "midflight release check, then midflight release freeze NAME")
    else:
        yield good(f"this code is release {release_of(project)} of project {project.name}")


def database(config: Config, project: Project) -> Iterator[Finding]:
    """The database, its clock, our rights there, and the schema; where the configuration names one. It blocks."""
    if config.database is None:
        words = "none is named here, as it should be for a service without one"
        yield Finding("database", Status.PASS, words)
        return
    found = [*_in("database", _opened(config.database))]
    yield from found
    if worst(found) is not Status.FAIL:
        yield from _in("schema", _schema(config.database, project))


def _opened(url: str) -> Iterator[Fact]:
    parsed = shared(url)
    with looking(parsed) as connection:
        if not is_postgresql(parsed):
            yield from _file(parsed)
            return
        begun = now()
        said: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        yield good(f"{public_url(url)} answers")
        yield _clock(said, begun, now(), "the database")
        if not connection.execute(text("SELECT has_schema_privilege(current_schema(), 'CREATE')")).scalar_one():
            words = "this role may not change the schema: that is right for a service, and not for midflight db expand"
            yield warning(words, "run midflight db with the role that owns the tables")


def _file(url: URL) -> Iterator[Fact]:
    file = sqlite.file_of(url)
    assert file is not None, "shared() has refused a database in memory"
    refused = next((each for each in (file.parent, file) if each.exists() and not os.access(each, os.W_OK)), None)
    if refused:
        yield bad(f"{refused} cannot be written by this user", f"chown it, or chmod u+w {refused}")
    elif file.exists():
        yield good(f"{file} can be written")
    else:
        yield warning(f"{file} is not there yet", "midflight db expand")


def _clock(theirs: datetime, before: datetime, after: datetime, whose: str) -> Fact:
    """Their clock, as it was asked between two moments of ours."""
    apart = max(before - theirs, theirs - after)
    if apart <= health.AHEAD:
        return good(f"the clock of this machine agrees with that of {whose}")
    where = "behind" if theirs > after else "ahead of"
    words = f"the clock of this machine is {ago(apart.total_seconds())} {where} that of {whose}"
    return bad(words, "set the clocks: chronyc tracking, timedatectl")


def _schema(url: str, project: Project) -> Iterator[Fact]:
    found = SchemaRunner(url, project.schema, project.tables, release_of(project)).status()
    for words, revisions in (("lacks the revisions", found.pending), ("has left to do", found.unfinished)):
        if revisions:
            yield bad(f"the schema {words} {', '.join(revisions)}", "midflight db expand")
    for reason in found.against:
        yield bad(f"the schema may not be expanded yet: {reason}", "midflight db status")
    if found.missing and not (found.pending or found.unfinished):
        yield bad(f"the schema lacks {', '.join(found.missing)}, and no revision adds it", "midflight db revision -m …")
    if found.unknown:
        words = f"the schema is newer than this code: {', '.join(found.unknown)}"
        yield warning(words, "midflight db expand only from the newest copy of the code")
    if not (found.pending or found.unfinished or found.missing):
        yield good(f"the schema has all that this code needs; {found.release or 'nobody'} expanded it")


async def fleet(config: Config, project: Project) -> list[Finding]:
    """The broker, the conductors behind it, our rights, the clocks, the members and the pins.

    It asks as an operator. With the credentials of a service it is refused, though all may be well: so that is unknown.
    """
    begun = now()
    try:
        async with operating(config, project) as operator:
            broker = Finding("broker", Status.PASS, f"{public_url(config.broker)} answers")
            try:
                found = await operator.fleet()
            except NoConductor as nobody:
                return [broker, Finding("conductor", Status.UNKNOWN, str(nobody), "midflight run conductor")]
            except NotAllowed as refused:
                return [broker, _not_ours(refused)]
    except BrokerUnreachable as wrong:
        if _proves_itself(config) and await _listens(config.broker):
            return [_not_ours(wrong)]
        return [Finding("broker", Status.FAIL, str(wrong))]
    except MidflightError as wrong:
        return [Finding("broker", Status.FAIL, str(wrong))]
    answered = Finding("conductor", Status.PASS, f"{found.taken_by} answers")
    clock = _clock(found.taken_at, begun, now(), found.taken_by)
    return [broker, answered, *_in("clock", iter([clock])), *told(found, project)]


def _not_ours(refused: MidflightError) -> Finding:
    """A broker lets nobody be whom his credentials do not prove, and may not even answer."""
    words = f"the credentials here are not those of {identity_here(OPERATOR)}, who may ask: {refused}"
    return Finding("rights", Status.UNKNOWN, words, "ask with the configuration of an operator: --config FILE")


async def _listens(url: str) -> bool:
    """Whether a broker takes connections at one of its addresses."""
    for host, port in _ADDRESS.findall(public_url(url)):
        try:
            async with asyncio.timeout(LISTEN_SECONDS):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            continue
        writer.close()
        return True
    return False


def told(found: Fleet, project: Project) -> Iterator[Finding]:
    """What the facts of the fleet say that is not as it should be, whatever upgrade is under way."""
    yield from _in("clock", health.clocks(found))
    yield from _in("database", health.database(found))
    yield from _in("members", members.lost(found))
    yield from _in("pins", _pins(found, project))


def _pins(found: Fleet, project: Project) -> Iterator[Fact]:
    yield from pins.overridden(found)
    yield from members.acknowledged(found, roster.active(found))
    if not project.releases:
        return
    aim = Aim.latest(project)
    for topic, pinned in sorted(found.pins.items()):
        words = f"{'everything' if topic == '*' else topic} is pinned to {pinned}"
        if aim.pinned_to(topic, pinned) is None:
            yield missing(f"{words}, which this copy of the project does not know", "use the newest copy of the code")
        else:
            yield replace(good(words), about=topic)
