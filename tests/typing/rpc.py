"""Interfaces and clients, as type checkers see them: checked by mypy --strict and pyright, never run.

A line marked with an ignore must be an error: both checkers complain about an ignore that is not needed.
"""

# mypy: disable-error-code="empty-body"
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, assert_type

from midflight.context import Context
from midflight.guest import Guest
from midflight.objects.base import VersionedObject
from midflight.rpc.client import Client
from midflight.rpc.interface import Interface, endpoint, param


class Instance(VersionedObject, version="1.17"):
    name: str


class ComputeAPI(Interface, Protocol, topic="compute", version="4.1", serves=("3.35",)):
    @endpoint(since="4.0")
    async def build_and_run(
        self, context: Context, instance: Instance, image: str, quiet: bool = param(False, since="4.1")
    ) -> str: ...

    @build_and_run.adapt(before="4.0", was="build_instance")
    @staticmethod
    def images_had_numbers(instance: Instance, image_id: int) -> Mapping[str, Any]:
        return {"instance": instance, "image": f"image-{image_id}"}

    @build_and_run.revert(before="4.0")
    @staticmethod
    def images_get_numbers(instance: Instance, image: str) -> Mapping[str, Any]:
        return {"instance": instance, "image_id": int(image)}

    @build_and_run.adapt_reply(before="4.0")
    @staticmethod
    def the_reply_was_a_number(reply: str) -> int:
        return len(reply)

    @build_and_run.revert_reply(before="4.0")
    @staticmethod
    def the_reply_becomes_a_text(reply: int) -> str:
        return str(reply)

    @endpoint(since="3.35", idempotent=True)
    async def hosts(self, context: Context, *, active: bool = True) -> list[str]: ...


class ImageAPI(Interface, Protocol, topic="image", version="1.0"):
    @endpoint(since="1.0")
    async def fetch(self, context: Context, name: str) -> None: ...


class ComputeAgent(ComputeAPI):
    def __init__(self, host: str) -> None:
        self.host = host

    async def build_and_run(self, context: Context, instance: Instance, image: str, quiet: bool = False) -> str:
        assert_type(await self.hosts(context, active=False), list[str])
        return image

    async def hosts(self, context: Context, *, active: bool = True) -> list[str]:
        return [self.host]


class Blocking(ComputeAPI):
    def build_and_run(self, context: Context, instance: Instance, image: str, quiet: bool = False) -> str:
        return image

    def hosts(self, context: Context, *, active: bool = True) -> list[int]:  # type: ignore[override]  # other result
        return []


class Forgetful(ComputeAPI):
    async def hosts(self, context: Context, *, active: bool = True) -> list[str]:
        return []


class Other(ComputeAPI):
    async def build_and_run(self, context: Context, instance: str) -> str:  # type: ignore[override]  # other parameters
        return instance

    async def hosts(self, context: Context, *, active: bool = True) -> list[str]:
        return []


compute = Client(ComputeAPI)


async def clients(context: Context, instance: Instance) -> None:
    assert_type(compute, Client[ComputeAPI])
    assert_type(compute.on("h1").within(3), Client[ComputeAPI])
    assert_type(await compute.call(ComputeAPI.build_and_run, context, instance, "debian", quiet=True), str)
    assert_type(await compute.call(ComputeAPI.hosts, context), list[str])
    await compute.cast(ComputeAPI.build_and_run, context, instance, image="debian")
    await compute.fanout(ComputeAPI.hosts, context, active=False)
    await compute.call(ComputeAPI.build_and_run, context, instance)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await compute.call(ComputeAPI.hosts, context, activ=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await compute.call(ComputeAPI.build_and_run, context, instance, 7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await compute.call(ImageAPI.fetch, context, "x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def scripts(guest: Guest, instance: Instance) -> None:
    assert_type(guest.on("h1").within(3).call(ComputeAPI.build_and_run, instance, "debian", quiet=True), str)
    assert_type(guest.call(ComputeAPI.hosts), list[str])
    guest.cast(ComputeAPI.build_and_run, instance, image="debian")
    guest.call(ComputeAPI.build_and_run, instance)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    guest.call(ComputeAPI.hosts, activ=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def services() -> ComputeAPI:
    Forgetful()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]  # it forgets build_and_run
    return ComputeAgent("h1")
