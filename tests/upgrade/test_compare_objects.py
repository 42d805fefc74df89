"""One object then and now, as their frozen words say it."""

from dataclasses import replace

import pytest

from midflight.upgrade.compare_objects import object_findings
from midflight.upgrade.finding import Finding
from midflight.upgrade.reading import Thing, read_part
from midflight.versions import Version


def disk(version: str, **fields: str) -> Thing:
    """An object with fields only."""
    return Thing("Disk", Version.parse(version), {name: read_part(text) for name, text in fields.items()}, {}, {}, {})


def found(old: Thing, new: Thing) -> list[tuple[str, str]]:
    """Category and change of each finding."""
    findings: list[Finding] = list(object_findings(old, new))
    return [(finding.category.value, finding.change) for finding in findings]


def test_a_tombstone_in_a_raised_version_passes() -> None:
    """The older version still has the field, and is still sent it."""
    assert found(disk("1.0", label="str"), disk("1.1", label="str, until 1.1")) == []


def test_a_tombstone_without_a_new_version_is_found() -> None:
    """Peers of this version have the field."""
    (finding,) = found(disk("1.1", label="str"), disk("1.1", label="str, until 1.1"))
    assert finding == ("wire", "said to exist from the start until 1.1")


def test_a_tombstone_may_go_with_the_last_version_that_had_the_field() -> None:
    """And not before."""
    assert found(disk("1.1", label="str, until 1.1"), disk("1.2")) == []
    assert found(disk("1.0", label="str"), disk("1.2")) == [("wire", "removed without a tombstone")]


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        ({"name": "str"}, True),
        ({"name": "int"}, False),
        ({"name": "str, default 'a', since 1.1"}, False),
        ({"name": "str", "title": "str"}, False),
    ],
)
def test_a_field_that_may_only_be_called_otherwise_is_asked_for(now: dict[str, str], asked: bool) -> None:
    """Where one of the same type came, and nobody has said that it is a new one."""
    due = {finding.change: finding.due for finding in object_findings(disk("1.0", label="str"), disk("1.1", **now))}
    assert ("; if it is only called name now, " in due["removed without a tombstone"]) is asked


def test_the_name_of_a_removed_field_does_not_come_back() -> None:
    """What is left at rest means the old one by it."""
    (finding,) = found(disk("1.1", label="str, until 1.1"), disk("1.2", label="int, default 0, since 1.2"))
    assert finding == ("store", "came back, though a field of this name was removed in 1.1")


def test_whether_a_field_is_masked_needs_a_version() -> None:
    """Its bytes stay, but one of two codes of one version would tell it in its logs."""
    open_, masked = disk("1.0", label="str, default 'a'"), disk("1.0", label="str, default ***, sensitive")
    assert found(open_, masked) == [("code", "became sensitive")]
    assert found(masked, open_) == [("code", "is no longer sensitive")]
    assert found(open_, disk("1.1", label="str, default ***, sensitive")) == []


def test_of_a_sensitive_default_it_is_seen_whether_it_is_there() -> None:
    """And not which it is."""
    none, hidden = disk("1.0", key="str, default None, sensitive"), disk("1.0", key="str, default ***, sensitive")
    assert found(none, hidden) == [("code", "default changed from None to ***")]
    assert found(hidden, hidden) == []


def test_who_may_skip_what_is_new_is_compared() -> None:
    """Where no backport and no tombstone that came or went tells it already."""
    old, new = disk("1.1", label="str"), disk("1.1", label="str")
    assert found(replace(old, readable_from=Version(1, 1)), replace(new, readable_from=Version(1, 0))) == [
        ("wire", "readable from 1.0, and was from 1.1")
    ]
    buried = disk("1.1", label="str", gone="str, until 1.1")
    assert found(replace(buried, readable_from=Version(1, 1)), replace(new, readable_from=Version(1, 0))) == []


def test_other_transitions_need_a_version() -> None:
    """Code of one version relies on them."""
    (finding,) = found(disk("1.0", power="P(a | b), moves {a to b}"), disk("1.0", power="P(a | b)"))
    assert finding == ("code", "allows any transition")


def test_lazy_is_seen_by_code() -> None:
    """It reads without loading."""
    (finding,) = found(disk("1.0", parts="list[str]"), disk("1.0", parts="list[str], lazy"))
    assert finding == ("code", "became lazy")


def test_a_default_where_there_was_none_needs_a_version() -> None:
    """Code of the same version elsewhere demands the field."""
    (finding,) = found(disk("1.0", size="int"), disk("1.0", size="int, default 1"))
    assert finding == ("code", "got a default, 1")
