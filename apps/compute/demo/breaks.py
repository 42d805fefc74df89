"""Ways to break a run on purpose, so that each zero of the report is seen to be able to fail.

Each is an act behind the framework's back, done at one place of the road.
"""

from __future__ import annotations

import asyncio
import os
import signal
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
            stage.rows.set_flavor(life.uuid, "small" if resize.want["flavor"] != "small" else "medium")
            return


READ_NEW = """
    INSERT INTO mf_forms (name, form, epoch, set_at)
    SELECT :name, 'both, read new', epoch, CURRENT_TIMESTAMP FROM mf_epoch WHERE true
    ON CONFLICT (name) DO UPDATE SET form = excluded.form, epoch = excluded.epoch
"""


async def stale_forms(stage: Stage) -> None:
    """Say that the new form is to be read, while one API and one conductor of juno still write only the old one; then
    resize instances of which both forms were written, and look at them."""
    stage.rows.change("UPDATE mf_epoch SET epoch = epoch + 1")
    stage.rows.change(READ_NEW, name=MIGRATION)
    await asyncio.sleep(3)  # a few beats, by which kilo's services hear of it
    for _ in range(3):
        await stage.load.do("put_in_flight", host=None, writes=24)
        await asyncio.sleep(stage.size.resize_seconds + 1.5)


BREAKS: dict[str, tuple[str, Callable[[Stage], Awaitable[None]]]] = {
    "wrongpin": ("before kilo control", wrong_pin),
    "kill": ("after kilo control", kill_instance),
    "stale": ("inside kilo back", stale_forms),
    "lose": ("after load", lose_change),
}
"""By name, the place on the road and what is done there."""


async def at(place: str, stage: Stage) -> None:
    """Break what is to be broken at this place, if anything is."""
    where, act = BREAKS.get(stage.size.break_, ("", None))
    if act is not None and where == place:
        stage.say(f"BREAK={stage.size.break_}: {(act.__doc__ or '').strip()}")
        await act(stage)
