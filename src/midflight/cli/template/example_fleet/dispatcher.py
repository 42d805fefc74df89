"""The service with the database: it hands out the jobs that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from example_fleet.interfaces import WorkerAPI
from example_fleet.jobs import HANDED_OUT, WAITING, JobList
from midflight import Client, Conflict, Context, MidflightError, Runtime

LOOK_SECONDS = 0.5
workers = Client(WorkerAPI)


async def hand_out(context: Context) -> int:
    """Tell workers of all jobs that wait; returns of how many. Whoever is killed in between tells of one again."""
    waiting = await JobList.waiting(context)
    for job in waiting:
        await workers.cast(WorkerAPI.work, context, job)
        job.state = HANDED_OUT
        try:
            await job.save(expect={"state": WAITING})
        except Conflict:
            pass  # it is done already: workers are quick
    return len(waiting)


@asynccontextmanager
async def dispatcher(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service: it offers no interface, and looks for work twice a second. Where looking fails, the group ends the
    service, and whoever watches over it starts it again."""
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(_look(runtime))
        yield []
        looking.cancel()


async def _look(runtime: Runtime) -> None:
    while True:
        try:
            await hand_out(runtime.context())
        except MidflightError as wrong:
            print(f"nothing is handed out: {wrong}")
        await asyncio.sleep(LOOK_SECONDS)
