"""Each part of an examination, well and not well."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from midflight import Project
from midflight.config import Config, Credentials
from midflight.db.clock import now
from midflight.db.schema.runner import SchemaRunner
from midflight.transports.embedded import EmbeddedBroker
from midflight.upgrade import doctor
from midflight.upgrade.doctor import Finding
from midflight.upgrade.verdict import Status
from tests.upgrade.fleets import fleet, lost, member

EMPTY = Project("empty")


def config(folder: Path, **given: object) -> Config:
    """A configuration in a folder."""
    said = {"project": "p:p", "broker": "memory:nobody", "path": str(folder / "midflight.toml"), **given}
    return Config(**said)  # type: ignore[arg-type]


def only(findings: object, part: str) -> list[tuple[str, str]]:
    """What was found in one part."""
    assert isinstance(findings, list)
    return [(each.status.value, each.words) for each in findings if each.part == part]


def test_the_worst_finding_decides() -> None:
    """As in a gate, unknown is never pass."""
    found = [Finding("a", status, "") for status in (Status.PASS, Status.UNKNOWN, Status.WARN)]
    assert doctor.worst(found) is Status.UNKNOWN


def test_a_state_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    """An examination changes nothing."""
    assert only([*doctor.here(config(tmp_path), EMPTY)], "state")[0][0] == "pass"
    assert not (tmp_path / "state").exists()


def test_a_state_folder_that_is_a_file_is_found(tmp_path: Path) -> None:
    """Nothing can be kept in it."""
    (tmp_path / "state").write_text("")
    ((status, words),) = only([*doctor.here(config(tmp_path), EMPTY)], "state")
    assert (status, words) == ("fail", f"{tmp_path}/state is no folder that this user may write")


@pytest.mark.parametrize(("mode", "status"), [(0o600, "pass"), (0o640, "warn"), (None, "fail")])
def test_a_secret_is_for_its_owner(tmp_path: Path, mode: int | None, status: str) -> None:
    """Others may not read it; and it has to be there."""
    seed = tmp_path / "seed"
    if mode is not None:
        seed.write_text("SUAC")
        seed.chmod(mode)
    found = [*doctor.here(config(tmp_path, credentials=Credentials(nkey=str(seed))), EMPTY)]
    ((said, words),) = only(found, "rights")
    assert (said, str(seed) in words, "SUAC" in words) == (status, True, False)
    assert mode is None or stat.S_IMODE(os.stat(seed).st_mode) == mode


def test_a_broker_for_everybody_is_told(tmp_path: Path) -> None:
    """But for one on this machine; and a password is not repeated."""
    for broker, told in (("nats://broker:4222", 1), ("nats://u:cr-et@broker:4222", 0), ("nats://127.0.0.1:1", 0)):
        found = only([*doctor.here(config(tmp_path, broker=broker), EMPTY)], "rights")
        assert (len(found), "cr-et" in str(found)) == (told, False)


def test_code_without_a_frozen_release_is_told(tmp_path: Path) -> None:
    """Nobody can be pinned to it."""
    found = only([*doctor.here(config(tmp_path), EMPTY)], "releases")
    assert found == [("warn", "project empty has no frozen release")]


def test_no_database_is_well(tmp_path: Path) -> None:
    """Most services have none."""
    assert [each.status for each in doctor.database(config(tmp_path), EMPTY)] == [Status.PASS]


def test_a_schema_is_held_against_the_code(tmp_path: Path) -> None:
    """First it is not there, and then it is."""
    place = config(tmp_path, database=f"sqlite:///{tmp_path}/rows.db")
    before = [*doctor.database(place, EMPTY)]
    assert only(before, "database") == [("warn", f"{tmp_path}/rows.db is not there yet")]
    ((status, words),) = only(before, "schema")
    assert (status, words.startswith("the schema lacks the revisions mf0001")) == ("fail", True)
    assert not (tmp_path / "rows.db").exists()
    SchemaRunner(f"sqlite:///{tmp_path}/rows.db", None, None, "v1").expand()
    assert {each.status for each in doctor.database(place, EMPTY)} == {Status.PASS}


def test_a_database_that_cannot_be_opened_is_one_finding(tmp_path: Path) -> None:
    """Its schema is not asked for; and a password is not repeated."""
    url = "postgresql://u:cr-et@127.0.0.1:9/none"
    (found,) = doctor.database(config(tmp_path, database=url), EMPTY)
    assert (found.part, found.status, "cr-et" in found.words) == ("database", Status.FAIL, False)


@contextmanager
def nobody_special() -> Iterator[None]:
    """In the block, root is a user like others, to whom a folder may be closed."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_this_user_may_not_look_at_hides_no_other_part(tmp_path: Path) -> None:
    """A state folder and a database in a folder that is closed to it are told, and so is all the rest."""
    closed = tmp_path / "closed"
    closed.mkdir()
    place = config(tmp_path, state="closed/state", database=f"sqlite:///{closed}/rows.db")
    open_to_us = [*doctor.here(place, EMPTY), *doctor.database(place, EMPTY)]
    closed.chmod(0)
    with nobody_special():
        found = [*doctor.here(place, EMPTY), *doctor.database(place, EMPTY)]
    closed.chmod(0o700)
    assert [each.part for each in open_to_us] == ["state", "releases", "database", "schema"]
    failed = {each.part: str(closed) in each.words for each in found if each.status is Status.FAIL}
    assert (failed, only(found, "releases")) == ({"state": True, "database": True}, only(open_to_us, "releases"))


def test_what_the_database_has_against_a_look_is_one_finding(tmp_path: Path) -> None:
    """A table that is not what its name promises: nothing is known of the schema, and that is no pass."""
    with sqlite3.connect(tmp_path / "rows.db") as rows:
        rows.execute("CREATE TABLE mf_version (something_else)")
    rows.close()
    found = [*doctor.database(config(tmp_path, database=f"sqlite:///{tmp_path}/rows.db"), EMPTY)]
    assert [(each.part, each.status) for each in found] == [("database", Status.PASS), ("schema", Status.UNKNOWN)]
    assert found[1].words == "it could not be looked at: no such column: mf_version.version_num"


def test_a_postgresql_has_a_clock_and_rights(tmp_path: Path, postgresql_url: str) -> None:
    """The owner of the database may change its schema, and the clock is that of this machine."""
    found = [*doctor.database(config(tmp_path, database=postgresql_url), EMPTY)]
    words = [words for _, words in only(found, "database")]
    assert words[1:] == ["the clock of this machine agrees with that of the database"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "agrees with that of x"), (60, "is 60 s behind that of x"), (-60, "is 60 s ahead of that of x")],
)
def test_clocks_that_differ_are_told(seconds: float, words: str) -> None:
    """With by how much, and which way."""
    moment = now()
    fact = doctor._clock(moment + timedelta(seconds=seconds), moment, moment, "x")
    assert (fact.status is Status.PASS, fact.words) == (seconds == 0, f"the clock of this machine {words}")


@pytest.mark.parametrize("who", ["", "compute:secret@"])
async def test_a_broker_that_is_not_there(tmp_path: Path, who: str) -> None:
    """Is the one thing that is told, whoever asks."""
    (found,) = await doctor.fleet(config(tmp_path, broker=f"nats://{who}127.0.0.1:9"), EMPTY)
    assert (found.part, found.status) == ("broker", Status.FAIL)


async def test_a_broker_without_a_conductor(tmp_path: Path, broker: EmbeddedBroker) -> None:
    """What the fleet would say is unknown, and never pass."""
    answers, nobody = await doctor.fleet(config(tmp_path, broker=broker.url, call_seconds=0.2), EMPTY)
    assert (answers.status, nobody.part, nobody.status) == (Status.PASS, "conductor", Status.UNKNOWN)
    assert nobody.way_out == "midflight run conductor"


def test_the_fleet_s_own_facts_are_told() -> None:
    """Who is lost, who obeys an older epoch."""
    found = [*doctor.told(fleet(member("api", "web", "kilo", epoch=3), lost("compute", "n1"), pins={}), EMPTY)]
    bad = {(each.part, each.words.partition(" ")[0]) for each in found if each.status is Status.FAIL}
    assert bad == {("members", "compute@n1"), ("pins", "api@web")}
