"""Real processes of releases that are too far apart: whoever may not start says why, and by which path it may."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.street import Outcome, Street


def freeze_three(street: Street, **windows: int) -> None:
    """What lies in the folder juno is release icehouse here, and kilo is two releases behind it: nobody has the code of
    juno, which lies between. The windows are those of kilo's project."""
    old, new = street.folder / "juno" / "releases", street.folder / "kilo" / "releases"
    assert street.midflight("juno", "release", "freeze", "icehouse").code == 0
    shutil.copytree(old, new)
    assert street.midflight("kilo", "release", "freeze", "kilo").code == 0
    edit(new / "kilo.toml", "sequence = 2", "sequence = 3")
    shutil.copy(old / "icehouse.toml", new / "juno.toml")
    item = '[objects.Item]\nversion = "1.{}"'
    for before, after in (('"icehouse"', '"juno"'), ("sequence = 1", "sequence = 2"), (item.format(0), item.format(1))):
        edit(new / "juno.toml", before, after)
    wide = "".join(f"    {name}={number},\n" for name, number in windows.items())
    edit(street.folder / "kilo" / "shop.py", 'Project(\n    "shop",\n', f'Project(\n    "shop",\n{wide}')


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def expand(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """By both, in their order."""
    monkeypatch.setenv("MIDFLIGHT_DATABASE", street.url)
    for folder in ("juno", "kilo"):
        assert street.midflight(folder, "db", "expand").code == 0


def refused(ended: Outcome, *said: str) -> None:
    """78, in one line without a traceback."""
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ended.code == 78
    assert [text for text in said if text not in line] == []
    assert "Traceback" not in ended.err


def test_outside_the_skew_window(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent two releases back does not start; nor does one that is not what it says, and no pin leads there."""
    freeze_three(street)
    expand(street, monkeypatch)
    street.start("kilo", "conductor", "c1")
    path = "The path is icehouse → juno → kilo: start it with the code of juno or kilo"
    refused(street.run("juno", "shop", "n1"), "shop of release icehouse may not join", "at most 1 apart", path)

    edit(street.folder / "juno" / "releases" / "icehouse.toml", '"icehouse"', '"kilo"')
    lie = "it says that it runs kilo, but its manifest has Item 1.0, and kilo has 1.1: deploy one release there"
    refused(street.run("juno", "shop", "n1"), lie)

    far = street.midflight("kilo", "pin", "set", "icehouse")
    nearer = "members of kilo speak at most 1 before their own release: pin a nearer one, or auto"
    assert (far.code, nearer in far.err) == (2, True)
    unknown = street.midflight("kilo", "pin", "set", "havana")
    assert (unknown.code, "expected a frozen release: icehouse, juno, kilo" in unknown.err) == (64, True)
    listed = street.midflight("kilo", "fleet", "list", "--json").document
    assert ([each["service"] for each in listed["members"]], listed["pins"], listed["epoch"]) == (["conductor"], {}, 0)


def test_two_releases_back_works_and_the_database_asks_for_more(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a wire window of two, an agent two releases back takes work; a conductor that far away, which opens the
    database, does not start, and the path is that of the database's window."""
    freeze_three(street, skew_window=2)
    expand(street, monkeypatch)
    street.start("kilo", "conductor", "c1")
    street.start("juno", "shop", "n1")
    listed = street.members(2)
    assert {(m["service"], m["release"], m["state"], *m["topics"]) for m in listed} == {
        ("conductor", "kilo", "active", "conductor"),
        ("shop", "icehouse", "active", "shop"),
    }
    refused(
        street.run("juno", "conductor", "c2"),
        "conductor of release icehouse may not join",
        "at most 2 (at the database 1) apart",
        "icehouse → juno → kilo",
    )
