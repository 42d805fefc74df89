"""Release kilo: compute 4.0, which still serves 3.35, and Instance 1.17."""

from collections.abc import Mapping
from typing import Any, Protocol

from midflight.context import Context
from midflight.objects.base import VersionedObject, Wire, backport
from midflight.objects.fields import field
from midflight.objects.registry import Registry
from midflight.rpc.interface import Contract, Interface, endpoint, param


class Overloaded(Exception):
    """The host has no room."""


class Instance(VersionedObject, version="1.17"):
    name: str
    memory_mb: int = 512
    power: str = "off"
    tags: list[str] = field(since="1.17", default_factory=list)

    @backport(before="1.17")
    def paused_was_called_on(self, wire: Wire) -> None:
        """Before 1.17 there was only on and off."""
        if wire.get("power") == "paused":
            wire["power"] = "on"


class Image(VersionedObject, version="1.1"):
    """Additive: a 1.0 reader may skip what it does not know."""

    name: str
    format: str = field(since="1.1", default="raw")


class Volume(VersionedObject, version="1.0"):
    """New in kilo."""

    gigabytes: int = 1


class ComputeAPI(Interface, Protocol, topic="compute", version="4.1", serves=("3.35",)):
    @endpoint(since="4.0")
    async def build_and_run(
        self, context: Context, instance: Instance, image: str, quiet: bool = param(False, since="4.0")
    ) -> str: ...

    @build_and_run.adapt(before="4.0", was="build_instance")
    @staticmethod
    def images_had_numbers(instance: Instance, image_id: int) -> Mapping[str, Any]:
        return {"instance": instance, "image": f"image-{image_id}"}

    @build_and_run.revert(before="4.0")
    @staticmethod
    def images_get_numbers(instance: Instance, image: str) -> Mapping[str, Any]:
        return {"instance": instance, "image_id": int(image.removeprefix("image-"))}

    @build_and_run.adapt_reply(before="4.0")
    @staticmethod
    def the_reply_was_a_number(reply: str) -> int:
        return len(reply)

    @build_and_run.revert_reply(before="4.0")
    @staticmethod
    def the_reply_becomes_a_text(reply: int) -> str:
        return f"built {reply}"

    @endpoint(since="3.20")
    async def reboot(
        self, context: Context, instance: Instance, note: str = param("", since="3.30"),
        hard: bool = param(False, since="4.0"), *, twice: bool = False,
    ) -> Instance: ...  # fmt: skip

    @endpoint(since="3.35")
    async def evacuate(self, context: Context, host: str | None = None) -> list[str]: ...

    @endpoint(since="3.0", idempotent=True)
    async def echo(self, context: Context, text: str) -> str: ...

    @endpoint(since="3.0")
    async def work(self, context: Context, what: str, seconds: float = 0) -> str: ...

    @endpoint(since="3.0")
    async def use(self, context: Context, image: Image) -> str: ...

    @endpoint(since="4.1")
    async def attach(self, context: Context, volume: Volume) -> str: ...

    @endpoint(since="4.0")
    async def resize(self, context: Context, instance: Instance, memory_mb: int) -> str: ...

    @resize.adapt(before="4.0", was="grow")
    @staticmethod
    def it_only_grew(instance: Instance, by_mb: int) -> Mapping[str, Any]:
        return {"instance": instance, "memory_mb": instance.memory_mb + by_mb}


contract = Contract(Registry([Instance, Image, Volume], "cloud"), [ComputeAPI])
errors = (Overloaded,)
