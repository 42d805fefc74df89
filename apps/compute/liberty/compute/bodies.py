"""What comes in and goes out over HTTP: JSON in, typed and bounded; objects out."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from midflight import VersionedObject

MAX_BODY = 64 * 1024
"""Bytes that a request may have."""
MAX_DISCARDED = 16 * 1024 * 1024
"""Bytes of a larger one that are read all the same, so that its sender comes to read the answer."""
MAX_ADDRESS = 64
"""Characters of an IP address, its scope included."""

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]

FLAVOR = ("id", "name", "memory_mb", "vcpus", "root_gb", "description")
INSTANCE = (
    "uuid", "user_id", "project_id", "display_name", "host", "vm_state", "task_state", "power_state",
    "locked", "locked_by",
    "launch_index", "scheduled_at", "launched_at", "terminated_at", "paused_at", "access_ip_v4", "access_ip_v6",
    "reboots", "metadata", "created_at", "updated_at",
)  # fmt: skip
SECURITY_GROUP = ("id", "name", "description", "user_id", "project_id")


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON object; a field that it does not have is an error."""


class NewFlavor(Body):
    """POST /flavors"""

    name: Name
    memory_mb: Count
    vcpus: Count
    root_gb: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    description: Annotated[str, msgspec.Meta(max_length=255)] | None = None


class NewInstance(Body):
    """POST /instances"""

    display_name: Name
    flavor: Name
    security_groups: list[Name] = []
    metadata: dict[Name, Annotated[str, msgspec.Meta(max_length=255)]] = {}
    launch_index: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None
    access_ip_v4: IPv4Address | None = None
    access_ip_v6: IPv6Address | None = None


class NewSecurityGroup(Body):
    """POST /security-groups"""

    name: Name
    description: Annotated[str, msgspec.Meta(max_length=255)] = ""


class Resize(Body):
    """POST /instances/{uuid}/resize"""

    flavor: Name


class Reboot(Body):
    """POST /instances/{uuid}/reboot"""

    hard: bool = False


class Migrate(Body):
    """POST /instances/{uuid}/migrate"""

    host: Name | None = None


class Nothing(Body):
    """A request that says all by its path."""


async def read(request: Request, kind: type[T]) -> T:
    """The body of a request; an empty one is an empty object. Raises HTTPException 400 and 413."""
    try:
        return msgspec.json.decode(await _bytes(request) or b"{}", type=kind, dec_hook=_parse)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        raise HTTPException(400, f"the body: {wrong or type(wrong).__name__}") from None


def _parse(kind: type[T], value: Any) -> T:
    if not isinstance(value, str) or len(value) > MAX_ADDRESS:
        raise ValueError(f"Expected an address of at most {MAX_ADDRESS} characters")
    return kind(value)  # type: ignore[call-arg]  # the kinds that msgspec does not know are made from text


async def _bytes(request: Request) -> bytes:
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            body += chunk
        if size > MAX_DISCARDED:
            break
    if size > MAX_BODY:
        raise HTTPException(413, f"the body has more than {MAX_BODY} bytes")
    return bytes(body)


def answer(content: Any, status: int = 200) -> Response:
    """JSON."""
    return Response(msgspec.json.encode(content, enc_hook=str), status, media_type="application/json")


def shown(obj: VersionedObject, names: Iterable[str]) -> dict[str, Any]:
    """An object as the outside sees it."""
    return {name: getattr(obj, name) for name in names}
