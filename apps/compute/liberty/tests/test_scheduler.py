import pytest

from compute.errors import NoHost
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.scheduler import Scheduler
from midflight import Context


async def placed(context: Context, flavor: Flavor, host: str | None) -> Instance:
    """An instance that is on a host, or nowhere yet."""
    instance = Instance(context=context, display_name="x", project_id="red", host=host, flavor=flavor)
    if host:
        await instance.create()
    return instance


async def test_the_emptiest_active_host_is_chosen(context: Context, small: Flavor) -> None:
    """The first by name among equals; hosts that are not active do not count."""
    for host in ("one", "one", "two", "gone"):
        await placed(context, small, host)
    new = await placed(context, small, None)
    assert await Scheduler(lambda: ["one", "two"]).select_host(context, new) == "two"
    assert await Scheduler(lambda: ["four", "one", "three"]).select_host(context, new) == "four"


async def test_an_instance_is_sent_to_another_host_than_its_own(context: Context, small: Flavor) -> None:
    """And where there is none, it is said."""
    here = await placed(context, small, "one")
    await placed(context, small, "two")
    await placed(context, small, "two")
    assert await Scheduler(lambda: ["one", "two"]).select_host(context, here) == "two"
    with pytest.raises(NoHost, match="active agents: one"):
        await Scheduler(lambda: ["one"]).select_host(context, here)
    with pytest.raises(NoHost, match="active agents: none"):
        await Scheduler(list).select_host(context, await placed(context, small, None))
