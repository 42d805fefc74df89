"""A fleet is upgraded from juno to kilo, command by command, as an operator does it."""

from __future__ import annotations

import time

import pytest

from tests.cli.street import Outcome, Street


def freeze_both(street: Street) -> None:
    """juno is frozen in its own tree; kilo's has both files, as a repository would."""
    assert street.midflight("juno", "release", "freeze", "juno").code == 0
    frozen = street.folder / "kilo" / "releases"
    frozen.mkdir()
    (frozen / "juno.toml").write_text((street.folder / "juno" / "releases" / "juno.toml").read_text())
    assert street.midflight("kilo", "release", "freeze", "kilo").code == 0


def check(street: Street, step: str, *more: str) -> Outcome:
    """Ask a gate from the tree of the new release."""
    return street.midflight("kilo", "upgrade", "check", step, *more)


def replace(street: Street, service: str, host: str) -> None:
    """Deploy kilo to one member."""
    assert street.stop(service, host) == 0
    street.start("kilo", service, host)


def test_a_fleet_goes_from_juno_to_kilo_by_commands(
    street: Street, monkeypatch: pytest.MonkeyPatch, postgresql_url: str
) -> None:
    """Each gate says what its step lacks, and passes when the step is done; the rows are moved, and the door closes."""
    freeze_both(street)
    monkeypatch.setenv("MIDFLIGHT_DATABASE", street.url)
    assert street.midflight("juno", "db", "expand").code == 0
    for price in ["1.50"] * 12 + ["ask"] * 2:
        street.rows("insert into items (price) values (?)", price)
    street.start("juno", "conductor", "c1")
    street.start("juno", "shop", "n1")

    # 0 to 2: prepare, expand, pin
    listed = street.members(2)
    assert {(m["service"], m["release"], m["state"]) for m in listed} == {
        ("conductor", "juno", "active"),
        ("shop", "juno", "active"),
    }
    plan = street.midflight("kilo", "upgrade", "plan", "kilo")
    assert plan.code == 0
    assert "pass: juno → kilo is one release (2 juno)" in plan.out
    assert check(street, "schema").code == 2
    expanded = street.midflight("kilo", "db", "sync", "--json")
    assert expanded.document == {"release": "kilo", "applied": ["0002"], "remarks": {}}
    unlinted = check(street, "schema")
    assert (unlinted.code, "unknown: revisions 0001, 0002: never linted" in unlinted.out) == (4, True)
    assert street.midflight("kilo", "db", "lint", "--scratch", postgresql_url).code in (0, 1)
    assert check(street, "schema").code == 0
    assert check(street, "pin").code == 1
    pinned = street.midflight("juno", "pin", "set", "juno")
    assert (pinned.code, pinned.out) == (0, "done: epoch 1 is acknowledged by all active members\n")
    assert check(street, "pin").code == 0

    # 3 to 5: control, soak, roll
    blocked = check(street, "control")
    assert blocked.code == 2
    assert "fail: 1 of 1 control services left: conductor@c1 (juno)" in blocked.out
    replace(street, "conductor", "c1")
    assert check(street, "control", "--wait", "20s").code == 0
    soaked = check(street, "soak", "--window", "0.5s", "--wait", "20s")
    assert soaked.code == 0
    assert "pass: running now: 1 juno, 1 kilo" in soaked.out
    assert check(street, "roll").code == 1
    assert street.midflight("kilo", "upgrade", "finalize", "--yes").code == 2
    replace(street, "shop", "n1")
    assert check(street, "roll", "--wait", "20s").code == 0

    # 6 and 7: unpin, data
    assert check(street, "unpin").code == 0
    assert street.midflight("kilo", "pin", "clear").out == "done: epoch 2 is acknowledged by all active members\n"
    chunk = street.midflight("kilo", "data", "run", "-n", "10")
    assert (chunk.code, chunk.out) == (1, "10 items matched query, 10 completed\n")
    rest = street.midflight("kilo", "data", "run")
    assert (rest.code, rest.out) == (2, "4 items matched query, 2 completed (2 deferred: on request 2)\n")
    assert check(street, "data").code == 1
    street.rows("update items set price = '2.25' where price = 'ask'")
    assert street.midflight("kilo", "data", "start", "prices_become_cents").code == 0
    assert proven_within(street, 60.0)
    assert street.midflight("kilo", "data", "run", "prices_become_cents").code == 0
    assert check(street, "data").code == 0
    assert street.rows("select distinct price, cents from items order by cents") == [("1.50", 150), ("2.25", 225)]

    # 8: finalize
    asked = street.midflight("kilo", "upgrade", "finalize")
    assert asked.code == 3
    assert "This cannot be undone:\n  prices_become_cents: items is written in its new form only" in asked.out
    done = street.midflight("kilo", "upgrade", "finalize", "--yes", "--json")
    assert (done.code, done.document["finalized"]) == (0, True)
    assert street.rows("select form from mf_forms") == [("new",)]
    status = street.midflight("kilo", "upgrade", "status")
    assert (status.code, status.out.splitlines()[-1]) == (0, "done: the fleet is upgraded to kilo")

    # after: what only juno needed may go, when no row needs it any more
    parts = '[{"$": "Item:1.0", "id": 7, "price": "1.50"}, {"$": "Item:1.1", "id": 8, "price": "2.25", "cents": 225}]'
    street.rows("update items set parts = ? where id < 3", parts)
    held = street.midflight("kilo", "release", "retire", "juno")
    assert held.code == 2
    assert "fail: items.parts: 2 × Item 1.0 still need juno: write these rows anew" in held.out.splitlines()
    street.rows("update items set parts = replace(parts, 'Item:1.0', 'Item:1.1')")
    gone = street.midflight("kilo", "release", "retire", "juno")
    assert (gone.code, gone.out.splitlines()) == (1, [
        'ready: Item.cents: since="1.1" may go, every peer has the field',
        "pass: the store floor is kilo",
        "pass: none of the 14 rows that were looked at needs juno (items.parts)",
    ])  # fmt: skip

    # and juno never comes back
    too_old = street.run("juno", "conductor", "c2")
    assert too_old.code == 78
    assert "error: conductor of release juno may not join this fleet" in too_old.err


def proven_within(street: Street, seconds: float) -> bool:
    """Whether the conductors prove all data migrations by themselves."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        states = street.midflight("kilo", "data", "list", "--json").document
        if all(state["proven"] and not state["wanted"] for state in states):
            return True
        time.sleep(0.5)
    return False
