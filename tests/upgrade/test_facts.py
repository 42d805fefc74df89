"""What gates read of health, tests, traffic and batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from midflight.conductor.interface import Fleet, Member
from midflight.conductor.traffic import Traffic
from midflight.upgrade import gates, kinds, plan
from midflight.upgrade.kinds import KINDS
from midflight.upgrade.plan import Step
from midflight.upgrade.verdict import Fact, Status, Verdict
from tests.upgrade.fleets import (
    KILO,
    NOW,
    cloud,
    fleet,
    member,
    proven,
    rejection,
    self_tested,
    traffic,
    words,
)


def old_midflight(**fields: Any) -> Fleet:
    """What a conductor of an earlier midflight tells."""
    return cloud(health=None, traffic=[], self_tests=[], **fields)


@pytest.mark.parametrize("step", plan.STEPS, ids=lambda step: step.name)
def test_a_conductor_of_an_earlier_midflight_tells_less(step: Step) -> None:
    """Each gate says so; what it would have told blocks nothing, and nothing is made up."""
    verdict = step.gate(old_midflight(), KILO)
    assert "conductor@c1 (kilo) is of an earlier midflight: it knows no readings, tests and counts" in words(
        verdict, Status.WARN
    )
    assert {fact.kind for fact in verdict.because}.isdisjoint({kinds.DATABASE, kinds.SELF_TEST, kinds.LATENCY})


@pytest.mark.parametrize("step", plan.STEPS, ids=lambda step: step.name)
def test_a_picture_that_was_held_for_too_long_passes_no_gate(step: Step) -> None:
    """Of anybody: its facts are unknown, and the way out is to look again."""
    verdict = step.gate(cloud("kilo", "kilo", pins={}, migrations=[proven()], age=600.0), KILO)
    assert verdict.status in (Status.UNKNOWN, Status.FAIL)
    assert "look again" in verdict.way_out


def test_the_clock_of_a_conductor_is_the_databases() -> None:
    """One that is off makes all ages worth nothing, whichever way."""
    for offset, said in ((300.0, "5 min ahead of"), (-300.0, "5 min behind")):
        verdict = gates.roll(cloud("kilo", "kilo", health={"clock": [offset, 5.0]}), KILO)
        assert words(verdict, Status.UNKNOWN) == [f"the clock of conductor@c1 (kilo) is {said} the database's"]
    assert gates.roll(cloud("kilo", "kilo", health={"clock": [3.0, 5.0]}), KILO).status is Status.PASS


def test_who_beats_in_the_future_shows_that_clocks_differ() -> None:
    """Else such a member would never be lost."""
    ahead = member("compute", "n1", "kilo", seen_at=NOW + timedelta(hours=1))
    verdict = gates.roll(fleet(member("api", "web", "kilo"), ahead), KILO)
    assert words(verdict, Status.UNKNOWN) == [
        "compute@n1 beat in the future of conductor@c1 (kilo), by 60 min: the clocks of conductors differ"
    ]


def test_a_long_transaction_keeps_the_schema_from_being_changed() -> None:
    """A reading that is too high fails with the number, and one that cannot be read is unknown."""
    slow = {"oldest transaction": [700.0, 300.0], "replica lag": [0.0, 10.0]}
    for gate in (gates.prepare, gates.schema):
        assert words(gate(cloud(health=slow), KILO), Status.FAIL) == ["oldest transaction: 700, at most 300"]
    unknown = gates.prepare(cloud(health={"statistics": []}), KILO)
    way_out = ("GRANT pg_monitor TO the role that the conductors connect as",)
    assert (unknown.status, unknown.way_out) == (Status.UNKNOWN, way_out)
    well = gates.prepare(cloud(health={"oldest transaction": [1.5, 300.0]}), KILO)
    assert "the database is well (oldest transaction 1.5)" in words(well, Status.PASS)


def test_what_holds_the_rows_back_is_told_with_them() -> None:
    """The brake blocks; a throttle or a probe is something to wait for."""
    writers = cloud("kilo", "kilo", migrations=[proven()])
    assert "no throttle and no probe holds the rows" in words(gates.data(writers, KILO), Status.PASS)
    braked = gates.data(cloud("kilo", "kilo", migrations=[proven()], brake=True), KILO)
    assert (braked.status, braked.way_out) == (Status.FAIL, ("midflight data brake --release",))
    held = gates.data(cloud("kilo", "kilo", migrations=[proven()], held="replica lag 20 s, at most 10 s"), KILO)
    assert words(held, Status.WARN) == ["rows wait: replica lag 20 s, at most 10 s"]


def test_control_waits_for_the_tests_of_new_members() -> None:
    """Of those that open the database: one that failed fails, with what, and one that is not there is unknown."""
    api, conductor = member("api", "web", "kilo"), member("conductor", "c1", "kilo")
    good = gates.control(fleet(api, conductor), KILO)
    said = "all who opened the database with kilo or later tested themselves well: api@web, conductor@c1"
    assert said in words(good, Status.PASS)
    broken = [self_tested(api), self_tested(conductor, **{"read machines": "no such column: note"})]
    failed = gates.control(fleet(api, conductor, self_tests=broken), KILO)
    assert words(failed, Status.FAIL) == [
        "conductor@c1 tested itself 30 s ago, and failed (read machines: no such column: note)"
    ]
    untested = gates.control(fleet(api, conductor, self_tests=[self_tested(api)]), KILO)
    assert words(untested, Status.UNKNOWN) == ["conductor@c1 has not tested itself: it runs an earlier midflight"]


def test_the_code_that_runs_is_the_code_that_expanded() -> None:
    """Two copies of one release with other revision files are named; a later release may have expanded since."""
    conductor = member("conductor", "c1", "kilo")
    deployed = fleet(conductor, self_tests=[self_tested(conductor, schema="aaaa")], schema_digest="bbbb")
    assert words(gates.control(deployed, KILO), Status.FAIL) == [
        "conductor@c1 has other revision files (aaaa) than the copy of kilo that expanded the schema (bbbb)"
    ]
    for other in ({"schema_digest": "aaaa"}, {"schema_digest": "bbbb", "schema_release": "liberty"}):
        same = fleet(conductor, self_tests=[self_tested(conductor, schema="aaaa")], **other)
        assert gates.control(same, KILO).status is Status.PASS


MIXED: dict[str, Any] = {"control": "kilo", "agents": "juno"}


def soaked_with(recent: Traffic, before: Traffic) -> list[Fact]:
    """What a soak says of traffic."""
    verdict = gates.soak(cloud(**MIXED, traffic=[recent, before]), KILO, window=0.0, clean_for=1.0)
    return [fact for fact in verdict.because if fact.source == "traffic"]


def test_a_soak_is_compared_with_the_hour_before() -> None:
    """Failures, p95 and backports, each with both numbers; twice as many, and enough to matter, fail."""
    before = traffic(60, 6000, failed=60, p95=0.010, backports=0)
    alike = soaked_with(traffic(5, 500, failed=5, p95=0.012, backports=600), before)
    assert [fact.words for fact in alike] == [
        "1.00% of 500 calls failed, 1.00% in the 60 min before",
        "95 of 100 calls took 12.0 ms at most, 10.0 ms in the 60 min before",
        "2.0 objects a second were translated, 0.0 in the hour before",
    ]
    assert {fact.status for fact in alike} == {Status.PASS}
    worse = soaked_with(traffic(5, 500, failed=20, p95=0.030), before)
    assert [fact.name for fact in worse if fact.status is Status.FAIL] == ["failures", "latency"]


def test_what_is_small_may_double() -> None:
    """One failure where there was none, or a millisecond more, says nothing."""
    said = soaked_with(traffic(5, 500, failed=1, p95=0.003), traffic(60, 6000, failed=0, p95=0.001))
    assert {fact.status for fact in said} == {Status.PASS}


def test_a_quiet_fleet_is_compared_with_nothing_and_says_so() -> None:
    """But one that fell quiet in the soak is something to know."""
    (quiet,) = soaked_with(traffic(5, 12), traffic(60, 99))
    assert (
        quiet.words == "12 calls in the last 5 min, 99 in the 60 min before: too few to compare, 100 are needed in each"
    )
    (fell,) = soaked_with(traffic(5, 12), traffic(60, 6000))
    assert (fell.status, fell.name) == (Status.WARN, "failures")
    assert "less than a tenth of the traffic is left" in fell.words


def test_counts_that_no_conductor_has_kept_for_minutes_are_unknown() -> None:
    """They say nothing of now: nobody knows whether calls fail."""
    for minutes, status in ((2, Status.PASS), (4, Status.UNKNOWN)):
        last, before = traffic(5, 600, p95=0.01), traffic(60, 6000, p95=0.01)
        last.until = NOW - timedelta(minutes=minutes)
        (failures, *_) = soaked_with(last, before)
        assert (failures.status, failures.age) == (status, 60.0 * minutes)


def test_unpin_waits_while_an_older_release_is_heard_that_nobody_counts() -> None:
    """A script or a guest; what a member sent before it was upgraded does not count."""

    def heard(*senders: str) -> Verdict:
        recent = traffic(5, 10, senders=dict.fromkeys(senders, 3))
        return gates.unpin(cloud("kilo", "kilo", traffic=[recent, traffic(60)]), KILO)

    assert heard("compute@n1 (juno)", "guest@desk (kilo)", "api@old (liberty)").status is Status.PASS
    script = heard("guest@desk (juno)", "others")
    assert words(script, Status.FAIL) == ["an older release was heard in the last 5 min: guest@desk (juno), others"]


def test_the_last_batch_is_alive_and_clean() -> None:
    """Those that joined within ten minutes of the last one; a message of one of them that was rejected is told."""

    def came(host: str, minutes: float, **fields: Any) -> Member:
        return member("compute", host, "kilo", joined_at=NOW - timedelta(minutes=minutes), **fields)

    well = fleet(member("api", "web", "kilo"), came("n1", 60), came("n2", 5), came("n3", 1), member("compute", "n4"))
    assert "the last 2 that came to kilo are alive, and had nothing rejected" in words(
        gates.roll(well, KILO), Status.PASS
    )
    dead = gates.roll(fleet(came("n1", 60), came("n2", 5, state="lost", age=180.0)), KILO)
    assert words(dead, Status.FAIL) == ["compute@n2 is lost: last heard 3 min ago, with kilo"]
    before = gates.roll(fleet(came("n1", 2), rejections=[rejection(age=300)]), KILO)
    assert before.status is Status.PASS  # that was before it was upgraded
    troubled = gates.roll(fleet(came("n1", 10), rejections=[rejection(age=300)]), KILO)
    assert words(troubled, Status.FAIL) == ["compute@n1, of the last batch, had messages rejected"]


USES = {
    "juno": frozenset({"table items", "column items.price"}),
    "kilo": frozenset({"table items", "column items.price", "column items.cents", "table parts", "column parts.id"}),
}


def test_what_was_expanded_is_really_there() -> None:
    """For the target, and for the release before it until that may not open the database any more; a table that is
    missing stands for its columns. Of a schema that is not expanded yet, nothing is said."""
    aim, whole = replace(KILO, uses=USES), sorted(USES["kilo"])
    passed = "the database has all that kilo and juno use"
    for gate in (gates.schema, gates.control):
        assert passed in words(gate(cloud("kilo", catalogue=whole), aim), Status.PASS)
        torn = gate(cloud("kilo", catalogue=["table items", "column items.cents"]), aim)
        assert words(torn, Status.FAIL) == [
            "the database lacks what kilo uses: column items.price, table parts",
            "the database lacks what juno uses: column items.price",
        ]
    assert "midflight db status, from a copy of kilo" in torn.way_out[0]
    hidden = gates.schema(cloud(catalogue=["table items"], hidden={"0002c": NOW}), aim)
    assert hidden.way_out == ("midflight db contract --undo",)
    without = USES["kilo"] - {"column items.price"}
    behind_the_door = cloud("kilo", store_floor="kilo", catalogue=sorted(without))
    verdict = gates.schema(behind_the_door, replace(aim, uses={**USES, "kilo": without}))
    assert "the database has all that kilo uses" in words(verdict, Status.PASS)
    for untold in (cloud(catalogue=None), cloud(schema_release="juno", catalogue=[])):
        assert kinds.CATALOGUE not in {fact.kind for fact in gates.schema(untold, aim).because}


def test_the_schema_step_is_not_done_while_something_of_it_is_missing() -> None:
    """The plan goes back to it, whatever the record says."""
    aim = replace(KILO, uses=USES)
    whole, torn = (cloud(catalogue=sorted(USES["kilo"] - gone)) for gone in (set(), {"column items.cents"}))
    assert plan.here(whole, aim) == 3
    assert plan.here(torn, aim) == 1


def test_of_thousands_some_are_named() -> None:
    """And how many there are besides."""
    many = fleet(*(member("compute", f"n{number:04}") for number in range(3000)))
    (left,) = words(gates.roll(many, KILO), Status.WARN)
    assert left.startswith("3000 of 3000 agents left: compute@n0000 (juno), ")
    assert left.endswith("compute@n0019 (juno) and 2980 more")


def test_nobody_waits_for_who_sleeps() -> None:
    """It is listed, and first among what cannot be undone; the gates of those who are awake pass."""
    sleeper = member("compute", "pi", "juno", state="asleep", epoch=1)
    asleep = fleet(*cloud("kilo", "kilo").members, sleeper, pins={}, migrations=[proven()])
    for gate in (gates.unpin, gates.finalize, gates.roll):
        verdict = gate(asleep, KILO)
        assert [fact.name for fact in verdict.because if fact.status is not Status.PASS] == ["outdated:compute@pi"]
        assert verdict.is_settled
    assert gates.irreversible(asleep, KILO)[0] == "compute@pi (juno, asleep) can only upgrade when it wakes"
    again = member("compute", "pi", "kilo", state="outdated")
    assert gates.finalize(fleet(again, member("api", "web", "kilo"), migrations=[proven()]), KILO).status is Status.PASS


def test_the_page_of_gates_lists_every_kind() -> None:
    """With what it says, where it is read, how old it may be, and whether somebody may take its risk."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "gates.md").read_text()
    for kind in KINDS.values():
        if kind is kinds.OTHER:
            continue
        age = "–" if kind.source.max_age is None else f"{kind.source.max_age:g} s"
        row = f"| `{kind.name}` | {kind.says} | {kind.source.value} | {age} | {'yes' if kind.risk else 'no'} |"
        assert row in page


@pytest.mark.parametrize("step", plan.STEPS, ids=lambda step: step.name)
def test_the_page_of_gates_says_what_each_step_reads(step: Step) -> None:
    """Of fleets in all conditions, no gate has told of anything else."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "gates.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {step.number} {step.name} |")]
    listed = set(row.split("|")[2].replace(",", "").split())
    always = {"clock", "older", "lost", "draining", "stranger"}
    said: set[str] = set()
    for fleet_now in (cloud(), cloud("kilo", "juno"), cloud("kilo", "kilo", pins={}, migrations=[proven()])):
        said |= {fact.kind.name for fact in step.gate(fleet_now, replace(KILO, unlinted={})).because}
    assert said <= listed | always
