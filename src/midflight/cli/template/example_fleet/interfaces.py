"""What the services do for each other."""

from __future__ import annotations

from typing import Protocol

from example_fleet.jobs import Job
from midflight import Context, Interface, endpoint


class WorkerAPI(Interface, Protocol, topic="worker", version="1.0"):
    """What a worker does."""

    @endpoint(since="1.0", idempotent=True)
    async def work(self, context: Context, job: Job) -> None:
        """Do a job. Told twice, it is done once."""
        ...
