"""The whole road on a scratch fleet, by one command."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from midflight.db import cluster
from midflight.db.lint import facts
from midflight.db.lint.facts import TableFacts
from midflight.errors import MissingProgram, UsageError
from midflight.testing import real_fleet
from midflight.testing.real_fleet import RealFleet
from midflight.testing.rehearsal import Rehearsal
from midflight.upgrade.plan import Step
from tests.cli.street import Outcome, Street
from tests.cli.test_journey import freeze_both


@pytest.fixture
def shops(street: Street, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    """Both releases of the shop, in folders. Kilo wants rehearsals. What was loaded of them is ended afterwards."""
    shop = street.folder / "kilo" / "shop.py"
    shop.write_text(shop.read_text().replace("    tables=metadata,\n", "    tables=metadata,\n    rehearse=True,\n"))
    freeze_both(street)
    monkeypatch.setattr(real_fleet, "_releases", {})
    yield street
    for release in real_fleet._releases.values():
        release.close()


def rehearse(street: Street, juno: Path | str, *more: str) -> Outcome:
    return street.midflight("kilo", "upgrade", "rehearse", "--from", f"juno={juno}", "--to", "kilo", *more)


def test_the_whole_road_is_rehearsed_with_every_way_back(shops: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a copy of the database, which stays as it is; and the gate that wants a rehearsal is content with it, until
    the code changes."""
    monkeypatch.setattr(tempfile, "tempdir", str(shops.folder))
    monkeypatch.setattr(RealFleet, "command_seconds", 0)  # here a command takes as long as it needs
    monkeypatch.setenv("MIDFLIGHT_DATABASE", shops.url)
    assert shops.midflight("juno", "db", "expand").code == 0
    shops.rows("insert into items (price) values ('1.50'), ('2.25')")
    shops.rows(f"VACUUM INTO '{shops.folder / 'copy.db'}'")
    done = rehearse(shops, shops.folder / "juno", "--data", str(shops.folder / "copy.db"), "--json")
    report = done.document
    gates = {step["gate"] for step in report["steps"]}  # on a busy machine they may have something to say
    assert (report["failed"], done.code) == ("", 0 if gates == {"pass"} else 1)
    assert [step["name"] for step in report["steps"]] == [
        "prepare", "schema", "pin", "control", "soak", "roll", "unpin", "data", "finalize",
    ]  # fmt: skip
    ways_back = [step["name"] for step in report["steps"] if step["back"] is not None]
    assert ways_back == ["schema", "pin", "control", "roll", "unpin", "data"]
    assert (report["lint"], report["data"]) == ({"0002": ["never linted"]}, "a copy, copy.db")
    assert not [*shops.folder.glob("mf-rehearsal-*")], "its folder is gone"
    assert [name for (_, name, *_) in shops.rows("PRAGMA table_info(items)")] == ["id", "price", "parts"]

    kept = shops.folder / "kilo" / "releases" / "rehearsed" / "kilo.toml"
    assert tomllib.loads(kept.read_text())["code"] == report["code"]
    shops.start("juno", "conductor", "c1")
    shops.members(1)
    assert "pass: the upgrade to kilo was rehearsed with exactly this code" in plan(shops)
    with (shops.folder / "kilo" / "shop.py").open("a") as code:
        code.write("\nMORE = 1\n")
    changed = f"unknown: the upgrade to kilo was rehearsed at {report['at']}, and the code has changed since"
    assert changed in plan(shops)


def plan(street: Street) -> list[str]:
    """What the gate of step 0 says."""
    return [line.strip() for line in street.midflight("kilo", "upgrade", "plan", "kilo").out.splitlines()]


MOVES = """
@midflight.data_migration(release="juno", table="items", key="id", todo="parts IS NULL")
def items_have_parts(row, db):
    return {"parts": []}


project = Project(
"""


def test_a_road_begins_where_production_stands(shops: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data migrations of the release before are finalized by then; and the schema was expanded with as many rows,
    where they are known, on a database of its own: the steps have nothing to do with them."""
    for release, migrations in (("juno", "items_have_parts"), ("kilo", "items_have_parts, prices_become_cents")):
        shop = shops.folder / release / "shop.py"
        text = shop.read_text().replace("    migrations=[prices_become_cents],\n", "")
        text = text.replace("from midflight import", "import midflight\nfrom midflight import", 1)
        text = text.replace("    tables=metadata,\n", f"    tables=metadata,\n    migrations=[{migrations}],\n")
        shop.write_text(text.replace("\nproject = Project(\n", MOVES))
    taken = list[str]()
    earlier = list[tuple[str, str]]()

    def take(self: Rehearsal, step: Step, way: object) -> None:
        taken.append(step.name)
        if step.name == "prepare":
            because = self._asked(step).because
            earlier.extend((fact.status.value, fact.words) for fact in because if "items_have_parts" in fact.words)

    monkeypatch.setattr(Rehearsal, "_take", take)
    monkeypatch.setenv("MIDFLIGHT_DATABASE", "postgresql://nobody@nowhere/production")
    facts.write(shops.folder / "kilo" / "schema", {"items": TableFacts(2_345), "gone": TableFacts(7)})
    report = rehearse(shops, shops.folder / "juno", "--json").document
    assert (report["failed"], len(taken)) == ("", 9)
    assert earlier == [("pass", "items_have_parts of juno is proven and finalized")]
    assert report["rows"] == {"items": 2_345}
    assert report["expand_seconds"] > 0


def test_a_road_that_fails_is_told_with_its_step(shops: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written down too, and the logs are kept."""
    monkeypatch.setattr(tempfile, "tempdir", str(shops.folder))
    (empty := shops.folder / "empty").mkdir()
    done = rehearse(shops, empty)
    assert done.code == 2
    assert f"fail: the start: the code of juno in {empty} cannot be loaded: shop:project" in done.out
    (logs,) = [line.rpartition(" ")[2] for line in done.out.splitlines() if line.startswith("the logs")]
    assert (Path(logs) / "operator.toml").is_file()
    kept = shops.folder / "kilo" / "releases" / "rehearsed" / "kilo.toml"
    assert tomllib.loads(kept.read_text())["failed"].startswith("the start: the code of juno")


@pytest.mark.parametrize(
    ("juno", "more", "told"),
    [
        ("v9", [], "received 'v9' as a release, and "),
        ("../jnuo", [], "and there is no such path. Did you mean"),
        ("~/no/such/folder", [], "/no/such/folder as a release, expected a folder"),
        ("../juno", ["--data", "nowhere.db"], "--data nowhere.db cannot be read: No such file or directory"),
        ("../juno", ["--fleet", "shop:Shop"], "received --fleet shop:Shop, which is no MixedFleet"),
        ("../juno", ["--to", "juno"], "received juno as both ends of the road"),
        ("../juno", ["--from", "icehouse"], "received icehouse as the release before kilo, expected juno"),
    ],
)
def test_a_slip_is_named_before_anything_is_started(shops: Street, juno: str, more: list[str], told: str) -> None:
    """And nothing is written down."""
    given = {"--from": f"juno={juno}", "--to": "kilo", **dict(zip(more[::2], more[1::2], strict=True))}
    words = [word for option in given.items() for word in option]
    done = shops.midflight("kilo", "upgrade", "rehearse", *words)
    assert done.code == 64
    assert told in done.err
    assert not (shops.folder / "kilo" / "releases" / "rehearsed").exists()


def test_only_the_code_that_is_to_be_deployed_is_rehearsed(shops: Street) -> None:
    """From a copy of another release it is refused."""
    done = shops.midflight("kilo", "upgrade", "rehearse", "--from", "kilo=../kilo", "--to", "juno")
    assert done.code == 64
    assert "the code here is release kilo, not juno: rehearse from a copy of juno" in done.err


@pytest.fixture
def kept(shops: Street, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An earlier report of kilo's."""
    monkeypatch.setattr(tempfile, "tempdir", str(shops.folder))
    path = shops.folder / "kilo" / "releases" / "rehearsed" / "kilo.toml"
    path.parent.mkdir()
    path.write_text("# an earlier one\n")
    return path


UNSAID = """
from midflight.testing import MixedFleet

class Unsaid(MixedFleet):
    project, reference, members = project, "shop:project", {"conductor": 1}
    app = {"opened": None}
"""


def no_programs() -> Path:
    """Where PostgreSQL is not installed."""
    raise MissingProgram(program="initdb", way="install it")


@pytest.mark.parametrize("lacks", ["PostgreSQL", "[app]"])
def test_what_cannot_begin_leaves_an_earlier_report(
    lacks: str, shops: Street, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was rehearsed, and so nothing is known."""
    if lacks == "PostgreSQL":
        monkeypatch.setenv("MIDFLIGHT_DATABASE", "postgresql://nobody@nowhere/production")
        monkeypatch.setattr(cluster, "programs", no_programs)
    else:
        with (shops.folder / "kilo" / "shop.py").open("a") as code:
            code.write(UNSAID)
    done = rehearse(shops, shops.folder / "juno", *([] if lacks == "PostgreSQL" else ["--fleet", "shop:Unsaid"]))
    assert done.code == 64
    told = "initdb was not found" if lacks == "PostgreSQL" else "[app] opened: received None"
    assert told in done.err
    assert kept.read_text() == "# an earlier one\n"
    assert not [*shops.folder.glob("mf-rehearsal-*")]


def test_a_slip_on_the_road_is_a_step_that_failed(shops: Street, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever raises it: there is a report, and there are logs."""

    def slips(self: RealFleet, *words: str, **more: str) -> int:
        raise UsageError(reason=f"nobody knows {words[0]}")

    monkeypatch.setattr(RealFleet, "command", slips)
    done = rehearse(shops, shops.folder / "juno")
    assert done.code == 2
    assert "fail: the start: nobody knows db" in done.out
    assert tomllib.loads(kept.read_text())["failed"] == "the start: nobody knows db."
    assert len([*shops.folder.glob("mf-rehearsal-*/operator.toml")]) == 1


def test_a_report_that_could_not_be_written_is_told_before_anything_is_started(
    shops: Street, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not behind a rehearsal of hours."""
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("no folder")
    lived: list[Rehearsal] = []
    monkeypatch.setattr(Rehearsal, "_live", lived.append)
    done = rehearse(shops, shops.folder / "juno")
    assert (done.code, lived) == (64, [])
    assert f"{kept.parent}: a rehearsal's report cannot be written there: File exists" in done.err
