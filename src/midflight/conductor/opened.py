"""What a service has that opens the database: the rows, who answers from them, and what goes on beside its work.

This is the door through which a service comes to SQLAlchemy and Alembic: ``service.py`` imports it where a service is
declared with a database, and so an agent never has them in memory. The two other doors, in ``migrations``, are opened
by work on a row, which there is only behind this one.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from sqlalchemy import Connection, inspect

from midflight.conductor import self_test, store_floor
from midflight.conductor.inbox import Inbox
from midflight.conductor.interface import FleetView
from midflight.conductor.server import ConductorServer
from midflight.context import Caller
from midflight.db import tables
from midflight.db.engine import Database
from midflight.db.schema.opening import looking, shared
from midflight.db.schema.runner import SchemaRunner
from midflight.db.write_form import Form
from midflight.errors import SchemaTooOld
from midflight.project import Project
from midflight.rpc.rights import CONDUCTOR
from midflight.telemetry import log
from midflight.transports.hands import ended
from midflight.versions import Manifest


class Opened:
    """The database's part of the service ``who``. ``schema`` is the digest of the revision files here."""

    def __init__(self, project: Project, who: Caller, own: Manifest, database: Database, schema: str) -> None:
        self._project, self._who, self._own, self._schema = project, who, own, schema
        self.database = database
        self.server = ConductorServer(project, database, who.member)

    @classmethod
    async def open(cls, stack: AsyncExitStack, url: str, project: Project, who: Caller, own: Manifest) -> Self:
        """Until the end of ``stack``. Raises SchemaTooOld, OutsideWindow, ProjectError and what opening the database
        raises."""
        schema = await _check_schema(url, project, who)
        database = await Database.open(url)
        stack.push_async_callback(database.close)
        await database.read(store_floor.admit, who.service, who.release, project.releases)
        await database.read(store_floor.refuse_renamed, project)
        opened = cls(project, who, own, database, schema)
        await database.read(opened._take_store)
        stack.push_async_callback(opened.server.beats.flush)
        return opened

    async def obey(self, view: FleetView) -> None:
        """Change the write forms and the store floor in the database's own queue: a transaction sees those before, or
        those after."""
        await self.database.read(self._take_forms, view)

    def _take_forms(self, connection: Connection, view: FleetView) -> None:
        self.database.forms = {name: Form(form) for name, form in view.forms.items()}
        self._take_store(connection)

    def _take_store(self, connection: Connection) -> None:
        """The floor comes from its row, and not with the view, whose form never changes."""
        self.database.store = store_floor.store(connection, self._own, self._project.releases)

    def inbox(self, stack: AsyncExitStack) -> Inbox:
        """Where it is noted what has run: where the effects are. It is pruned until the end of ``stack``."""
        inbox = Inbox(self.database, self._who.member)
        pruning = asyncio.create_task(inbox.prune_for_ever(), name=f"inbox of {self._who.member}")
        stack.push_async_callback(ended, pruning)
        return inbox

    async def test_itself(self) -> None:
        """Before the first work. It says nothing to who calls, but is in the journal, and gates read it there."""
        who = self._who
        tried = await self.database.read(self_test.tried_out, self._project)
        told = await self.database.write(self_test.note, tried, who.member, who.release, self._schema)
        if told["failed"]:
            log.error("service.self_test_failed", member=who.member, failed=told["failed"])

    def go_on(self, stack: AsyncExitStack) -> None:
        """What a conductor does beside its work: its rounds, and, while it is this one's turn, the data migrations that
        are wanted in the background."""
        if self._who.service != CONDUCTOR:
            return
        going = asyncio.create_task(self.server.rounds.run(), name=f"rounds of {self._who.member}")
        stack.push_async_callback(ended, going)
        if self._project.migrations:
            name = f"data migrations of {self._who.member}"
            migrating = asyncio.create_task(self.server.background.run(), name=name)
            stack.push_async_callback(ended, migrating)


async def _check_schema(url: str, project: Project, who: Caller) -> str:
    """The digest of the revision files here."""
    runner = SchemaRunner(url, project.schema, project.tables, who.release)
    if missing := await asyncio.to_thread(runner.missing):
        await asyncio.to_thread(_refuse_below_floor, url, project, who)
        raise SchemaTooOld(missing=", ".join(missing), release=who.release)
    return runner.digest


def _refuse_below_floor(url: str, project: Project, who: Caller) -> None:
    """What code below the store floor lacks was taken away since: it is not to expand the schema, but to be newer."""
    with looking(shared(url)) as connection:
        if inspect(connection).has_table(tables.floor.name):
            store_floor.admit(connection, who.service, who.release, project.releases)
