"""Large results come page by page."""

from typing import Self

import pytest

from midflight.context import Context
from midflight.errors import InvalidValue
from midflight.objects.base import VersionedObject
from midflight.objects.lists import ObjectList
from midflight.objects.remote import remotable


class Leaf(VersionedObject, version="1.0"):
    number: int


class LeafList(ObjectList[Leaf], version="1.0"):
    @classmethod
    @remotable
    async def below(cls, context: Context, most: int, after: int | None = None, limit: int = 10) -> Self:
        await context.db.write(after)
        first = 0 if after is None else after + 1
        return cls(objects=[Leaf(number=number) for number in range(first, min(most, first + limit))], context=context)

    @classmethod
    @remotable
    async def stuck(cls, context: Context, after: int | None = None, limit: int = 10) -> Self:
        return cls(objects=[Leaf(number=1)] * limit, context=context)


class Pages:
    """A database port that notes where each page began."""

    def __init__(self) -> None:
        self.afters: list[int | None] = []

    async def write(self, after: int | None) -> None:
        self.afters.append(after)


@pytest.mark.parametrize(("most", "afters"), [(0, [None]), (2, [None]), (3, [None, 2]), (7, [None, 2, 5])])
async def test_a_large_result_comes_page_by_page(most: int, afters: list[int | None]) -> None:
    """Each item once, in order; a short page is the last one."""
    pages = Pages()
    context = Context(database=pages)  # type: ignore[arg-type]
    found = [leaf.number async for leaf in LeafList.paged(LeafList.below, context, most, key="number", limit=3)]
    assert (found, pages.afters) == (list(range(most)), afters)


async def test_a_query_that_does_not_advance_is_refused() -> None:
    """It would never end."""
    context = Context(database=Pages())  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="again up to 1, expected a page of items behind number 1"):
        _ = [leaf async for leaf in LeafList.paged(LeafList.stuck, context, key="number", limit=3)]
