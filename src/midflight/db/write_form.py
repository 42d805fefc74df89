"""The write form: one truth table, for each data migration, of who writes what and which form is read.

    form              writes old  writes new  reads  the truth is
    old               yes         no          old    old
    both, read old    yes         yes         old    old
    both, read new    yes         yes         new    old
    new               no          yes         new    new

The legal arrows lead downwards one by one, and from ``both, read new`` back to ``both, read old``, since the old form
is still written there. Into ``both, read new`` a caller goes only with no old writer left and both forms proven equal;
``new`` is the one-way door. Each arrow is an epoch of its own.
"""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """How a field that moves is kept."""

    OLD = "old"
    BOTH_READ_OLD = "both, read old"
    BOTH_READ_NEW = "both, read new"
    NEW = "new"

    @property
    def writes_old(self) -> bool:
        """A save writes the old form. As long as anybody does, it is the truth."""
        return self is not Form.NEW

    @property
    def writes_new(self) -> bool:
        """A save writes the new form, derived from the old one until that is no longer written."""
        return self is not Form.OLD

    @property
    def reads_new(self) -> bool:
        """A load reads the new form."""
        return self in (Form.BOTH_READ_NEW, Form.NEW)

    @property
    def arrows(self) -> tuple[Form, ...]:
        """The forms to which this one may be advanced."""
        return _ARROWS[self]


DEFAULT = Form.BOTH_READ_OLD
"""The form where nothing else has been written down: safe in every direction."""

_ARROWS = {
    Form.OLD: (Form.BOTH_READ_OLD,),
    Form.BOTH_READ_OLD: (Form.BOTH_READ_NEW,),
    Form.BOTH_READ_NEW: (Form.NEW, Form.BOTH_READ_OLD),
    Form.NEW: (),
}
