"""How a machine gets into the house: its agent says what its network card and its addresses are."""

from __future__ import annotations

from typing import Any

import msgspec

from house.errors import HouseError, NotFound
from house.objects.machine import Machine
from house.sleeper.system import System, Unclear, output
from midflight import Context

SECONDS = 10.0


class NotEnrolled(HouseError):
    """It cannot say who it is; says why."""


async def enrol(context: Context, name: str, interface: str, system: System) -> Machine:
    """The machine as the house knows it; made, when it does not. Raises NotEnrolled, AddressTaken and what a call
    raises. What somebody has set since is left as it is."""
    try:
        return await Machine.get(context, name)
    except NotFound:
        try:
            found = await _found(interface, system)
        except Unclear as wrong:
            raise NotEnrolled(f"{name} is not in the house, and cannot say who it is: {wrong}") from None
        machine = Machine(context=context, name=name, **found)
        await machine.create()
        return machine


async def _found(interface: str, system: System) -> dict[str, Any]:
    mac = system.read(f"sys/class/net/{interface}/address").strip()
    code, written = await output(["ip", "-j", "address", "show", "dev", interface, "scope", "global"], SECONDS)
    if code:
        raise Unclear(f"ip has failed with {code}: {written[:200]}")
    (shown,) = msgspec.json.decode(written) or [{}]
    told = [each for each in shown.get("addr_info", ()) if each]  # what is of another scope it tells as {}
    addresses = [each["local"] for each in told if not each.get("temporary")]
    return {"mac": mac, "addresses": addresses}


def default_interface(system: System) -> str:
    """That of the default route. Raises NotEnrolled where there is none."""
    routes = [line.split() for line in system.read("proc/net/route").splitlines()[1:]]
    for name, destination, *_ in routes:
        if destination == "00000000":
            return name
    raise NotEnrolled("there is no default route: name the network card in [app.sleeper] interface")
