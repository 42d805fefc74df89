"""``midflight metrics``: the fleet for Prometheus."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import cloud

Command = Callable[..., Outcome]


def test_it_is_printed_once(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text can be kept as a file for node_exporter."""
    employ(monkeypatch, FakeOperator(cloud()))
    outcome = midflight("metrics")
    found = {family.name: len(family.samples) for family in text_string_to_metric_families(outcome.out)}
    assert (outcome.code, outcome.err) == (0, "")
    assert (found["midflight_fleet_up"], found["midflight_gate_status"]) == (1, 0)
    for release in ("juno", "kilo"):
        midflight("release", "freeze", release)
    outcome = midflight("metrics", "--to", "kilo")
    found = {family.name: len(family.samples) for family in text_string_to_metric_families(outcome.out)}
    assert (found["midflight_fleet_up"], found["midflight_gate_status"]) == (1, 9 * 4)
    assert midflight("metrics", "--to", "lima").code == 64


@pytest.mark.parametrize("listen", ["9465", "web:port"])
def test_no_address(midflight: Command, shop: Shop, listen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what was expected."""
    employ(monkeypatch, FakeOperator(cloud()))
    outcome = midflight("metrics", "--listen", listen)
    assert outcome.code == 64
    assert outcome.err.startswith(f"error: command line: --listen: received {listen!r}, expected HOST:PORT")


def test_it_is_served_until_it_is_told_to_stop(shop: Shop, tmp_path: Path) -> None:
    """In a process of its own, which no conductor answers: it says so, and that it lives."""
    command = [sys.executable, "-m", "midflight.cli", "metrics", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            url = serving.stdout.readline().removeprefix("ready: ").strip()
            with urllib.request.urlopen(url, timeout=60) as answer:
                assert "midflight_fleet_up 0.0" in answer.read().decode()
            with urllib.request.urlopen(url.replace("/metrics", "/healthz"), timeout=60) as answer:
                assert answer.read() == b"ok\n"
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(60) == 0
        finally:
            serving.kill()
