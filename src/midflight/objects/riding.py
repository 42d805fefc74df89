"""What an object carries without knowing it: fields of another version, which ride along to whoever does know them.

They travel beside the object's own fields under the key ``+``: ``{"$": "1.2", "speed": 9, "~": ["speed"]}``, which says
the version that has them and which of them were changed. They are no fields here: never in a row, never in changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from midflight.objects.coercion import Refused, late_type
from midflight.objects.marks import NEW, field_of, of_fields
from midflight.objects.rewrites import CHANGED, TAG
from midflight.versions import Version

RIDING = "+"
"""The key of what rides along."""

Riding = dict[str, Any]


def packed(version: Version, fields: Mapping[str, Any], changed: set[str]) -> Riding | msgspec.UnsetType:
    """These fields of that version; UNSET for none."""
    if not fields:
        return msgspec.UNSET
    marks = sorted(of_fields(changed, fields) - {NEW})
    return {TAG: str(version), **fields, **({CHANGED: marks} if marks else {})}


def unpacked(riding: Any) -> tuple[Version | None, dict[str, Any], set[str]]:
    """The inverse of packed; nothing for an object with which nothing rides. Raises Refused for another form."""
    if riding is None or riding is msgspec.UNSET:
        return None, {}, set()
    try:
        fields = {**riding}
        version, changed = Version.parse(fields.pop(TAG)), {*fields.pop(CHANGED, ())}
    except (TypeError, ValueError, KeyError, AttributeError):
        raise _refused(riding) from None
    if not all(isinstance(name, str) for name in (*fields, *changed)):
        raise _refused(riding)
    return version, fields, changed


def _refused(riding: Any) -> Refused:
    return Refused(riding, "fields that ride along, with their version")


def _checked(riding: Any) -> Any:
    unpacked(riding)
    return riding


RIDING_FORM: Any = late_type("Riding", _checked)
"""As what msgspec decodes them: whoever forwards them must be able to say them again."""


def changed_unseen(obj: Any) -> str:
    """The name of a changed field that rides along, or an empty text. To save the object would lose that change."""
    riding = obj._riding
    return "" if riding is msgspec.UNSET else ", ".join(sorted({*map(field_of, riding.get(CHANGED) or ())}))


def forget_changes(obj: Any) -> None:
    """Count what rides along as saved."""
    if obj._riding is not msgspec.UNSET:
        obj._riding.pop(CHANGED, None)
