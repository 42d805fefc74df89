"""How a machine says who it is."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest

from house.objects.machine import Machine
from house.sleeper import enrolment
from midflight import Context
from tests.sleeper.machine import FakeMachine

TOLD: list[dict[str, Any]] = [
    {"local": "192.168.1.7"}, {"local": "2001:db8::7"}, {"local": "2001:db8::dead", "temporary": True}, {},
]  # fmt: skip
"""As ``ip -j`` has it: an empty one stands for each that is of another scope."""


async def test_a_machine_tells_the_addresses_that_it_keeps(
    machine: FakeMachine, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the network card by which it is woken: neither temporary ones nor those of the link alone."""
    machine.write("sys/class/net/eth0/address", "52:54:00:00:00:01\n")

    async def output(command: list[str], seconds: float) -> tuple[int, str]:
        return 0, json.dumps([{"ifname": "eth0", "addr_info": TOLD}])

    monkeypatch.setattr(enrolment, "output", output)
    await enrolment.enrol(context, "desk", "eth0", machine.system)
    assert (await Machine.get(context, "desk")).addresses == [ip_address("192.168.1.7"), ip_address("2001:db8::7")]
