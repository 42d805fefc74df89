import pytest
from sqlalchemy import Connection, delete, select, update

from compute import spread
from compute.migrations import migrate_flavor_data
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance, InstanceList
from compute.project import project
from compute.states import TaskState, VmState
from compute.tables import instances, system_metadata
from midflight import Context, Form, from_json, to_json
from midflight.db import forms
from midflight.db.engine import Database
from midflight.db.schema.line import contract_files, run_removal
from midflight.db.schema.run import Run
from midflight.db.schema.words import verbatim
from midflight.migrations.progress import Progress
from midflight.migrations.proof import Proof, look
from midflight.migrations.runner import sweep

NAME = migrate_flavor_data.name


def disagreeing(connection: Connection) -> list[object]:
    """The keys of the rows whose forms do not agree."""
    found = Proof()
    for key, finding in look(connection, migrate_flavor_data, None):
        found.add(key, finding)
    return list(found.disagreeing)


async def made(context: Context, flavor: Flavor, **fields: object) -> Instance:
    instance = Instance(context=context, **{"display_name": "x", "project_id": "red", "flavor": flavor, **fields})
    await instance.create()
    return instance


async def made_before(context: Context, flavor: Flavor, **fields: object) -> Instance:
    """One whose row was written by the release before, which knows no column for the flavor."""
    instance = await made(context, flavor, **fields)
    await write_new(context, instance, None)
    return instance


async def write_new(context: Context, instance: Instance, flavor: Flavor | None) -> None:
    stored = to_json(flavor) if flavor else None
    statement = update(instances).filter_by(uuid=str(instance.uuid)).values(flavor=stored)
    await context.db.write(lambda connection: connection.execute(statement) and None)


async def write_old(context: Context, instance: Instance, flavor: Flavor) -> None:
    """What the release before writes when it saves another flavor."""
    await context.db.write(spread.scatter, str(instance.uuid), flavor)


async def stored(context: Context, instance: Instance) -> tuple[str | None, str | None]:
    """The names of the flavor in its old and in its new form."""

    def look(connection: Connection) -> tuple[str | None, str | None]:
        by = {"uuid": str(instance.uuid)}
        old = spread.gather(connection, by).get(str(instance.uuid))
        new = connection.execute(select(instances.c.flavor).filter_by(**by)).scalar_one()
        return old.name if old else None, from_json(new, Flavor).name if new else None

    found: tuple[str | None, str | None] = await context.db.read(look)
    return found


async def obey(database: Database, *arrows: Form) -> None:
    """Advance the write form, and let this process obey it."""
    for form in arrows:
        await database.write(forms.advance, NAME, form)
        database.forms[NAME] = form


async def swept(context: Context, limit: int = 10) -> Progress:
    progress: Progress = await context.db.write(sweep, migrate_flavor_data, limit)
    return progress


async def test_a_flavor_is_written_in_both_forms_and_read_from_the_old_one(
    context: Context, small: Flavor, large: Flavor
) -> None:
    """Created, and saved with another size: the new form follows; what it says alone is not believed."""
    instance = await made(context, small)
    assert await stored(context, instance) == ("small", "small")
    instance.flavor = large
    await instance.save()
    assert await stored(context, instance) == ("large", "large")
    await write_new(context, instance, small)
    assert (await Instance.get(context, instance.uuid)).flavor == large


async def test_any_save_brings_the_new_form_up_to_date(context: Context, small: Flavor, large: Flavor) -> None:
    """Also one that changes something else, after the release before has changed the old form."""
    instance = await made_before(context, small)
    instance.reboots += 1
    await instance.save()
    assert await stored(context, instance) == ("small", "small")
    await write_old(context, instance, large)
    again = await Instance.get(context, instance.uuid)
    again.metadata["role"] = "web"
    await again.save()
    assert await stored(context, instance) == ("large", "large")


async def test_once_the_new_form_is_read_both_are_written_still(
    context: Context, database: Database, small: Flavor, large: Flavor
) -> None:
    """So there is a way back; where there is no new form yet, the old one is read."""
    instance, older = await made(context, small), await made_before(context, small)
    await obey(database, Form.BOTH_READ_NEW)
    instance.flavor = large
    await instance.save()
    assert await stored(context, instance) == ("large", "large")
    await write_old(context, instance, small)
    assert (await Instance.get(context, instance.uuid)).flavor == large
    assert [found.flavor.name for found in await InstanceList.get_by_project(context, "red")] == ["large", "small"]
    assert (await Instance.get(context, older.uuid)).flavor == small


async def test_after_finalize_only_the_new_form_is_written_and_read(
    context: Context, database: Database, small: Flavor, large: Flavor
) -> None:
    """Old rows may go."""
    instance = await made(context, small)
    await obey(database, Form.BOTH_READ_NEW, Form.NEW)
    created = await made(context, small)
    instance.flavor = large
    await instance.save()
    assert await stored(context, instance) == ("small", "large")
    assert await stored(context, created) == (None, "small")
    await context.db.write(lambda connection: connection.execute(delete(system_metadata)) and None)
    assert [found.flavor for found in await InstanceList.get_all(context)] == [large, small]


async def test_an_old_process_writes_no_new_form_where_it_is_told_so(
    context: Context, database: Database, small: Flavor
) -> None:
    """Under the form ``old`` the column stays empty."""
    database.forms[NAME] = Form.OLD
    assert await stored(context, await made(context, small)) == ("small", None)


async def test_a_sweep_migrates_what_nobody_saves(context: Context, small: Flavor) -> None:
    """In chunks, until nothing is left, and then it is proven."""
    older = [await made_before(context, small) for _ in range(3)]
    await made(context, small)
    assert str(await swept(context, 2)) == "2 instances matched query, 2 completed"
    assert str(await swept(context, 2)) == "1 instances matched query, 1 completed"
    assert [await stored(context, instance) for instance in older] == [("small", "small")] * 3
    assert await context.db.read(disagreeing) == []


async def test_an_instance_in_the_middle_of_something_is_deferred(
    context: Context, small: Flavor, large: Flavor
) -> None:
    """With a reason, until its resize is saved; one in error until it is deleted."""
    resizing = await made_before(context, small)
    failed = await made_before(context, small, vm_state=VmState.ERROR)
    resizing.task_state = TaskState.RESIZING
    await resizing.save(expect={"task_state": None})
    assert await stored(context, resizing) == ("small", None)
    assert str(await swept(context)) == "2 instances matched query, 0 completed (2 deferred: error 1, resizing 1)"
    resizing.flavor, resizing.task_state = large, None
    await resizing.save()
    assert await stored(context, resizing) == ("large", "large")
    await failed.destroy()
    assert (await swept(context)).proven


async def test_an_instance_that_is_migrated_does_not_hold_up_the_proof_by_its_resize(
    context: Context, small: Flavor
) -> None:
    """Its new form is kept up to date by every save, whatever is being done with it."""
    instance = await made(context, small)
    instance.task_state = TaskState.RESIZING
    await instance.save()
    assert (await swept(context)).proven


async def test_the_contract_revision_removes_the_old_form_and_nothing_else(
    context: Context, database: Database, small: Flavor
) -> None:
    """What else is in the system metadata stays."""
    instance = await made(context, small)
    assert project.schema is not None
    files = contract_files(project.schema)
    assert files is not None
    (revision,) = files.line

    def contract(connection: Connection) -> list[str]:
        other = {"instance_uuid": str(instance.uuid), "key": "instanceXtypeXother", "value": "kept"}
        connection.execute(system_metadata.insert().values(other))
        run = Run("0002c", "contract")
        run_removal(connection, revision, run)
        for step in run.steps:
            for statement in step.on_sqlite():
                connection.execute(verbatim(statement))
        return list(connection.execute(select(system_metadata.c.value)).scalars())

    assert await database.write(contract) == ["kept"]


@pytest.mark.parametrize("description", ["for tests", None])
async def test_a_flavor_keeps_all_of_itself_in_both_forms(
    context: Context, database: Database, small: Flavor, description: str | None
) -> None:
    """Its description, which is newer than the old form, among it."""
    small.description = description
    instance = await made(context, small)
    assert (await Instance.get(context, instance.uuid)).flavor.description == description
    await obey(database, Form.BOTH_READ_NEW)
    assert (await Instance.get(context, instance.uuid)).flavor.description == description
