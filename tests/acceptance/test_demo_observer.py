from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo import proc, report
from demo.counts import Stalls, interruption, last, pauses
from demo.observer import observe, percentile
from demo.rows import Rows, flavor_name

from tests.acceptance.handmade import GONE, KEPT, Handmade, filled, request, view


@pytest.fixture
def made(tmp_path: Path) -> Handmade:
    return Handmade(tmp_path)


def observed(made: Handmade) -> dict[str, Any]:
    return observe(made.write())


def test_a_good_run(made: Handmade) -> None:
    """Where all is as promised, every zero is a zero, and the rest is counted."""
    figures = observed(made)
    zeros = {name: figures[name] for name in report.ZEROS}
    assert zeros == dict.fromkeys(report.ZEROS, 0), figures["details"]
    assert (figures["requests"], figures["instances"], figures["migrated"], figures["deferred"]) == (9, 2, 10, 2)
    assert (figures["paused"], figures["old_home"]) == (1, [])
    assert figures["backports"] == {"sender": 8, "reply": 2, "receiver": 0}
    assert figures["seconds"] == 10.0
    assert figures["engine"] == {"broker": "nats-server 2", "database": "SQLite 3"}
    assert figures["rows_disagree"] == ""


@pytest.mark.parametrize(
    "wrong",
    [{"status": 0, "error": "ConnectionResetError"}, {"status": 500}, {"status": 409}, {"status": 302}, {"ms": 2000.1}],
)
def test_failed(made: Handmade, wrong: dict[str, Any]) -> None:
    """A reset, anything but a 2xx, and an answer after two seconds is a failed request, in its step and in all."""
    made.load.append(request(14.5, "read", "another", saw=view()) | wrong)
    figures = observed(made)
    assert figures["failed"] == 1
    assert [step["failed"] for step in figures["steps"]] == [0, 1]
    assert len(figures["details"]["failed"]) == 1


def test_the_percentiles_of_a_step(made: Handmade) -> None:
    """They are over the requests that were sent while it lasted."""
    made.load[-1]["ms"] = 90.0
    control, data = observed(made)["steps"]
    assert (control["requests"], control["p50"], control["p99"]) == (4, 20.0, 20.0)
    assert (data["requests"], data["p50"], data["p99"]) == (5, 20.0, 90.0)
    assert percentile(list(range(1, 101)), 0.99) == 100
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("pid", "number", "t"),
    [(99, 51, 15.6), (70, 53, 15.6), (70, 1, 15.6), (70, 51, 16.01)],
    ids=["another pid", "lost counts", "began anew", "late"],
)
def test_interrupted(made: Handmade, pid: int, number: int, t: float) -> None:
    """A changed pid, a count out of order, or a gap over half a second is an interruption."""
    counts = made.counts[KEPT]
    made.counts[KEPT] = [*counts[:50], (pid, number, t), *counts[52:]]
    assert observed(made)["instances_interrupted"] == 1


def test_silent_at_the_end(made: Handmade) -> None:
    """An instance that should live, but had not counted for half a second when somebody looked, was interrupted."""
    made.counts[KEPT] = made.counts[KEPT][:-10]
    assert observed(made)["instances_interrupted"] == 1


def test_an_end_that_was_asked_for(made: Handmade) -> None:
    """What an instance does after its delete was sent interrupts nobody; a silence before that does."""
    made.counts[GONE] = made.counts[GONE][:44]
    assert observed(made)["instances_interrupted"] == 0


def test_an_end_too_early(made: Handmade) -> None:
    """An instance whose count ends before its end was asked for was interrupted."""
    made.counts[GONE] = made.counts[GONE][:30]
    assert observed(made)["instances_interrupted"] == 1


def test_a_noted_reboot(tmp_path: Path) -> None:
    """A word behind a line is no count, on whichever side of one it comes; the count goes on after it."""
    counted = tmp_path / "counted"
    counted.write_text("7 0 1.0 started\n7 1 1.1\n7 1 1.15 rebooted\n7 2 1.2\n7 3 1.29 rebooted\n7 3 1.3\n7 4 1.4 half")
    assert interruption(counted, 1.4) == ""
    counted.write_text("7 0 1.0 started\n7 1 1.1\n8 0 1.15 started\n8 1 1.2\n")
    assert interruption(counted, 1.4) == "pid 7 became 8"


STOOD_STILL = ["7 1 1.0", "7 2 1.1", "7 2 1.15 paused", "7 2 9.0 resumed", "7 3 9.1"]


@pytest.mark.parametrize(
    ("lines", "until", "said"),
    [
        (STOOD_STILL, 9.2, ""),
        (STOOD_STILL[:3], 9.2, ""),
        (STOOD_STILL, 9.7, "no count in the last 0.60 s of its life"),
        (STOOD_STILL[:4], 9.7, "no count in the last 0.70 s of its life"),
        ([*STOOD_STILL[:3], "7 3 1.2", *STOOD_STILL[3:]], 9.2, "it counted 3 while it was paused"),
        ([*STOOD_STILL[:2], "7 2 1.7 paused"], 9.2, "0.60 s without a count after 2"),
        ([*STOOD_STILL[:4], "7 3 9.6"], 9.6, "0.60 s without a count after 2"),
        ([*STOOD_STILL[:4], "7 4 9.1"], 9.2, "count 2 was followed by 4"),
    ],
)
def test_a_pause(tmp_path: Path, lines: list[str], until: float, said: str) -> None:
    """Between the two words there is silence, and only there; what is missing before, after or beyond is found."""
    counted = tmp_path / "counted"
    counted.write_text("\n".join([*lines, ""]))
    assert interruption(counted, until) == said
    assert pauses(counted) == int(any("resumed" in line for line in lines))


@pytest.mark.parametrize("lines", [0, 1, 2, 3, 100])
def test_the_last_count(tmp_path: Path, lines: int) -> None:
    """It is found from the end of the file, however long that is; half a line is none."""
    counted = tmp_path / "counted"
    counted.write_text("".join(f"7 {n} {n / 10}\n" for n in range(lines)) + "7 99")
    found = last(counted)
    assert (found.number if found else None) == (lines - 1 if lines else None)


LOSSES: dict[str, dict[str, Any]] = {
    "the API forgot a resize": {"api": view(flavor="small")},
    "the rows forgot a resize": {"row": view(flavor="small")},
    "the API forgot a migration": {"api": view(host="agent-1")},
    "a reboot was not counted": {"row": view(reboots=0)},
    "it is never done": {"api": view(task_state="resizing"), "row": view(task_state="resizing")},
    "it is in error": {"api": view(vm_state="error"), "row": view(vm_state="error")},
    "the API lost it": {"api": None},
    "the rows lost it": {"row": None},
    "its process is gone": {"machine": Handmade.machine(False, "agent-2")},
    "its record is elsewhere": {"machine": Handmade.machine(True, "agent-1")},
    "its record is gone": {"machine": Handmade.machine(True, None)},
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_lost_at_the_end(made: Handmade, loss: dict[str, Any]) -> None:
    """Every acknowledged change must be there at the end, wherever one looks, and is counted once."""
    made.witness[2] |= loss
    figures = observed(made)
    assert figures["lost_updates"] == 1, figures["details"]["lost"]


@pytest.mark.parametrize("left", [{"api": view()}, {"row": view()}, {"machine": Handmade.machine(True, None)}])
def test_a_delete_that_did_not_last(made: Handmade, left: dict[str, Any]) -> None:
    """What was deleted must be gone from the API, the rows, the records and /proc."""
    made.witness[3] |= left
    assert observed(made)["lost_updates"] == 1


def test_nobody_looked(made: Handmade) -> None:
    """A promise that was not looked at in the end counts as broken."""
    del made.witness[2]
    assert observed(made)["lost_updates"] == 1


@pytest.mark.parametrize("stale", [{"flavor": "small"}, {"host": "agent-1"}, {"reboots": 0}])
def test_a_stale_read(made: Handmade, stale: dict[str, Any]) -> None:
    """An idle instance that is shown as it was before an acknowledged change is a lost update, though right later."""
    made.load[-1]["saw"] = view(**stale)
    made.load.append(request(17.0, "read", KEPT, saw=view()))
    assert observed(made)["lost_updates"] == 1


def test_a_change_under_way(made: Handmade) -> None:
    """While a write is not answered, both values are right."""
    made.load += [request(17.0, "resize", KEPT, want={"flavor": "huge"}, ms=900.0)]
    made.load += [request(17.1, "read", KEPT, saw=view(flavor=flavor)) for flavor in ("large", "huge")]
    made.witness[2] |= {"api": view(flavor="huge"), "row": view(flavor="huge")}
    assert observed(made)["lost_updates"] == 0


def test_an_uncertain_change(made: Handmade) -> None:
    """A write without an answer failed; whether it had its effect, or not, or is still at it: nothing is lost."""
    made.load += [request(17.0, "resize", KEPT, want={"flavor": "huge"}, status=0)]
    made.witness[2] |= {"api": view(flavor="huge"), "row": view(task_state="resizing")}
    figures = observed(made)
    assert (figures["lost_updates"], figures["failed"]) == (0, 1)


def test_an_uncertain_change_to_something_else(made: Handmade) -> None:
    """An uncertain write does not excuse a value that nobody asked for."""
    made.load += [request(17.0, "resize", KEPT, want={"flavor": "huge"}, status=0)]
    made.witness[2] |= {"api": view(flavor="small"), "row": view()}
    assert observed(made)["lost_updates"] == 1


def test_a_refused_change(made: Handmade) -> None:
    """A 4xx failed, and surely had no effect."""
    made.load += [request(17.0, "resize", KEPT, want={"flavor": "huge"}, status=409)]
    made.witness[2] |= {"api": view(flavor="huge"), "row": view()}
    assert observed(made)["lost_updates"] == 1


def test_an_uncertain_delete(made: Handmade) -> None:
    """Whether an instance lives whose delete was not answered, nobody promised."""
    made.load[7]["status"] = 0
    assert observed(made)["lost_updates"] == 0


def rejected(side: str, log: str) -> dict[str, Any]:
    """What the log of one end says of a rejected message."""
    parties = {"sender": "api@api-1", "sender_release": "kilo", "pin_epoch": 3, "receiver": "compute@agent-1"}
    what = {"method": "compute.reboot", "requested": "4.0", "understood": "3.35", "receiver_release": "juno"}
    return {"event": "rpc.version_rejected", "side": side, "service": log, **parties, **what}


def test_rejected_versions(made: Handmade) -> None:
    """Each rejected message counts once, at the end that tells more; the report names both ends, method, versions and
    logs."""
    made.logs["agent-1.1.jsonl"] = [rejected("receiver", "agent")]
    made.logs["api-1.2.jsonl"] += [rejected("sender", "api"), rejected("sender", "api")]
    figures = observed(made)
    assert figures["rejected_versions"] == 2
    assert figures["details"]["rejected"] == [
        {
            "sender": "api@api-1",
            "sender_release": "kilo",
            "pin_epoch": "3",
            "receiver": "compute@agent-1",
            "receiver_release": "juno",
            "method": "compute.reboot",
            "requested": "4.0",
            "understood": "3.35",
            "messages": 2,
            "receiver_logs": ["agent-1.1.jsonl"],
            "sender_logs": ["api-1.2.jsonl"],
        }
    ]


def test_a_killed_process_counts_until_its_last_word(made: Handmade) -> None:
    """Backports are the last counters of each process, all processes together."""
    made.logs["conductor-1.1.jsonl"] = [made.counters(reply=5), {"event": "other"}]
    assert observed(made)["backports"] == {"sender": 8, "reply": 7, "receiver": 0}


@pytest.mark.parametrize(
    ("printed", "migrated", "deferred"),
    [
        ("10 instances matched query, 10 completed", 10, 0),
        ("migrate_flavor_data: 10 instances matched query, 10 completed", 10, 0),
        ("7 instances matched query, 0 completed (5 deferred: resizing 3, error 2; 2 failed)", 0, 5),
        ("7 instances matched query, 5 completed (2 failed)", 5, 0),
        ("migrate_flavor_data is done", 0, 0),
    ],
)
def test_data_lines(made: Handmade, printed: str, migrated: int, deferred: int) -> None:
    """What was migrated and deferred is read from the printed lines."""
    made.commands = [{"lines": [printed]}]
    figures = observed(made)
    assert (figures["migrated"], figures["deferred"]) == (migrated, deferred)


@pytest.mark.parametrize(
    ("look", "facts", "said"),
    [
        (1, {"unmigrated": ["a"]}, "1 rows have not the new form"),
        (0, {"unmigrated": ["a"]}, "only 1 were to be done"),
        (1, {"completed": 7}, "7 it wrote down"),
    ],
)
def test_the_rows_contradict(made: Handmade, look: int, facts: dict[str, Any], said: str) -> None:
    """Printed lines that the rows do not bear out are not believed."""
    made.witness[look] |= facts
    assert said in observed(made)["rows_disagree"]


def test_releases(made: Handmade) -> None:
    """Each member's code paths, in the order in which it ran them."""
    assert observed(made)["releases"] == {
        "api-1": [
            {"release": "juno", "code": "/srv/juno/compute"},
            {"release": "liberty", "code": "/srv/liberty/compute"},
        ]
    }


@pytest.mark.parametrize("lie", [{"release": "juno"}, {"code": "/srv/juno/compute"}, {"code": "/srv/libertywatt"}])
def test_a_process_that_ran_other_code(made: Handmade, lie: dict[str, Any]) -> None:
    """Where /proc, the log and the supervisor's word differ, the process is named."""
    made.logs["api-1.2.jsonl"][0] |= lie
    figures = observed(made)
    assert [process["name"] for process in figures["disagreeing"]] == ["api-1"]
    assert any("api-1 should be liberty" in line for line in report.wrong(figures | {"stopped": ""}, 1))


def test_writes_at_a_restart(made: Handmade) -> None:
    """The writes that were under way at the SIGTERM, and until the exit."""
    [restart] = observed(made)["restarts"]
    assert (restart["member"], restart["writes_in_flight"], restart["writes_meanwhile"]) == ("api-1", 0, 1)


# The verdict


def test_the_verdict_of_a_good_run(made: Handmade) -> None:
    """Nothing is wrong with it but that it is small: there are too few requests, of too few kinds."""
    figures = observed(made) | {"stopped": ""}
    assert report.wrong(figures, 9) == []
    assert report.wrong(figures, 10) == ["requests is 9, fewer than 10"]


@pytest.mark.parametrize("name", [*report.ZEROS, *report.NOT_ZEROS])
def test_each_figure_can_fail(made: Handmade, name: str) -> None:
    """A figure that is not as promised is named."""
    figures = observed(made) | {"stopped": "", name: int(name in report.ZEROS)}
    assert len(report.wrong(figures, 1)) == 1
    assert report.wrong(figures, 1)[0].startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"backports": {"sender": 0, "reply": 1}}, "backports.sender is 0"),
        ({"backports": {"sender": 1, "reply": 0}}, "backports.reply is 0"),
        ({"mix": {"delete": 4.9}}, "delete is 4.9 % of the requests"),
        ({"stopped": "soak: refused"}, "the road ended early: soak: refused"),
        ({"rows_disagree": "the rows have not"}, "the rows have not"),
        ({"releases": {"api-1": [{"release": "kilo"}]}}, "api-1 ended as kilo, not liberty"),
        ({"old_home": None}, "the old home of flavors is there still: nobody looked"),
        ({"old_home": ["mf_held_x"]}, "the old home of flavors is there still: ['mf_held_x']"),
        ({"restarts": [{"member": "api-1", "release": "juno", "writes_meanwhile": 0}]}, "no write was in flight"),
    ],
)
def test_the_rest_can_fail_too(made: Handmade, changed: dict[str, Any], said: str) -> None:
    """Every other promise is checked as well."""
    assert any(said in line for line in report.wrong(observed(made) | {"stopped": ""} | changed, 1))


# The rows


@pytest.mark.parametrize(
    ("form", "flavor"), [(None, "old"), ("both, read old", "old"), ("both, read new", "new"), ("new", "new")]
)
def test_the_rows_have_one_truth(database_url: str, form: str | None, flavor: str) -> None:
    """The write form says which of the two forms is read."""
    with filled(database_url, "old", "new", form) as rows:
        assert rows.instances()[KEPT]["flavor"] == flavor


@pytest.mark.parametrize(("new", "unmigrated"), [(None, [KEPT]), ("other", [KEPT]), ("same", [])])
def test_what_is_to_be_migrated(database_url: str, new: str | None, unmigrated: list[str]) -> None:
    """Rows whose new form is missing or says something else, by content."""
    with filled(database_url, "same", new) as rows:
        assert rows.unmigrated() == unmigrated


@pytest.mark.parametrize("form", ["both, read old", "new"])
def test_a_flavor_that_somebody_sets(database_url: str, form: str) -> None:
    """It is there in both forms, and in the new one alone where the home of the old one is gone."""
    with filled(database_url, "old", "new", form) as rows:
        rows.set_flavor(KEPT, "another")
        assert rows.instances()[KEPT]["flavor"] == "another"
        assert rows.unmigrated() == []
        rows.change("DROP TABLE instance_system_metadata")
        rows.change("UPDATE mf_forms SET form = 'new'")
        rows.set_flavor(KEPT, "third")
        assert rows.instances()[KEPT]["flavor"] == "third"
        assert "instance_system_metadata" not in rows.tables()


def test_the_engine(database_url: str) -> None:
    """It says its own name and version."""
    name = {"s": "SQLite 3.", "p": "PostgreSQL "}[database_url[0]]
    with Rows(database_url) as rows:
        assert rows.engine().startswith(name)


def test_flavors_at_rest() -> None:
    """A versioned object's name is found whether its fields lie flat or under data."""
    assert flavor_name('{"name": "large"}') == flavor_name('{"data": {"name": "large"}}') == "large"
    assert flavor_name(None) is None


# Processes


def test_a_zombie_has_ended() -> None:
    """A process that nobody has waited for is not alive."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.stdin
    assert proc.alive(child.pid)
    assert proc.is_ours(child.pid, "input()")
    assert not proc.is_ours(child.pid, "something else")
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not proc.alive(child.pid)
    child.wait()
    assert not proc.kill(child.pid, "input()")


@pytest.mark.parametrize(
    ("all_of_them", "silent", "seconds", "said"),
    [
        (12, 6, 0.6, ""),
        (40, 6, 0.6, "0.60 s without a count after 10"),
        (12, 1, 0.6, "0.60 s without a count after 10"),
        (3, 3, 0.6, "0.60 s without a count after 10"),
        (12, 12, 1.1, "1.10 s without a count after 10"),
    ],
    ids=["many", "too few of all", "one", "few in all", "too long"],
)
def test_a_processor_that_stands_still(
    tmp_path: Path, all_of_them: int, silent: int, seconds: float, said: str
) -> None:
    """A short silence that many instances share is the machine's; any other is an interruption."""
    for who in range(all_of_them):
        late = seconds - 0.1 if who < silent else 0.0
        at = [number / 10 + who / 1000 + (late if number > 10 else 0.0) for number in range(21)]
        lines = [f"{who} {number} {t:.4f}\n" for number, t in enumerate(at)]
        (tmp_path / f"{who}.count").write_text("".join(lines))
    stalls = Stalls.of(tmp_path.glob("*.count"))
    assert interruption(tmp_path / "0.count", 2.0 + seconds - 0.1, stalls) == said
