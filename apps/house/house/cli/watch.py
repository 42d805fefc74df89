"""``house watch``: a watcher alone on one box."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from house.lan import ethers
from house.lan.mac import Mac
from house.states import Mode
from house.watcher import alone

_Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65_535))]
_Vlan = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=4094))]


def watch(
    machine: Annotated[list[str], Parameter(negative=(), consume_multiple=True)],
    /,
    *,
    mode: Literal["proxy", "answer", "sniff"] = "proxy",
    port: Annotated[list[_Port] | None, Parameter(negative=())] = None,
    ping: Annotated[bool, Parameter(negative=())] = False,
    interface: str | None = None,
    vlan: _Vlan | None = None,
    ignore: Annotated[list[str] | None, Parameter(negative=())] = None,
    state: Path | None = None,
) -> int:
    """Wake machines for whoever asks for them. It needs no broker, no conductor and no file: only CAP_NET_RAW.

    Parameters
    ----------
    machine
        NAME=MAC,ADDRESS[,ADDRESS…]; without the MAC, it is that of NAME in /etc/ethers.
    mode
        proxy: have a sleeper's addresses, and wake it for chosen ports. answer, sniff: wake it for any ARP request.
    port
        Wakes a machine in proxy mode; as often as there are such ports. 22 without any.
    ping
        A ping wakes in proxy mode as well.
    interface
        Where the machines are; without it, the one that leads there.
    vlan
        The number of their VLAN, if frames have tags there.
    ignore
        The MAC of a requester that wakes nobody.
    state
        The folder in which it is kept what is guarded: /var/lib/house for root.
    """
    known = ethers.read()
    machines = [
        alone.machine(
            each, known, interface=interface, vlan=vlan, mode=Mode(mode), ports=tuple(port or (22,)), ping_wakes=ping
        )
        for each in machine
    ]  # fmt: skip
    alone.run(machines, state or alone.default_state(), [Mac.parse(mac) for mac in ignore or ()])
    return 0
