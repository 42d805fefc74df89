"""``house status``, ``wake``, ``sleep`` and ``test-wake``."""

from __future__ import annotations

from collections.abc import Mapping

from house import clock
from house.cli.output import Output, ago, at, complain
from house.cli.place import ConfigFile, Json, once
from house.objects.look import Look
from house.objects.wake import Wake
from house.operator import AWAKE, House, Operator
from house.reasons import warnings, why

PERSON = 3


def status(name: str | None = None, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """How each machine stands, and why.

    Parameters
    ----------
    name
        One machine; without it, the whole house.
    """
    out = Output(json=json)
    house, looks, latest = once(config, _seen)
    machines = [house.machine(name)] if name else house.machines
    reasons = {each.name: list(why(each, looks.get(each.name), latest.get(each.name))) for each in machines}
    now = clock.now()
    wrong = {each.name: list(warnings(each, looks.get(each.name), latest.get(each.name), now)) for each in machines}
    rows = [(each.name, each.state.value, ago(each.since, now), "; ".join(reasons[each.name])) for each in machines]
    if rows:
        out.table(("machine", "state", "for", "why"), rows)
    else:
        out.say("the house knows no machine yet: start an agent on one by `midflight run sleeper`, or `house add` one")
    for each in machines:
        for words in wrong[each.name]:
            out.say(f"{each.name}: {words}")
    holds = [hold for hold in house.holds if name is None or hold.machine in (None, name)]
    for hold in holds:
        out.say(
            f"hold {hold.id}: {hold.machine or 'the whole house'} until {at(hold.until)}, {hold.who}: {hold.reason}"
        )
    if house.away is not None:
        out.say(f"nobody is at home until {at(house.away.until)}: rules keep no machine awake")
    told = [{"machine": each, "why": reasons[each.name], "warnings": wrong[each.name]} for each in machines]
    out.document({"machines": told, "holds": holds, "away": house.away})
    return 0


async def _seen(operator: Operator) -> tuple[House, Mapping[str, Look], Mapping[str, Wake]]:
    house = await operator.house()
    looks = await operator.looks(each.name for each in house.machines if each.state in AWAKE)
    latest: dict[str, Wake] = {}
    for wake in await operator.wakes(limit=200):
        latest.setdefault(wake.machine, wake)
    return house, looks, latest


def wake(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Wake a machine. Ends with 3 when it has not woken after the last try."""
    return _woken(once(config, lambda operator: operator.wake(name)), json)


def prove(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Send a magic packet, and see whether the machine lives. Ends with 3 where it does not."""
    return _woken(once(config, lambda operator: operator.test_wake(name)), json)


def _woken(wake: Wake, json: bool) -> int:
    out = Output(json=json)
    tries = f"{wake.tries} {'try' if wake.tries == 1 else 'tries'}"
    if wake.took_seconds is None:
        complain(
            f"error: {wake.machine} has not woken after {tries}: look whether it is plugged in, and its card armed"
        )
    else:
        out.say(f"{wake.machine} is awake, after {wake.took_seconds:.1f} s and {tries}")
    out.document(wake)
    return PERSON if wake.took_seconds is None else 0


def sleep(name: str, /, *, reason: str = "somebody said so", config: ConfigFile = None, json: Json = False) -> int:
    """Have a machine sleep now, though its checks may find it busy. Ends with 2 where a hold or a rule keeps it awake,
    or no watcher stands guard for it."""
    out = Output(json=json)
    once(config, lambda operator: operator.sleep(name, reason))
    out.say(f"{name} falls asleep; its watcher stands guard")
    out.document({"machine": name, "falls_asleep": True})
    return 0
