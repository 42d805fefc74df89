"""Ways to break a run on purpose, so that each zero of the report is seen to be able to fail.

Each is an act behind the framework's back, done at one place of the road.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import Awaitable, Callable

from demo import raw
from demo.changes import histories
from demo.counts import last
from demo.rows import MIGRATION
from demo.stage import Stage


async def wrong_pin(stage: Stage) -> None:
    """Pin one API to kilo in its configuration, before it is upgraded and while all agents are juno."""
    stage.configure("api-1", "api", {"compute": "kilo"})


async def kill_instance(stage: Stage) -> None:
    """Kill the process of an instance that nobody asked to end."""
    lives = [life for life in histories(raw.requests(stage.run / "load.jsonl")) if life.ended is None]
    counted = last(stage.machines / f"{lives[0].uuid}.count")
    assert counted is not None
    os.kill(counted.pid, signal.SIGKILL)


async def lose_change(stage: Stage) -> None:
    """Put back, directly in the rows, the flavor that an instance had before its last acknowledged resize."""
    lives = histories(raw.requests(stage.run / "load.jsonl"))
    for life in lives:
        resize, _ = life.promised("resize")
        if life.ended is None and resize is not None and resize.op == "resize":
            _set_flavor(stage, life.uuid, "small" if resize.want["flavor"] != "small" else "medium")
            return


def _set_flavor(stage: Stage, uuid: str, flavor: str) -> None:
    with contextlib.closing(sqlite3.connect(stage.run / "compute.db", timeout=10)) as db, db:
        old = "UPDATE instance_system_metadata SET value = ? WHERE instance_uuid = ? AND key = 'instance_type_name'"
        db.execute(old, [flavor, uuid])
        [(stored,)] = db.execute("SELECT flavor FROM instances WHERE uuid = ?", [uuid])
        if stored is not None:
            new = json.dumps(json.loads(stored) | {"name": flavor})
            db.execute("UPDATE instances SET flavor = ? WHERE uuid = ?", [new, uuid])


READ_NEW = """
    INSERT INTO mf_forms (name, form, epoch, set_at)
    SELECT ?, 'both, read new', epoch, datetime('now') FROM mf_epoch WHERE true
    ON CONFLICT (name) DO UPDATE SET form = excluded.form, epoch = excluded.epoch
"""


async def stale_forms(stage: Stage) -> None:
    """Say that the new form is to be read, while one API and one conductor of juno still write only the old one; then
    resize instances of which both forms were written, and look at them."""
    with contextlib.closing(sqlite3.connect(stage.run / "compute.db", timeout=10)) as db, db:
        db.execute("UPDATE mf_epoch SET epoch = epoch + 1")
        db.execute(READ_NEW, [MIGRATION])
    await asyncio.sleep(3)  # a few beats, by which kilo's services hear of it
    for _ in range(3):
        await stage.load.do("put_in_flight", host=None, writes=24)
        await asyncio.sleep(stage.size.resize_seconds + 1.5)


BREAKS: dict[str, tuple[str, Callable[[Stage], Awaitable[None]]]] = {
    "wrongpin": ("before control", wrong_pin),
    "kill": ("after control", kill_instance),
    "stale": ("inside back", stale_forms),
    "lose": ("after load", lose_change),
}
"""By name, the place on the road and what is done there."""


async def at(place: str, stage: Stage) -> None:
    """Break what is to be broken at this place, if anything is."""
    where, act = BREAKS.get(stage.size.break_, ("", None))
    if act is not None and where == place:
        stage.say(f"BREAK={stage.size.break_}: {(act.__doc__ or '').strip()}")
        await act(stage)
