"""Two releases of one application as two peers: what the one has in hand when the other has sent it something.

Both are modules with a ``project``. In a fleet nobody calls these functions: the framework does this for each message.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from midflight import Caller, Context, Manifest
from midflight.objects import wire
from midflight.rpc.client import Messenger, Unpinned
from midflight.rpc.dispatch import Dispatcher
from midflight.rpc.server import Server
from midflight.transports import connect
from midflight.transports.base import Address, Identity


def send(obj: Any, sender: Any, receiver: Any) -> Any:
    """The object in the receiver's hand: encoded for what the receiver understands, decoded by the receiver's code."""
    data = wire.encode(obj, receiver.project.contract.manifest)
    kind = receiver.project.registry.kind(getattr(receiver, type(obj).__name__))
    return wire.decode(data, kind, sender=sender.project.contract.manifest, path=type(obj).__name__)


@asynccontextmanager
async def fleet(sender: Any, receiver: Any, service: Any) -> AsyncIterator[Context]:
    """The context of a caller of release ``sender``, while ``service`` of release ``receiver`` answers its calls."""
    transport = await connect("memory:cloud", name="cloud", project="cloud", identity=Identity("api", "here")).open()
    floor = Manifest.lowest([sender.project.contract.manifest, receiver.project.contract.manifest])
    caller = Caller("api", "here", sender.__name__, "api-1", 1)
    callee = Caller("agent", "there", receiver.__name__, "agent-1", 1)
    dispatcher = Dispatcher(
        receiver.project.contract, callee, transport,
        lambda values, id, caller, deadline: Context(values, id, caller, deadline=deadline),
    )  # fmt: skip
    dispatcher.add(service)
    server = Server(transport, dispatcher)
    await server.serve(Address(service.topic, "there"))
    try:
        yield Context(messenger=Messenger(sender.project.contract, transport, caller, Unpinned(floor)))
    finally:
        await server.drain(1)
        await transport.close()
