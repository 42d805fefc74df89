from datetime import UTC, datetime
from ipaddress import IPv4Address
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from compute.errors import AlreadyExists, InUse, NotFound
from compute.objects.flavor import Flavor, FlavorList
from compute.objects.instance import Instance, InstanceList
from compute.objects.security_group import SecurityGroup, SecurityGroupList
from compute.states import PowerState, TaskState
from midflight import Conflict, Context


async def made(context: Context, flavor: Flavor, **fields: object) -> Instance:
    """A new instance that nobody works on."""
    instance = Instance(context=context, **{"display_name": "x", "project_id": "red", "flavor": flavor, **fields})
    await instance.create()
    return instance


async def execute(context: Context, statement: str, **values: object) -> None:
    """What somebody else does to the rows."""

    def run(connection: Connection) -> None:
        connection.execute(text(statement), values)

    await context.db.write(run)


async def test_an_instance_comes_back_from_its_row_as_it_was(context: Context, small: Flavor) -> None:
    """Times, addresses, states, metadata and the flavor, each in its type."""
    instance = await made(
        context, small, host="one", access_ip_v4="10.0.0.1", access_ip_v6="::1", metadata={"role": "web"},
        scheduled_at=datetime(2014, 10, 16, 12, tzinfo=UTC), task_state="rebooting", launch_index="3",
    )  # fmt: skip
    found = await Instance.get(context, instance.uuid)
    assert found == instance
    assert (found.access_ip_v4, found.launch_index, found.task_state) == (
        IPv4Address("10.0.0.1"),
        3,
        TaskState.REBOOTING,
    )
    assert found.flavor == small
    assert found.changes() == {}
    with pytest.raises(NotFound):
        await Instance.get(context, uuid4())


async def test_a_save_writes_what_changed_and_nothing_else(context: Context, small: Flavor, large: Flavor) -> None:
    """Two who save different fields do not undo each other; changes inside the metadata are seen."""
    mine = await made(context, small)
    theirs = await Instance.get(context, mine.uuid)
    mine.metadata["role"] = "web"
    theirs.flavor = large
    await mine.save()
    await theirs.save()
    found = await Instance.get(context, mine.uuid)
    assert (found.metadata, found.flavor) == ({"role": "web"}, large)


async def test_a_save_with_an_expectation_compares_and_swaps(context: Context, small: Flavor) -> None:
    """The second of two loses, and nothing of it is written."""
    first = await made(context, small)
    second = await Instance.get(context, first.uuid)
    first.task_state, second.task_state = TaskState.RESIZING, TaskState.DELETING
    await first.save(expect={"task_state": None})
    with pytest.raises(Conflict, match=r"Instance\.task_state is <TaskState.RESIZING: 'resizing'>, not None"):
        await second.save(expect={"task_state": None})
    with pytest.raises(Conflict):
        await second.destroy(expect={"task_state": "deleting"})
    assert (await Instance.get(context, first.uuid)).task_state is TaskState.RESIZING


async def test_lists_are_asked_for_by_project_and_by_host(context: Context, small: Flavor) -> None:
    """In the order in which their instances were made, each with its flavor."""
    made_here = [await made(context, small, host=host, project_id=project) for host, project in (
        ("one", "red"), ("two", "red"), ("one", "blue"))]  # fmt: skip
    assert list(await InstanceList.get_all(context)) == made_here
    assert list(await InstanceList.get_by_project(context, "red")) == made_here[:2]
    assert list(await InstanceList.get_by_host(context, "one")) == made_here[::2]
    assert await InstanceList.count_by_host(context) == {"one": 2, "two": 1}


async def test_a_destroyed_instance_leaves_nothing(context: Context, small: Flavor) -> None:
    """Its flavor's rows and its memberships go with it."""
    group = SecurityGroup(context=context, name="web", project_id="red")
    await group.create()
    instance = Instance(context=context, display_name="x", project_id="red", flavor=small)
    await instance.create(security_groups=(group.id or 0,))
    with pytest.raises(InUse, match="in use by 1 instances"):
        await group.destroy()
    await instance.destroy()
    await group.destroy()
    with pytest.raises(NotFound):
        await instance.save()


async def test_flavors_have_unique_names(context: Context, small: Flavor, large: Flavor) -> None:
    """They can be found by them, changed and taken away."""
    with pytest.raises(AlreadyExists, match="there is a flavor 'small' already"):
        await Flavor(context=context, name="small", memory_mb=1, vcpus=1).create()
    assert list(await FlavorList.get_all(context)) == [small, large]
    small.memory_mb = 768
    await small.save()
    assert await Flavor.get_by_name(context, "small") == await Flavor.get(context, small.id or 0) == small
    await small.destroy()
    with pytest.raises(NotFound):
        await Flavor.get(context, small.id or 0)


async def test_security_groups_belong_to_a_project(context: Context, small: Flavor) -> None:
    """Two projects may use one name; they are found by id, by name, by project and by instance."""
    groups = [SecurityGroup(context=context, name="web", project_id=project) for project in ("red", "blue")]
    for group in groups:
        await group.create()
    instance = Instance(context=context, display_name="x", project_id="red", flavor=small)
    await instance.create(security_groups=(groups[0].id or 0,))
    assert await SecurityGroup.get_by_name(context, "blue", "web") == groups[1]
    assert await SecurityGroup.get(context, groups[0].id or 0) == groups[0]
    assert list(await SecurityGroupList.get_all(context)) == groups
    assert list(await SecurityGroupList.get_by_project(context, "red")) == groups[:1]
    assert list(await SecurityGroupList.get_by_instance(context, instance)) == groups[:1]
    groups[0].description = "port 80"
    await groups[0].save()
    assert (await SecurityGroup.get(context, groups[0].id or 0)).description == "port 80"


async def test_rows_of_a_later_release_can_be_read_and_saved(context: Context, small: Flavor) -> None:
    """Its columns, its system metadata and its words for states are passed over, and are there afterwards."""
    instance = await made(context, small)
    await execute(context, "ALTER TABLE instances ADD COLUMN later JSON")
    await execute(context, "UPDATE instances SET later = 'kept', power_state = 'dreaming'")
    await execute(
        context,
        "INSERT INTO instance_system_metadata (instance_uuid, key, value) VALUES (:uuid, 'instance_type_later', 'x')",
        uuid=str(instance.uuid),
    )
    found = await Instance.get(context, instance.uuid)
    assert found.power_state is PowerState.UNKNOWN
    found.reboots += 1
    await found.save()

    def kept(connection: Connection) -> tuple[object, ...]:
        return tuple(connection.execute(text("SELECT later, power_state, reboots FROM instances")).one())

    assert await context.db.read(kept) == ("kept", "dreaming", 1)
