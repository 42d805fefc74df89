"""All of it together: real services, and rows in a file; what goes between them is in memory."""

import asyncio

from example_fleet.dispatcher import hand_out
from example_fleet.jobs import DONE, Job, JobList
from midflight.testing import LocalFleet


def test_a_job_is_done(local_fleet: LocalFleet) -> None:
    """It is kept, a worker is told of it, and has its conductor write down what came of it."""

    async def ask() -> Job:
        async with local_fleet as fleet:
            await fleet.start("conductor")
            worker = await fleet.start("worker")
            job = Job(context=worker.context(), text="good morning")
            await job.create()
            await hand_out(worker.context())
            await fleet.settled()
            return await Job.get(fleet.context(), job.id or 0)

    done = asyncio.run(ask())
    assert (done.words, done.state, done.result) == (2, DONE, "GOOD MORNING")


def test_nothing_is_lost_while_no_worker_is_there(local_fleet: LocalFleet) -> None:
    """What was handed out waits for the next one."""

    async def ask() -> list[str]:
        async with local_fleet as fleet:
            conductor = await fleet.start("conductor")
            worker = await fleet.start("worker")
            await worker.stop()
            await Job(context=conductor.context(), text="patience").create()
            assert await hand_out(conductor.context()) == 1
            await fleet.start("worker")
            await fleet.settled()
            return [job.state for job in await JobList.all(fleet.context())]

    assert asyncio.run(ask()) == [DONE]
