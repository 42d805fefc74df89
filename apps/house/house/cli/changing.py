"""``house add``, ``set`` and ``forget``: that there is a machine, what is told of it, and that it is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from house.cli.output import Output
from house.cli.place import ConfigFile, Json, once
from house.lan import ethers, ip
from house.lan.mac import Mac
from house.states import Mode
from house.watcher import alone
from midflight import InvalidValue


@dataclass(frozen=True)
class Entry:
    """One thing that can be set: the field of a machine, how it is read, and what is expected."""

    field: str
    read: Callable[[str], Any]
    expected: str


def _yes(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _ports(text: str) -> list[int]:
    return [int(port) for port in text.split(",") if port]


def _mode(text: str) -> Mode:
    return {mode.value: mode for mode in Mode if mode is not Mode.UNKNOWN}[text]


def _addresses(text: str) -> list[ip.Address]:
    return [ip.parse(each) for each in text.split(",")]


ENTRIES: Mapping[str, Entry] = {
    "mode": Entry("mode", _mode, "proxy, answer or sniff"),
    "ports": Entry("wake_ports", _ports, "ports like 22,445, or nothing"),
    "ping": Entry("ping_wakes", _yes, "yes or no"),
    "addresses": Entry("addresses", _addresses, "addresses like 192.168.1.10,fd00::7"),
    "mac": Entry("mac", lambda text: str(Mac.parse(text)), "a MAC address like 52:54:00:ab:cd:ef"),
    "vlan": Entry("vlan", lambda text: int(text) if text else None, "a number from 1 to 4094, or nothing"),
    "interface": Entry("interface", lambda text: text or None, "an interface of the watcher, or nothing"),
    "watcher": Entry("watcher", lambda text: text or None, "the host of a watcher, or nothing for any"),
    "wakes-per-hour": Entry("wakes_per_hour", int, "a number from 1"),
    "shortest-awake": Entry("shortest_awake_seconds", float, "seconds"),
    "watts": Entry("watts", float, "what it uses awake"),
    "watts-asleep": Entry("watts_asleep", float, "what it uses asleep"),
}


def add(machine: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Let the house know of a machine without an agent, as a television: it is woken for whoever asks, and counts as
    asleep while it does not answer. One with an agent makes itself known.

    Parameters
    ----------
    machine
        NAME=MAC,ADDRESS[,ADDRESS…]; without the MAC, it is that of NAME in /etc/ethers.
    """
    told = alone.machine(machine, ethers.read())
    made = once(config, lambda operator: operator.add(told.name, str(told.mac), told.addresses))
    out = Output(json=json)
    out.say(f"{made.name} is in the house; `house set {made.name}` says how it is guarded")
    out.document(made)
    return 0


def set_(name: str, /, *entries: str, config: ConfigFile = None, json: Json = False) -> int:
    """Say how a machine is guarded, and what it uses: house set NAME mode=proxy ports=22,445 ping=yes.

    Parameters
    ----------
    name
        The machine.
    entries
        mode, ports, ping, addresses, mac, vlan, interface, watcher, wakes-per-hour, shortest-awake, watts or
        watts-asleep, each with = and its value; nothing after the = is none.
    """
    values = dict(map(_read, entries))
    if not values:
        raise InvalidValue(path="house set", received="nothing", expected=f"{', '.join(ENTRIES)}, like mode=proxy")
    changed = once(config, lambda operator: operator.change(name, values))
    out = Output(json=json)
    out.say(f"{name}: {', '.join(entries)}")
    out.document(changed)
    return 0


def _read(given: str) -> tuple[str, Any]:
    """The field and its value. Raises InvalidValue."""
    name, equals, text = given.partition("=")
    entry = ENTRIES.get(name)
    if entry is None or not equals:
        raise InvalidValue(path="house set", received=repr(given), expected=f"{', '.join(ENTRIES)}, like mode=proxy")
    try:
        return entry.field, entry.read(text)
    except (KeyError, ValueError):
        raise InvalidValue(path=f"house set {name}", received=repr(text), expected=entry.expected) from None


def forget(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Forget a machine that is gone, with its holds and rules. Its history stays. Its agent, where
    one starts again, makes it known again."""
    once(config, lambda operator: operator.forget(name))
    out = Output(json=json)
    out.say(f"{name} is forgotten")
    out.document({"forgotten": name})
    return 0
