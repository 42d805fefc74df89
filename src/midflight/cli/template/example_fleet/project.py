"""The table of contents: what is not in here does not exist."""

from __future__ import annotations

from pathlib import Path

from example_fleet import tables
from example_fleet.dispatcher import dispatcher
from example_fleet.interfaces import WorkerAPI
from example_fleet.jobs import Job, JobList
from example_fleet.migrations import count_words
from example_fleet.worker import worker
from midflight import Project, Service

HERE = Path(__file__).parent.parent

project = Project(
    name="example_fleet",
    objects=[Job, JobList],
    interfaces=[WorkerAPI],
    services=[Service("dispatcher", dispatcher, database=True), Service("worker", worker, agent=True)],
    migrations=[count_words],
    releases=HERE / "releases",
    schema=HERE / "schema",
    tables=tables.metadata,
)
