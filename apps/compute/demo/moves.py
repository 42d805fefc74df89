"""What is kept moves: kilo gives each flavor a new home, and liberty takes the old one away."""

from __future__ import annotations

import asyncio

from demo import witness
from demo.operator import Outcome
from demo.rows import MIGRATION
from demo.stage import Stage

REFUSED = 2
"""The exit code of a command that a named check has blocked."""

HIDDEN_FOR = 4.0
"""Seconds: liberty's revision says that what it takes away stays hidden for three."""


async def too_early(stage: Stage) -> None:
    """From a copy of liberty: its schema cannot be had yet, and the reasons are named."""
    await stage.operator.command("db", "expand", release="liberty", accept=(REFUSED,))


async def catch_up(stage: Stage) -> None:
    """The rows that nobody has saved since; those that are being resized are deferred, and followed up."""
    await witness.look_at_forms(stage.rows, stage.witness)
    resizing = asyncio.create_task(keep_resizing(stage))
    while (await chunk(stage)).code != 0:
        if stage.operator.heard("deferred:"):
            resizing.cancel()
    resizing.cancel()
    await asyncio.wait({resizing})
    await witness.look_at_forms(stage.rows, stage.witness)


async def keep_resizing(stage: Stage) -> None:
    """Resize instances that were not migrated yet, lowest ids first: some at once, then one after the other, so that
    whenever the first chunk comes it meets some of them in the middle."""
    at_once = stage.size.resizes // 3
    await stage.load.do("resize_quiet", count=at_once)
    for _ in range(stage.size.resizes - at_once):
        await asyncio.sleep(stage.size.resize_seconds * 0.8)
        await stage.load.do("resize_quiet", count=1)


async def chunk(stage: Stage) -> Outcome:
    """One run of the data migration. Where only deferred rows are left, there is nothing to do but wait."""
    command = ("data", "run", MIGRATION, "-n", str(stage.size.chunk))
    outcome = await stage.operator.command(*command, release="kilo", accept=(0, 1, REFUSED))
    if outcome.code == REFUSED:
        await asyncio.sleep(0.5)
    return outcome


async def delete_old_rows(stage: Stage) -> None:
    """Nobody reads them any more."""
    await stage.operator.command("db", "contract", "--purge", release="kilo")


async def hide(stage: Stage) -> None:
    """Under another name: whoever still read it would fail at once, and nothing would be lost."""
    await stage.operator.command("db", "contract", "--hold", release="liberty")
    await asyncio.sleep(HIDDEN_FOR)


async def drop(stage: Stage) -> None:
    """There is no way back."""
    await stage.operator.command("db", "contract", "--purge", release="liberty")
    await stage.operator.command("db", "status", release="liberty")
    witness.look_at_catalogue(stage.rows, stage.witness)
