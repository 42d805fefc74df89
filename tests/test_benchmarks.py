"""The benchmarks say what they are asked for; how fast anything is, is no matter for a test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.data import __main__ as data
from benchmarks.data import faults
from benchmarks.fleet import __main__ as fleet
from benchmarks.growth import __main__ as growth
from benchmarks.growth import simulated
from benchmarks.imports import __main__ as imports
from benchmarks.rpc import __main__ as bench
from benchmarks.rpc.contenders import Contender, Process
from midflight import telemetry
from midflight.db.cluster import Cluster
from midflight.transports.embedded import EmbeddedBroker


@pytest.fixture(autouse=True)
def logging_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests of other things hear of the log is not the benchmarks' to change."""
    monkeypatch.setattr(telemetry, "configure", lambda **_: None)


async def test_a_turn(tmp_path: Path) -> None:
    """A contender, in processes of its own, makes calls of each kind; a skewed agent needs no second trip."""
    async with EmbeddedBroker(tmp_path / "nats") as broker:
        server = Process("ours", "serving", broker.url, tmp_path / "server")
        client = Process("older", "asking", broker.url, tmp_path / "client")
        turns = [Contender(client, server).run(load, 2, 0.01) for load in ("get", "save", "echo")]
        trips = client.ask("trips")
        client.end()
        server.end()
    assert all(turn.keys() == {"p50", "rate", "calls", "cpu"} and turn["calls"] for turn in turns)
    assert trips == 1


async def test_a_fleet_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents of each size join, beat, ask and are told; each figure is there, and its ratio from the smallest fleet to
    the largest."""
    monkeypatch.setattr(growth, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(simulated, "CALLS", 100)
    by_size = {number: await growth.fleet_of(number, 0.2) for number in (2, 4)}
    assert all(figures[name] > 0 for figures in by_size.values() for name in ("join_ms", "cast_ms", "fanout_ms"))
    assert growth.ratios(by_size).keys() == set(growth.WANTED)
    assert set(growth.WANTED) <= by_size[2].keys()


def test_a_fleet_that_is_too_large(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a fleet cannot be measured in the time that it may take, or with the files that it may open, the benchmark
    ends with one line that says so, and why."""
    monkeypatch.setattr("sys.argv", ["growth", "--sizes", "2"])
    monkeypatch.setattr(growth, "LONGEST_SECONDS", 0.0)
    assert growth.main() == 1
    assert "not measured: 2 agents, at start: TimeoutError: it took too long" in " ".join(
        capsys.readouterr().out.split()
    )
    monkeypatch.setattr(growth, "FILES", 10**9)
    assert growth.main() == 1
    assert "not measured: 2 agents open up to 2,000,000,200 files" in " ".join(capsys.readouterr().out.split())


def test_a_fleet_that_is_too_slow_to_leave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What was measured until then is shown and kept: all that is judged."""
    leave = simulated.Agents.leave

    async def late(agents: simulated.Agents) -> None:
        await leave(agents)
        raise TimeoutError

    monkeypatch.setattr("sys.argv", ["growth", "--sizes", "2", "--seconds", "0.2"])
    monkeypatch.setattr(growth, "ROOT", tmp_path)
    monkeypatch.setattr(growth, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(simulated, "CALLS", 20)
    monkeypatch.setattr(simulated.Agents, "leave", late)
    assert growth.main() == 0
    figures = json.loads((tmp_path / "build/bench/growth.json").read_text())["agents"]["2"]
    assert set(growth.WANTED) <= figures.keys()
    assert "leave_ms" not in figures
    said = capsys.readouterr().out
    assert "not measured" not in said
    assert "2 agents took too long to leave" in said


async def test_a_fleet_that_is_simulated(postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated members join, beat, and acknowledge each pin; there is a figure for each target."""
    monkeypatch.setattr(fleet, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(fleet, "SETTLED_SECONDS", 0.0)
    figures = await fleet.fleet_of(6, 0.4, postgres.create())
    assert fleet.TARGETS.keys() <= figures.keys()
    assert figures["beats"] >= 6
    assert figures["unacknowledged"] == 0


def test_figures() -> None:
    """Each figure has our value, the other's and their ratio, and there is a target for each."""
    turn = {"p50": 2.0, "rate": 4.0, "cpu": 1.0, "calls": 1.0}
    slow = {"p50": 10.0, "rate": 1.0, "cpu": 10.0, "calls": 1.0}
    medians = {
        f"{load} {in_flight}": {name: slow if name == "incumbent" else turn for name in bench.CONTENDERS}
        for load, in_flight in bench.LOADS
    }
    figures = bench.figures(medians, {"nats": 1, "older": 1})
    assert figures.keys() == bench.TARGETS.keys()
    assert {row.keys() == {"ours", "incumbent", "ratio"} for row in figures.values()} == {True}
    assert [figures[name]["ratio"] for name in ("nats_get_p50", "amqp_get_rate16", "cpu_share")] == [5.0, 4.0, 0.1]
    assert bench.holds(5.0, ">= 5")
    assert not bench.holds(1.2, "<= 1.1")


def test_rows_beside_a_loop(tmp_path: Path) -> None:
    """Each contender migrates a table of its own; the figures are ratios, and there is a target for each."""
    numbers = iter(range(9))
    rows = data.rows_of(lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db", 200, 0.1)
    assert rows.keys() == {"ours 2", "ours 20", "ours 200", "loop 100", "loop 1000", "loop 10000"}
    kills = {"kills_lost": 0, "kills_twice": 0, "kills_proven": 1}
    writer = {"without": {"p99_ms": 2.0}, "during": {"p99_ms": 3.0}}
    measured = {"pg": rows, "sqlite": rows, "foreground": writer, "ddl_worst_select_s": 0.5}
    figures = data.figures(measured | {"kills pg": kills, "kills sqlite": kills}, 200)
    assert figures.keys() == data.TARGETS.keys()
    assert (figures["pg_foreground_p99_ratio"], figures["kills_proven"]) == (1.5, 2)
    assert data.holds(0, "<= 0")
    assert not data.holds(2.1, "<= 2")


def test_a_table_in_a_pipe_cuts_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Of fleets in three sizes, with all that is wanted of them."""
    fleet.show({number: dict.fromkeys(fleet.TARGETS, 1_234.5) for number in fleet.SIZES})
    written = capsys.readouterr().out
    assert all(text in written for each in fleet.TARGETS.items() for text in each)
    assert "…" not in written


def test_a_sweeper_that_is_killed(tmp_path: Path) -> None:
    """Every row is migrated exactly once, by the count of the database itself, and that is proven. (On a busy machine
    one of the sweepers may have ended before it is killed.)"""
    found = faults.kills(f"sqlite:///{tmp_path}/killed.db", 5_000, times=3)
    assert found.pop("kills") in (1, 2, 3)
    assert found == {"kills_lost": 0, "kills_twice": 0, "kills_proven": 1}


def test_imports_are_told_as_shares_of_the_incumbent_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each contender is imported in a process of its own, and what is imported more has more in memory."""
    monkeypatch.setattr(imports, "INCUMBENT", "sqlalchemy")
    found = imports.by_turns(sys.executable, 1)
    told = imports.figures(found)
    assert {*imports.WANTED} <= told.keys()
    assert found["import"].modules < found["declaring"].modules < found["agent"].modules < found["conductor"].modules
    assert told["import_mb"] < told["agent_mb"] < told["conductor_mb"]
