"""oslo.messaging and oslo.versionedobjects, in an environment of their own, put together as Nova's conductor and its
agents are: an indirection API carries remotables over, and answers come in the versions of who asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oslo_messaging as messaging
from oslo_config import cfg
from oslo_versionedobjects import base
from sqlalchemy import Engine

from benchmarks.objects import incumbent as objects
from benchmarks.rpc import loads, rows

TOPIC = "conductor"
VERSION = "3.0"

_Instance = objects.CLASSES["Instance"]
_databases: list[Engine] = []


def _get(cls: Any, context: Any, uuid: str) -> Any:
    with _databases[0].connect() as connection:
        return objects.loaded(rows.find(connection, uuid))


def _save(self: Any) -> None:
    with _databases[0].begin() as connection:
        rows.change(connection, self.uuid, self.obj_get_changes())
    self.obj_reset_changes()


_get.__name__, _save.__name__ = "get", "save"
_Instance.get, _Instance.save = base.remotable_classmethod(_get), base.remotable(_save)


class Conductor:
    """What the server does: as ``nova.conductor.manager`` does it."""

    target = messaging.Target(version=VERSION)

    def echo(self, context: Any, text: str) -> str:
        return text

    def object_class_action_versions(
        self, context: Any, objname: str, objmethod: str, object_versions: dict[str, str], args: Any, kwargs: Any
    ) -> Any:
        cls = base.VersionedObject.obj_class_from_name(objname, object_versions[objname])
        result = getattr(cls, objmethod)(context, *args, **kwargs)
        return result.obj_to_primitive(target_version=object_versions[objname], version_manifest=object_versions)

    def object_action(self, context: Any, objinst: Any, objmethod: str, args: Any, kwargs: Any) -> Any:
        before = objinst.obj_clone()
        result = getattr(objinst, objmethod)(*args, **kwargs)
        updates = {
            name: field.to_primitive(objinst, name, getattr(objinst, name))
            for name, field in objinst.fields.items()
            if objinst.obj_attr_is_set(name)
            and (not before.obj_attr_is_set(name) or getattr(before, name) != getattr(objinst, name))
        }
        updates["obj_what_changed"] = objinst.obj_what_changed()
        return updates, result


class Indirection(base.VersionedObjectIndirectionAPI):
    """What the client does: as ``nova.conductor.rpcapi`` does it."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client.prepare(version=VERSION, timeout=loads.CALL_SECONDS)

    def object_class_action_versions(self, context: Any, *given: Any) -> Any:
        names = ("objname", "objmethod", "object_versions", "args", "kwargs")
        return self._client.call(context, "object_class_action_versions", **dict(zip(names, given, strict=True)))

    def object_action(self, context: Any, *given: Any) -> Any:
        names = ("objinst", "objmethod", "args", "kwargs")
        return self._client.call(context, "object_action", **dict(zip(names, given, strict=True)))


def _transport(broker: str) -> Any:
    """With a connection for each of its threads, too."""
    logging.getLogger("oslo.messaging").setLevel(logging.ERROR)
    url = broker.replace("amqp://", "rabbit://") + "?rpc_conn_pool_size=70"
    return messaging.get_rpc_transport(cfg.CONF, url)


@contextmanager
def serving(broker: str, folder: Path) -> Iterator[None]:
    """The one who is asked."""
    rows.fill(folder / "rows.db")
    _databases.append(rows.opened(folder / "rows.db"))
    transport = _transport(broker)
    server = messaging.get_rpc_server(
        transport, messaging.Target(topic=TOPIC, server="server"), [Conductor()], executor="threading",
        serializer=base.VersionedObjectSerializer(), access_policy=messaging.DefaultRPCAccessPolicy,
    )  # fmt: skip
    server.start()
    yield
    server.stop()
    server.wait()
    transport.cleanup()


@contextmanager
def asking(broker: str, _: Path) -> Iterator[dict[str, Callable[[], object]]]:
    """The one who asks: what it can call."""
    transport, context = _transport(broker), dict(loads.VALUES)
    client = messaging.get_rpc_client(
        transport, messaging.Target(topic=TOPIC, version=VERSION), serializer=base.VersionedObjectSerializer()
    )
    base.VersionedObject.indirection_api = Indirection(client)
    prepared = client.prepare(version=VERSION, timeout=loads.CALL_SECONDS)
    one = _Instance.get(context, loads.UUID)
    one._context = context  # noqa: SLF001  # as the library's own serialiser sets it

    def save() -> None:
        loads.change(one)
        one.save()

    yield {
        "get": lambda: _Instance.get(context, loads.UUID),
        "save": save,
        "echo": lambda: prepared.call(context, "echo", text=loads.TEXT),
    }
    transport.cleanup()
