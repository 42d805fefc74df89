"""``midflight doctor``: what is wrong here, and how to mend it."""

from __future__ import annotations

import asyncio

from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.errors import ConfigError, ProjectError
from midflight.upgrade import doctor as examination
from midflight.upgrade.doctor import Finding
from midflight.upgrade.verdict import Status


async def doctor(*, config: ConfigFile = None, json: Json = False) -> int:
    """Look at Python, the configuration, the broker, the database, clocks, rights, the schema and the pins, and say
    what is wrong and how to mend it.

    Nothing is changed. The fleet is asked as an operator; to a service's credentials it tells nothing, and so it stays
    unknown. Exits 0 when all is well, 1 for warnings only, 2 when something is wrong, 4 when something could not be
    looked at.
    """
    out = Output(json=json)
    found = [*examination.machine()]
    try:
        place = open_place(config)
    except (ConfigError, ProjectError) as wrong:
        found.append(Finding("configuration", Status.FAIL, str(wrong), "mend it, then ask again: no more can be seen"))
    else:
        found.append(Finding("configuration", Status.PASS, f"{place.config.path} can be read"))
        found += examination.here(place.config, place.project)
        found += await asyncio.to_thread(lambda: [*examination.database(place.config, place.project)])
        found += await examination.fleet(place.config, place.project)
    status = examination.worst(found)
    for each in found:
        out.mark(each.status.value, f"{each.part}: {each.words}")
        if each.way_out and each.status is not Status.PASS:
            out.say(f"  way out: {each.way_out}")
    document = [
        {"part": each.part, "status": each.status.value, "words": each.words, "way_out": each.way_out} for each in found
    ]
    out.document({"status": status.value, "found": document})
    return status.exit_code
