"""Distributed services that are upgraded while they work.

The names below are the whole of what an application needs; everything else is found where ARCHITECTURE.md says.
"""

from midflight.context import Caller, Context
from midflight.db.forms import Form
from midflight.db.rows import update_row
from midflight.db.schema import contract, expand
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
