"""The service without a database: one on each host that is to do work. It is upgraded last, host by host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from example_fleet.interfaces import WorkerAPI
from example_fleet.jobs import DONE, Job
from midflight import Context, Runtime


class Worker(WorkerAPI):
    """Shouts."""

    async def work(self, context: Context, job: Job) -> None:
        job.result = job.text.upper()
        job.state = DONE
        await job.save()  # a conductor runs it: here is no database


@asynccontextmanager
async def worker(runtime: Runtime) -> AsyncIterator[Sequence[object]]:
    """The service: what it yields takes calls and casts until the block ends."""
    yield [Worker()]
