"""Away: nobody is at home until then."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from house import clock, kept
from house.rights import PEOPLE
from midflight import Context, VersionedObject, from_row, remotable

WHAT = "away"


class Away(VersionedObject, version="1.0"):
    """Nobody is at home until then: rules hold no machine awake, and wake none. Whoever asks for one still wakes it."""

    id: int | None = None
    until: datetime
    who: str = ""
    made_at: datetime | None = None

    @classmethod
    @remotable
    async def get(cls, context: Context) -> Self | None:
        """The house's, or None while somebody is at home."""
        row = await context.db.read(kept.aways.latest, clock.now())
        return None if row is None else from_row(cls, row, context=context)

    @remotable(allow=PEOPLE)
    async def create(self) -> None:
        """Leave the house. What was said before is replaced."""
        self.made_at = clock.now()
        self.id = await self.context.db.write(kept.aways.replace, self)
        self.reset_changes()

    @classmethod
    @remotable(allow=PEOPLE)
    async def end(cls, context: Context) -> None:
        """Somebody is back."""
        await context.db.write(kept.aways.clear)
