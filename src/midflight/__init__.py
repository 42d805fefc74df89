"""Distributed services that are upgraded while they work.

The names below are the whole of what an application needs; everything else is found where ARCHITECTURE.md says.

Each is imported when it is asked for (PEP 562): an agent has none of the database's in memory, and ``import midflight``
costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midflight.context import Caller, Context
    from midflight.db.rows import update_row
    from midflight.db.schema import contract, expand
    from midflight.db.write_form import Form
    from midflight.errors import (
        CannotBackport,
        ConfigError,
        Conflict,
        FieldNotLoaded,
        InvalidValue,
        MidflightError,
        NotDelivered,
        NotReadable,
        PinnedOut,
        ReadOnlyField,
        RemoteError,
        Unknown,
        VersionRejected,
    )
    from midflight.guest import Guest, connect
    from midflight.migrations.online import Deferred, Row, RowContext, data_migration
    from midflight.objects import types
    from midflight.objects.base import VersionedObject, Wire, backport, forwardport
    from midflight.objects.fields import field, lazy
    from midflight.objects.lists import ObjectList
    from midflight.objects.remote import remotable
    from midflight.objects.wire import check_expected, clone, from_json, from_row, from_rows, to_json, to_row
    from midflight.project import Project, Runtime, Service
    from midflight.rpc.client import Client
    from midflight.rpc.interface import Interface, endpoint, param
    from midflight.rpc.threads import check_cancelled, from_thread
    from midflight.versions import Manifest, Release, Version

__all__ = [
    "Caller",
    "CannotBackport",
    "Client",
    "ConfigError",
    "Conflict",
    "Context",
    "Deferred",
    "FieldNotLoaded",
    "Form",
    "Guest",
    "Interface",
    "InvalidValue",
    "Manifest",
    "MidflightError",
    "NotDelivered",
    "NotReadable",
    "ObjectList",
    "PinnedOut",
    "Project",
    "ReadOnlyField",
    "Release",
    "RemoteError",
    "Row",
    "RowContext",
    "Runtime",
    "Service",
    "Unknown",
    "Version",
    "VersionRejected",
    "VersionedObject",
    "Wire",
    "backport",
    "check_cancelled",
    "check_expected",
    "clone",
    "connect",
    "contract",
    "data_migration",
    "endpoint",
    "expand",
    "field",
    "forwardport",
    "from_json",
    "from_row",
    "from_rows",
    "from_thread",
    "lazy",
    "param",
    "remotable",
    "to_json",
    "to_row",
    "types",
    "update_row",
]

_NAMES_OF = {
    "context": (
        "Caller",
        "Context",
    ),
    "db.write_form": ("Form",),
    "db.rows": ("update_row",),
    "db.schema": (
        "contract",
        "expand",
    ),
    "errors": (
        "CannotBackport",
        "ConfigError",
        "Conflict",
        "FieldNotLoaded",
        "InvalidValue",
        "MidflightError",
        "NotDelivered",
        "NotReadable",
        "PinnedOut",
        "ReadOnlyField",
        "RemoteError",
        "Unknown",
        "VersionRejected",
    ),
    "guest": (
        "Guest",
        "connect",
    ),
    "migrations.online": (
        "Deferred",
        "Row",
        "RowContext",
        "data_migration",
    ),
    "objects": ("types",),
    "objects.base": (
        "VersionedObject",
        "Wire",
        "backport",
        "forwardport",
    ),
    "objects.fields": (
        "field",
        "lazy",
    ),
    "objects.lists": ("ObjectList",),
    "objects.remote": ("remotable",),
    "objects.wire": (
        "check_expected",
        "clone",
        "from_json",
        "from_row",
        "from_rows",
        "to_json",
        "to_row",
    ),
    "project": (
        "Project",
        "Runtime",
        "Service",
    ),
    "rpc.client": ("Client",),
    "rpc.interface": (
        "Interface",
        "endpoint",
        "param",
    ),
    "rpc.threads": (
        "check_cancelled",
        "from_thread",
    ),
    "versions": (
        "Manifest",
        "Release",
        "Version",
    ),
}
"""The names of each module, as in the imports above; a test compares them."""

if not TYPE_CHECKING:  # to a type checker, a module with a __getattr__ has every name
    _MODULES = {name: f"{__name__}.{module}" for module, names in _NAMES_OF.items() for name in names}

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = __import__(_MODULES[name], fromlist=[name])  # with a fromlist, it imports what `from … import` does
        globals()[name] = found = getattr(module, name)
        return found

    def __dir__():
        return sorted(globals().keys() | {*__all__})
