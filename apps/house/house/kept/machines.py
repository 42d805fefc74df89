"""The rows of machines, as people change them; how a machine goes from state to state is in ``moves``. Each function
runs inside a transaction, on its connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete

from house.errors import AddressTaken
from house.kept import rows
from house.kept.tables import holds, machines, rules
from house.objects.machine import WHAT, Machine
from midflight import check_expected, to_row


def add(connection: Connection, machine: Machine) -> int:
    """Answers its id. Raises AlreadyExists, and AddressTaken."""
    _check_addresses(connection, machine)
    return rows.add(connection, machines, WHAT, machine.name, to_row(machine))


def change(connection: Connection, machine: Machine, expect: Mapping[str, Any]) -> None:
    """Raises what ``Machine.save`` does."""
    row = rows.one(connection, machines, WHAT, {"name": machine.name})
    check_expected(Machine, row, expect)
    _check_addresses(connection, machine)
    rows.change(connection, machines, WHAT, row["id"], to_row(machine, only_changes=True, onto=row))


def _check_addresses(connection: Connection, machine: Machine) -> None:
    """A house has few machines, so all of them are looked at. Raises AddressTaken."""
    ours = {machine.mac, *map(str, machine.addresses)}
    for other in rows.every(connection, machines, {}):
        if other["name"] != machine.name and (taken := ours & {other["mac"], *other["addresses"]}):
            raise AddressTaken(machine.name, min(taken), other["name"])


def remove(connection: Connection, id: int | None, name: str) -> None:
    """With its holds and rules. Raises NotFound."""
    rows.remove(connection, machines, WHAT, id)
    for table in (holds, rules):
        connection.execute(delete(table).filter_by(machine=name))
