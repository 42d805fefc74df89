"""``midflight data start``, ``pause``, ``resume``, ``cancel``, ``brake``, ``pace``: the conductors migrate rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight.cli.options import ConfigFile, Duration, Json, MaybeWait, NumberOfRows
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.errors import InvalidValue, UsageError
from midflight.migrations.pace import Pace
from midflight.upgrade.operator import operating


async def start(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Migrate rows in the background: the conductors do it, one at a time, at the fleet's pace.

    Parameters
    ----------
    name
        The data migration.
    """
    return await _steer(name, "start", "runs in the background: see midflight data show", config, json)


async def pause(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Stop migrating rows in the background, until it is resumed.

    Parameters
    ----------
    name
        The data migration.
    """
    return await _steer(name, "pause", "is paused behind its last chunk", config, json)


async def resume(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Go on in the background with what was paused, or had stopped because too many rows failed.

    Parameters
    ----------
    name
        The data migration.
    """
    return await _steer(name, "resume", "goes on where it was", config, json)


async def cancel(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Stop migrating rows in the background for good. Rows that are migrated stay so; a new start begins at the first.

    Parameters
    ----------
    name
        The data migration.
    """
    return await _steer(name, "cancel", "is cancelled; rows that are migrated stay so", config, json)


async def _steer(name: str, act: str, done: str, config: ConfigFile, json: bool) -> int:
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        await operator.steer(place.project.migration(name).name, act)
    out.say(f"{name} {done}")
    out.document({"migration": name, "act": act})
    return 0


async def brake(*, release: bool = False, config: ConfigFile = None, json: Json = False) -> int:
    """Let nobody migrate rows, whoever asks for it, before the brake is released again.

    Parameters
    ----------
    release
        Release it.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        await operator.brake(not release)
    out.say("the brake is released" if release else "the brake is on: each chunk that runs ends, and none begins")
    out.document({"brake": not release})
    return 0


async def pace(
    *, target: MaybeWait = None, duty: float | None = None, most_rows: NumberOfRows = None,
    failure_ratio: float | None = None, failures: NumberOfRows = None, replica_lag: MaybeWait = None,
    oldest_transaction: MaybeWait = None, lock_waiters: int | None = None, vacuum: bool | None = None,
    rpc_p99: MaybeWait = None, sql: list[str] | None = None, http: list[str] | None = None,
    config: ConfigFile = None, json: Json = False,
) -> int:  # fmt: skip
    """How fast all data migrations go, and when they hold. Shows the settings; those that are given are changed for the
    next chunk of all who migrate rows.

    Parameters
    ----------
    target
        How long a chunk should take; its number of rows follows.
    duty
        The share of the time in which chunks run.
    most_rows
        So many rows go into a chunk at most.
    failure_ratio
        Stop when more than this share of the rows of a pass fails,
    failures
        and that are so many rows at least.
    replica_lag
        Hold while a replica is so far behind.
    oldest_transaction
        Hold while somebody's transaction is so old.
    lock_waiters
        Hold while more than so many statements wait for locks.
    vacuum
        Hold while the table is vacuumed.
    rpc_p99
        Hold while one in a hundred remotables takes longer.
    sql
        Hold while this query gives more than 0; may be given several times. An empty one takes all away.
    http
        Hold while this address answers anything but 200; may be given several times. An empty one takes all away.
    """
    given = {
        "target": target, "duty": duty, "most_rows": most_rows, "failure_ratio": failure_ratio, "failures": failures,
        "replica_lag": replica_lag, "oldest_transaction": oldest_transaction, "lock_waiters": lock_waiters,
        "vacuum": vacuum, "rpc_p99": rpc_p99, "sql": _probes(sql), "http": _probes(http),
    }  # fmt: skip
    changes = {name: _plain(value) for name, value in given.items() if value is not None}
    _check(changes)
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        found = await operator.pace(changes)
    out.table(("setting", "value"), [(name, _shown(value)) for name, value in found.items()])
    out.document(found)
    return 0


def _plain(value: object) -> object:
    """A duration is a number of a kind that only the command line knows, and does not travel."""
    return float(value) if isinstance(value, Duration) else value


def _check(changes: Mapping[str, Any]) -> None:
    try:
        Pace().changed(changes)
    except InvalidValue as wrong:
        option = wrong.path.removeprefix("pace.").replace("_", "-")
        raise UsageError(reason=f"--{option}: received {wrong.received}, expected {wrong.expected}") from None


def _probes(given: list[str] | None) -> list[str] | None:
    return None if given is None else [probe for probe in given if probe]


def _shown(value: object) -> str:
    return ("\n".join(map(str, value)) or "-") if isinstance(value, list | tuple) else str(value)
