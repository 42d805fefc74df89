"""What is measured: an Instance of 43 fields with a Flavor of 10 and five SecurityGroups, as a plain row."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

FIELDS = {
    "Flavor": {
        "id": "int", "name": "str?", "memory_mb": "int", "vcpus": "int", "root_gb": "int", "ephemeral_gb": "int",
        "flavorid": "str", "is_public": "bool", "rxtx_factor": "float?", "description": "str?",
    },
    "SecurityGroup": {"id": "int", "name": "str", "description": "str?", "user_id": "str?", "project_id": "str?"},
    "SecurityGroupList": {"objects": "[SecurityGroup]"},
    "Instance": {
        "id": "int", "uuid": "uuid", "user_id": "str?", "project_id": "str?", "image_ref": "str?", "hostname": "str?",
        "launch_index": "int?", "key_name": "str?", "key_data": "str?", "power_state": "power?", "vm_state": "str?",
        "task_state": "str?", "memory_mb": "int?", "vcpus": "int?", "root_gb": "int?", "ephemeral_gb": "int?",
        "ephemeral_key_uuid": "uuid?", "host": "str?", "node": "str?", "reservation_id": "str?",
        "launched_at": "time?", "terminated_at": "time?", "availability_zone": "str?", "display_name": "str?",
        "display_description": "str?", "locked": "bool", "os_type": "str?", "architecture": "str?",
        "root_device_name": "str?", "auto_disk_config": "bool", "progress": "int?", "shutdown_terminate": "bool",
        "access_ip_v4": "ip4?", "access_ip_v6": "ip6?", "config_drive": "str?", "metadata": "{str}", "tags": "[str]",
        "created_at": "time?", "updated_at": "time?", "deleted": "bool", "hidden": "bool", "flavor": "Flavor",
        "security_groups": "SecurityGroupList",
    },
    "InstanceList": {"objects": "[Instance]"},
}  # fmt: skip
"""Types in short, for the peers whose classes are made from this table; ``?`` allows None. Ours is written out."""

LAUNCHED = datetime(2026, 3, 1, 12, 30, 15)  # noqa: DTZ001  # rows hold naive times, which are UTC


def uuid(at: int) -> str:
    """A UUID in its text form."""
    return f"6f745121-ec03-4be6-89bf-{at:012x}"


def flavor() -> dict[str, Any]:
    """The nested object. ``description`` is new in its version 1.2."""
    return {
        "id": 7, "name": "m1.large", "memory_mb": 8192, "vcpus": 4, "root_gb": 40, "ephemeral_gb": 0,
        "flavorid": uuid(7), "is_public": True, "rxtx_factor": 1.0, "description": "general purpose, large",
    }  # fmt: skip


def security_group(at: int) -> dict[str, Any]:
    """One of the list."""
    return {"id": 100 + at, "name": f"sg-{at}", "description": f"group {at}", "user_id": f"u-{at}", "project_id": "p"}


def instance(at: int = 1) -> dict[str, Any]:
    """One row with its relations. ``hidden`` is new in Instance 1.5."""
    return {
        "id": at, "uuid": uuid(at), "user_id": "0c1d2e3f", "project_id": "4a5b6c7d", "image_ref": uuid(at + 1),
        "hostname": f"vm-{at:05}", "launch_index": 0, "key_name": "ops", "key_data": None, "power_state": "running",
        "vm_state": "active", "task_state": None, "memory_mb": 8192, "vcpus": 4, "root_gb": 40, "ephemeral_gb": 0,
        "ephemeral_key_uuid": None, "host": "compute-017.example.org", "node": "compute-017.example.org",
        "reservation_id": "r-8z1k2q9x", "launched_at": LAUNCHED, "terminated_at": None, "availability_zone": "nova",
        "display_name": f"vm-{at:05}", "display_description": f"web server {at}", "locked": False,
        "os_type": "linux", "architecture": "x86_64", "root_device_name": "/dev/vda", "auto_disk_config": True,
        "progress": 100, "shutdown_terminate": False, "access_ip_v4": f"192.0.2.{at % 250 + 1}",
        "access_ip_v6": f"2001:db8::{at % 60000 + 1:x}", "config_drive": "",
        "metadata": {"role": "web", "tier": "front", "owner": "team-a", "cost-centre": "4711"},
        "tags": ["prod", "web", "eu-west", "blue"], "created_at": LAUNCHED,
        "updated_at": LAUNCHED + timedelta(hours=3), "deleted": False, "hidden": False,
        "flavor": flavor(), "security_groups": [security_group(n) for n in range(5)],
    }  # fmt: skip


REPEATS = 100


def repeated(statement: str, **names: Any) -> Callable[[], object]:
    """A function that runs a statement REPEATS times, for what takes less than a call."""
    body = f"    {statement}\n" * REPEATS
    exec(f"def run():\n{body}", names)
    run: Callable[[], object] = names["run"]
    return run


ASSIGNED = {
    "memory_mb": 16384, "host": "compute-018.example.org", "locked": True, "launched_at": "2026-03-02T00:00:00+00:00",
    "uuid": uuid(99), "access_ip_v4": "192.0.2.77", "power_state": "shutdown",
}  # fmt: skip
"""Values as a caller gives them, one for each kind of field; the nested Flavor comes besides."""
