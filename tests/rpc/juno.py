"""Release juno: compute 3.35, Instance 1.16."""

from typing import Protocol

from midflight.context import Context
from midflight.objects.base import VersionedObject
from midflight.objects.registry import Registry
from midflight.rpc.interface import Contract, Interface, endpoint, param


class Overloaded(Exception):
    """The host has no room."""


class Instance(VersionedObject, version="1.16"):
    name: str
    memory_mb: int = 512
    power: str = "off"


class Image(VersionedObject, version="1.0"):
    name: str


class ComputeAPI(Interface, Protocol, topic="compute", version="3.35"):
    @endpoint(since="3.0")
    async def build_instance(self, context: Context, instance: Instance, image_id: int) -> int: ...

    @endpoint(since="3.20")
    async def reboot(
        self, context: Context, instance: Instance, note: str = param("", since="3.30"), *, twice: bool = False
    ) -> Instance: ...

    @endpoint(since="3.35")
    async def evacuate(self, context: Context, host: str | None = None) -> list[str]: ...

    @endpoint(since="3.0", idempotent=True)
    async def echo(self, context: Context, text: str) -> str: ...

    @endpoint(since="3.0")
    async def work(self, context: Context, what: str, seconds: float = 0) -> str: ...

    @endpoint(since="3.0")
    async def use(self, context: Context, image: Image) -> str: ...


class Mumbling(Exception):
    """One whose text cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError


contract = Contract(Registry([Instance, Image], "cloud"), [ComputeAPI])
errors = (Overloaded, Mumbling)
