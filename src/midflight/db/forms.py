"""The rows of write forms: which one each data migration is in, and how it is advanced. See ``write_form``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from midflight.db import journal
from midflight.db.clock import now
from midflight.db.epoch import current_epoch, next_epoch
from midflight.db.tables import forms
from midflight.db.write_form import DEFAULT, Form
from midflight.errors import StepBlocked

_OBEYED = "forms"


class FormMoved(Exception):
    """Work has written the old form, which is not written any more: its process has not heard of that yet. Nothing of
    it may be kept, or readers of the new form would not see it; it is to be done again by the present form."""


def options(obeyed: Mapping[str, Form]) -> dict[str, Any]:
    """What a transaction is begun with, so that it is known by which forms its process works."""
    return {_OBEYED: obeyed}


def refuse_moved(connection: Connection, name: str, form: Form) -> None:
    """Raises FormMoved where this transaction's process still writes the old form, and ``form``, the present one, says
    that nobody does."""
    obeyed = connection.get_execution_options().get(_OBEYED)
    if obeyed is not None and obeyed.get(name, DEFAULT).writes_old and not form.writes_old:
        raise FormMoved(name)


def current(connection: Connection) -> dict[str, Form]:
    """The form of each data migration that has one written down."""
    return {name: Form(form) for name, form in connection.execute(select(forms.c.name, forms.c.form))}


def current_of(connection: Connection, name: str) -> Form:
    """The form of one data migration, as this transaction sees it."""
    found = connection.execute(select(forms.c.form).where(forms.c.name == name)).scalar_one_or_none()
    return Form(found) if found is not None else DEFAULT


def ensure(connection: Connection, names: Iterable[str]) -> list[str]:
    """Write down the default form for those that have none, and return their names. No epoch begins by it."""
    known = current(connection)
    added = [name for name in dict.fromkeys(names) if name not in known]
    for name in added:
        _add(connection, name, current_epoch(connection))
    return added


def begin_new(connection: Connection, names: Iterable[str]) -> list[str]:
    """Write down ``new`` for those that have no form, and return their names: for a database that has no row yet, and
    so none in an old form. No epoch begins by it."""
    added = ensure(connection, names)
    for name in added:
        connection.execute(update(forms).where(forms.c.name == name).values(form=Form.NEW.value))
        journal.write(connection, "form.began", {"name": name, "form": Form.NEW.value})
    return added


def advance(connection: Connection, name: str, to: Form) -> int:
    """Move one arrow on and return the new epoch. Raises StepBlocked for an arrow that the truth table does not have.

    Whether everybody is ready for it is for the caller to know; see ``migrations.proof.advance`` for the rows' part.
    """
    form = current_of(connection, name)
    if to not in form.arrows:
        raise StepBlocked(step=f"Advancing {name} from '{form}' to '{to}'", reason=_why(form, to))
    ensure(connection, [name])
    epoch = next_epoch(connection)
    changed = update(forms).where(forms.c.name == name)
    connection.execute(changed.values(form=to.value, epoch=epoch, set_at=now()))
    journal.write(connection, "form.advanced", {"name": name, "old": form.value, "new": to.value, "epoch": epoch})
    return epoch


def _add(connection: Connection, name: str, epoch: int) -> None:
    connection.execute(insert(forms).values(name=name, form=DEFAULT.value, epoch=epoch, set_at=now()))


def _why(form: Form, to: Form) -> str:
    if form is to:
        return "it is there already"
    if form is Form.NEW:
        return "the old form is no longer written; there is no way back from 'new'"
    return "from there the way leads to " + " or ".join(f"'{arrow}'" for arrow in form.arrows) + " only"
