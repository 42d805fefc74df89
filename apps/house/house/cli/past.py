"""``house history``: what the machines did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from house import clock
from house.cli.output import Output, ago
from house.cli.place import ConfigFile, Json, once
from house.objects.history import History
from house.objects.wake import Wake
from house.operator import Operator
from house.reasons import woken_by


def history(
    name: str | None = None, /, *, days: Annotated[int, Parameter(validator=Number(gte=1, lte=3660))] = 30,
    wakes: Annotated[int, Parameter(validator=Number(gte=0, lte=10_000))] = 10, config: ConfigFile = None,
    json: Json = False,
) -> int:  # fmt: skip
    """Hours asleep, wakes by cause and the energy that was saved, and who woke what lately.

    Parameters
    ----------
    name
        One machine; without it, all of them.
    days
        How many, with today.
    wakes
        How many of the last wakes are listed.
    """

    async def asked(operator: Operator) -> tuple[Mapping[str, History], Sequence[Wake]]:
        house = await operator.house()
        names = [house.machine(name).name] if name else [machine.name for machine in house.machines]
        return await operator.histories(names, days), await operator.wakes(name, wakes)

    histories, woken = once(config, asked)
    out, now = Output(json=json), clock.now()
    out.table(("machine", "asleep", "of the time", "saved", "wakes"), [_row(each, days) for each in histories.values()])
    if woken:
        out.say("")
        out.table(("ago", "machine", "because", "MAC", "took"), [_woken(each, now) for each in woken])
    out.document({"machines": list(histories.values()), "wakes": list(woken)})
    return 0


def _row(history: History, days: int) -> Sequence[str]:
    counted = Counter[str]()
    for day in history.days:
        counted.update(day.wakes)
    hours = history.asleep_seconds / 3600
    woken = ", ".join(f"{number} {cause}" for cause, number in counted.most_common()) or "none"
    return history.machine, f"{hours:.1f} h", f"{hours / (24 * days):.0%}", f"{history.saved_kwh:.2f} kWh", woken


def _woken(wake: Wake, now: datetime) -> Sequence[str]:
    return ago(wake.asked_at, now), wake.machine, woken_by(wake), wake.requester_mac or "-", _took(wake)


def _took(wake: Wake) -> str:
    return "did not wake" if wake.took_seconds is None else f"{wake.took_seconds:.1f} s"
