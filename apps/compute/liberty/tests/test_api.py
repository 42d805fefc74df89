from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Switchboard

from compute.agent import ComputeAgent
from compute.api import application
from compute.bodies import MAX_BODY
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.scheduler import Scheduler
from midflight import Context, Runtime

SMALL = '{"display_name": "x", "flavor": "small", %s}'
NOWHERE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def http(
    context: Context, tmp_path: Path, switchboard: Switchboard, agents: dict[str, ComputeAgent]
) -> AsyncIterator[httpx.AsyncClient]:
    """The API in this process, with two agents and a scheduler behind it."""

    def new_context(values: dict[str, str]) -> Context:
        return Context(values, database=context.database, messenger=switchboard)

    runtime = Runtime(
        service="api", host="one", state=tmp_path, settings={}, sockets=(), new_context=new_context,
        active_hosts=lambda topic: sorted(agents), database=context.database,
    )  # fmt: skip
    switchboard.servers["any"] = Scheduler(lambda: sorted(agents))
    transport = httpx.ASGITransport(application(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud", headers={"X-Project": "red"}) as client:
        yield client


async def test_an_instance_lives_its_whole_life_through_the_api(
    http: httpx.AsyncClient, switchboard: Switchboard, small: Flavor, large: Flavor
) -> None:
    """Created, rebooted, resized, migrated, paused, locked, deleted; each answer is quick, each task an agent's."""
    assert (await http.post("/security-groups", json={"name": "web"})).status_code == 201
    wanted = {"display_name": "first", "flavor": "small", "security_groups": ["web"], "metadata": {"role": "web"}}
    created = await http.post("/instances", json=wanted)
    assert (created.status_code, created.json()["task_state"]) == (202, "spawning")
    path = f"/instances/{created.json()['uuid']}"

    async def shown() -> dict[str, Any]:
        answer: dict[str, Any] = (await http.get(path)).json()
        return answer

    await switchboard.deliver()
    assert (await shown())["vm_state"] == "active"
    assert (await shown())["security_groups"] == ["web"]
    for order, body, task in (
        ("reboot", None, "rebooting"),
        ("resize", {"flavor": "large"}, "resizing"),
        ("migrate", {"host": "two"}, "migrating"),
        ("pause", None, "pausing"),
        ("resume", {}, "resuming"),
    ):
        answer = await http.post(f"{path}/{order}", json=body)
        assert (answer.status_code, answer.json()["task_state"]) == (202, task)
        await switchboard.deliver()
        assert (await shown())["task_state"] is None
    assert ((await shown())["reboots"], (await shown())["flavor"]["name"], (await shown())["host"]) == (
        1,
        "large",
        "two",
    )
    locked = (await http.post(f"{path}/lock", headers={"X-User": "ada"})).json()
    assert (locked["locked"], locked["locked_by"]) == (True, "ada")
    assert (await http.delete(path)).status_code == 409
    unlocked = (await http.post(f"{path}/unlock")).json()
    assert (unlocked["locked"], unlocked["locked_by"]) == (False, None)
    assert (await http.delete(path)).status_code == 202
    await switchboard.deliver()
    assert (await http.get(path)).status_code == 404
    assert (await http.get("/instances")).json() == {"instances": []}


async def test_only_one_can_work_on_an_instance(http: httpx.AsyncClient, instance: Instance) -> None:
    """The other one gets a Conflict."""
    assert (await http.post(f"/instances/{instance.uuid}/reboot")).status_code == 202
    second = await http.post(f"/instances/{instance.uuid}/resize", json={"flavor": "small"})
    assert second.status_code == 409
    assert "task_state is <TaskState.REBOOTING: 'rebooting'>, not None" in second.json()["error"]


async def test_an_order_that_does_not_reach_the_agent_has_not_happened(
    http: httpx.AsyncClient, instance: Instance, switchboard: Switchboard
) -> None:
    """It is answered with 503, and the instance is as it was."""
    before = (await http.get(f"/instances/{instance.uuid}")).json()
    switchboard.broken = True
    for order, body in (("reboot", {}), ("resize", {"flavor": "small"}), ("migrate", {"host": "two"})):
        assert (await http.post(f"/instances/{instance.uuid}/{order}", json=body)).status_code == 503
    assert (await http.delete(f"/instances/{instance.uuid}")).status_code == 503
    after = (await http.get(f"/instances/{instance.uuid}")).json()
    assert {**after, "updated_at": None} == {**before, "updated_at": None}


async def test_a_build_that_does_not_reach_the_agent_leaves_no_instance(
    http: httpx.AsyncClient, switchboard: Switchboard, small: Flavor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler answered, the broker did not take the message."""

    async def cut(*args: object) -> None:
        switchboard.broken = True
        switchboard._check()

    monkeypatch.setattr(switchboard, "cast", cut)
    assert (await http.post("/instances", json={"display_name": "x", "flavor": "small"})).status_code == 503
    assert (await http.get("/instances")).json() == {"instances": []}


async def test_projects_do_not_see_each_other(http: httpx.AsyncClient, instance: Instance) -> None:
    """What belongs to another project is not found; who names no project is told to."""
    blue = {"X-Project": "blue"}
    assert (await http.get("/instances", headers=blue)).json() == {"instances": []}
    assert (await http.get(f"/instances/{instance.uuid}", headers=blue)).status_code == 404
    assert (await http.delete(f"/instances/{instance.uuid}", headers=blue)).status_code == 404
    nameless = await http.get("/instances", headers={"X-Project": ""})
    assert (nameless.status_code, "X-Project" in nameless.json()["error"]) == (400, True)


async def test_flavors_and_groups_are_listed_shown_and_made(http: httpx.AsyncClient) -> None:
    """A second one of the same name is refused."""
    flavor = {"name": "tiny", "memory_mb": 64, "vcpus": 1, "root_gb": 1, "description": "for tests"}
    assert (await http.post("/flavors", json=flavor)).status_code == 201
    assert (await http.post("/flavors", json=flavor)).status_code == 409
    assert (await http.get("/flavors/tiny")).json() == {"id": 1, **flavor}
    assert (await http.get("/flavors")).json() == {"flavors": [{"id": 1, **flavor}]}
    group = (await http.post("/security-groups", json={"name": "web"}, headers={"X-User": "ada"})).json()
    assert group == {"id": 1, "name": "web", "description": "", "user_id": "ada", "project_id": "red"}
    assert (await http.get("/security-groups")).json() == {"security_groups": [group]}
    assert (await http.get("/security-groups/1")).json() == group
    assert (await http.delete("/security-groups/1")).status_code == 204
    assert (await http.delete("/security-groups/1")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/nothing", "", 404, "GET /nothing"),
        ("PUT", "/flavors", "{}", 405, "Method Not Allowed"),
        ("GET", f"/security-groups/{2**63}", "", 404, "no security group '9223372036854775808'"),
        ("GET", "/security-groups/" + "9" * 4301, "", 404, "no security group '999"),
        ("GET", "/security-groups/%D9%A1", "", 404, "no security group"),
        ("DELETE", "/security-groups/x", "", 404, "no security group 'x'"),
        ("POST", "/instances", SMALL % f'"launch_index": {2**63}', 400, "$.launch_index"),
        ("POST", "/instances", SMALL % '"access_ip_v4": 3', 400, "Expected an address"),
        ("POST", "/instances", SMALL % '"access_ip_v4": true', 400, "Expected an address"),
        ("POST", "/instances", SMALL % f'"access_ip_v6": "fe80::1%{"a" * 1000}"', 400, "at most 64 characters"),
        ("POST", "/flavors", "{", 400, "Input data was truncated"),
        ("POST", "/flavors", "[]", 400, "Expected `object`, got `array`"),
        ("POST", "/flavors", '{"name": "x", "memory_mb": "1", "vcpus": 1}', 400, "got `str` - at `$.memory_mb`"),
        ("POST", "/flavors", '{"name": "x", "memory_mb": 0, "vcpus": 1}', 400, "Expected `int` >= 1"),
        ("POST", "/flavors", '{"name": "x", "memory_mb": 1, "vcpus": 1, "gpus": 1}', 400, "unknown field `gpus`"),
        ("POST", "/flavors", '{"name": "\\ud800", "memory_mb": 1, "vcpus": 1}', 400, "the body"),
        ("POST", "/flavors", '{"a":' * 30_000, 413, f"more than {MAX_BODY} bytes"),
        ("POST", "/flavors", "[" * 60_000, 400, "the body"),
        ("POST", "/instances", '{"display_name": "x", "flavor": "none"}', 400, "no flavor 'none'"),
        ("POST", "/instances", SMALL % '"security_groups": ["none"]', 400, "no security group 'none'"),
        ("POST", "/instances", SMALL % '"access_ip_v4": "1.2.3"', 400, "access_ip_v4"),
        ("POST", f"/instances/{NOWHERE}/reboot", "", 404, "no instance"),
        ("POST", f"/instances/{NOWHERE}/reboot", '{"pause": 1}', 400, "unknown field `pause`"),
        ("GET", "/instances/1", "", 404, "no instance '1'"),
        ("GET", "/flavors/none", "", 404, "no flavor 'none'"),
    ],
)  # fmt: skip
async def test_a_bad_request_is_told_what_is_wrong(
    http: httpx.AsyncClient, small: Flavor, method: str, path: str, body: str, status: int, text: str
) -> None:
    """JSON with an error that names it, never a traceback."""
    answer = await http.request(method, path, content=body)
    assert answer.status_code == status
    assert text in answer.json()["error"]


async def test_a_wrong_method_is_told_the_right_ones(http: httpx.AsyncClient) -> None:
    """All of the path."""
    assert (await http.put("/instances")).headers["Allow"] == "GET, HEAD, POST"
    assert (await http.patch(f"/instances/{NOWHERE}")).headers["Allow"] == "DELETE, GET, HEAD"


async def test_a_migration_needs_an_active_host_other_than_its_own(http: httpx.AsyncClient, instance: Instance) -> None:
    """Else nothing is begun."""
    for host, reason in (("three", "none of the active hosts one, two"), ("one", "it is on one already")):
        answer = await http.post(f"/instances/{instance.uuid}/migrate", json={"host": host})
        assert (answer.status_code, reason in answer.json()["error"]) == (409, True)
    assert (await http.get(f"/instances/{instance.uuid}")).json()["task_state"] is None
