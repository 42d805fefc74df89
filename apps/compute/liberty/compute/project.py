"""The table of contents."""

from __future__ import annotations

from pathlib import Path

from compute import tables
from compute.agent import compute
from compute.api import api
from compute.errors import AlreadyExists, InUse, MachineFailed, NoHost, NotFound, NotNow
from compute.evacuation import evacuate
from compute.interfaces import ComputeAPI, SchedulerAPI
from compute.objects.flavor import Flavor, FlavorList
from compute.objects.instance import Instance, InstanceList
from compute.objects.security_group import SecurityGroup, SecurityGroupList
from compute.scheduler import scheduler
from midflight import Project, Service

HERE = Path(__file__).parent.parent

project = Project(
    name="compute",
    objects=[Flavor, FlavorList, Instance, InstanceList, SecurityGroup, SecurityGroupList],
    interfaces=[ComputeAPI, SchedulerAPI],
    services=[
        Service("api", api, database=True),
        Service("scheduler", scheduler),
        Service("compute", compute, agent=True, evacuate=evacuate),
    ],
    errors=[AlreadyExists, InUse, MachineFailed, NoHost, NotFound, NotNow],
    releases=HERE / "releases",
    schema=HERE / "schema",
    tables=tables.metadata,
)
