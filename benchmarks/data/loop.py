"""``python -m benchmarks.data.loop URL LIMIT SECONDS``: the way of the incumbent's online data migrations. Prints JSON.

Rows that still need it are asked for anew each time, as objects of the ORM; each is changed and saved, which is a flush
of its own, as oslo.db's models do; then all are committed. It is stopped after some time: later chunks pass over ever
more rows that are done, so that what is measured flatters it.
"""

from __future__ import annotations

import json
import sys
import time

from sqlalchemy import select
from sqlalchemy.orm import Session, registry

from benchmarks.data.table import derive, instances
from midflight.db.engine import create, parse


class Instance:
    """A row of the table."""


registry().map_imperatively(Instance, instances)


def migrate(url: str, limit: int, seconds: float) -> dict[str, float]:
    """How many rows, and in which time."""
    engine = create(parse(url)).execution_options(writes=True)
    wanted = select(Instance).where(instances.c.flavor.is_(None)).limit(limit)
    begun, before, rows = time.monotonic(), time.process_time(), 0
    while time.monotonic() - begun < seconds:
        with Session(engine) as session, session.begin():
            found = session.scalars(wanted).all()
            for instance in found:
                instance.flavor = derive(instance, None)["flavor"]  # type: ignore[attr-defined]
                session.add(instance)
                session.flush()
        rows += len(found)
        if len(found) < limit:
            break
    taken, cpu = time.monotonic() - begun, time.process_time() - before
    engine.dispose()
    return {"rows": rows, "seconds": taken, "cpu": cpu}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(migrate(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
