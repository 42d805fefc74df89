"""What the conductors and the broker are asked: the fleet always, the rest while somebody looks at a page that shows
it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from midflight.conductor.data_objects import MigrationDetail
from midflight.conductor.interface import Fleet, JournalEntry
from midflight.conductor.traffic import Traffic
from midflight.upgrade.operator import Operator
from midflight.upgrade.parked import Parked, looked_at
from midflight.versions import Manifest
from midflight.web import Picture, Source

ASKED = 500
"""Entries of the journal that are asked for at once: as many as a conductor tells."""
KEPT = 5_000
"""So many of the latest entries are kept; `midflight upgrade journal` has all."""


async def _fleet(operator: Operator, _: Picture) -> Fleet:
    return await operator.fleet()


FLEET = Source("the fleet", _fleet)
"""All facts of the fleet. It is asked for always."""


async def _traffic(operator: Operator, _: Picture) -> Sequence[Traffic]:
    return await operator.traffic()


TRAFFIC = Source("the traffic", _traffic, seconds=10.0)
"""What conductors answered, minute by minute."""


async def _parked(operator: Operator, _: Picture) -> Sequence[Parked]:
    return looked_at(await operator.parked(), time.time())


PARKED = Source("the parked messages", _parked, seconds=2.0)
"""All of them, oldest first."""


async def _details(operator: Operator, picture: Picture) -> Mapping[str, MigrationDetail]:
    fleet = picture.of(FLEET)
    names = [each.name for each in fleet.migrations] if fleet else []
    return {name: await operator.migration(name) for name in names}


DETAILS = Source("the data migrations", _details, seconds=3.0)
"""All that is known of each data migration, by its name."""


async def _manifests(operator: Operator, picture: Picture) -> Mapping[str, Manifest]:
    fleet = picture.of(FLEET)
    return await operator.manifests(fleet, picture.of(MANIFESTS)) if fleet else {}


MANIFESTS: Source[Mapping[str, Manifest]] = Source("what members understand", _manifests)
"""By digest; each is asked for once."""


@dataclass(frozen=True)
class Journal:
    """The latest entries, oldest first. It was asked for all from the one behind ``down_to`` on."""

    entries: Sequence[JournalEntry] = ()
    down_to: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether these are all that there ever were."""
        return self.down_to <= 0


async def _journal(operator: Operator, picture: Picture) -> Journal:
    known = picture.of(JOURNAL)
    if known is None or not known.entries:
        latest = await operator.journal(None, limit=ASKED)
        return Journal(latest, latest[0].id - 1 if latest else 0)
    newer = await _behind(operator, known.entries[-1].id)
    if known.is_whole or len(known.entries) >= KEPT:
        kept = [*known.entries, *newer][-KEPT:]
        return Journal(kept, known.down_to if len(kept) < KEPT else kept[0].id - 1)
    first = max(0, known.down_to - ASKED)  # ids have gaps, so there are fewer than so many in between
    older = [entry for entry in await operator.journal(first, limit=ASKED) if entry.id <= known.down_to]
    return Journal([*older, *known.entries, *newer], first)


async def _behind(operator: Operator, last: int) -> list[JournalEntry]:
    found: list[JournalEntry] = []
    while True:
        more = await operator.journal(last, limit=ASKED)
        found += more
        if len(more) < ASKED:
            return found
        last = more[-1].id


JOURNAL: Source[Journal] = Source("the journal", _journal)
"""What was done to the fleet: what is new each time, and a piece of what is older until enough is kept."""
