"""Large results come page by page."""

import time
from dataclasses import replace
from typing import Self

import pytest

from midflight.context import Context
from midflight.errors import InvalidValue, MessageTooLarge, NotDelivered, Unknown
from midflight.objects import lists
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


class Away:
    """A query that fails a number of times before it answers, or takes no more than so many items at once."""

    def __init__(self, *failures: Exception, most: int = 1_000) -> None:
        self.failures, self.most = list(failures), most
        self.limits: list[int] = []

    async def below(self, context: Context, most: int, after: int | None, limit: int) -> LeafList:
        self.limits.append(limit)
        if self.failures:
            raise self.failures.pop(0)
        if limit > self.most:
            raise MessageTooLarge(what="the answer", size=2 * limit, limit=limit)
        return await LeafList.below(context, most, after, limit)


def not_delivered() -> NotDelivered:
    return NotDelivered(what="conductor.run", reason="nobody listens")


async def test_a_page_that_nobody_answers_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conductor that restarts in the middle holds up the walk, and no item is missing or comes twice; a query only
    reads, so that one of which nobody knows whether it ran may run again."""
    monkeypatch.setattr(lists, "_PAUSE", 0.01)
    away, context = Away(not_delivered(), Unknown(what="conductor.run", reason="no answer")), Context(database=Pages())  # type: ignore[arg-type]
    found = []
    async for leaf in LeafList.paged(away.below, context, 7, key="number", limit=3):
        found.append(leaf.number)
        if leaf.number == 2:
            away.failures.append(not_delivered())
    assert found == list(range(7))
    assert away.limits == [3] * 6


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the error of the last try, and not later than whoever asked for the work waits."""
    monkeypatch.setattr(lists, "_PAUSE", 0.01)
    context = Context(database=Pages())  # type: ignore[arg-type]
    for seconds, patience in ((3600, 0.05), (0.05, 3600)):
        away, hurried = Away(*[not_delivered()] * 100), replace(context, deadline=time.monotonic() + seconds)
        with pytest.raises(NotDelivered, match="nobody listens"):
            _ = [leaf async for leaf in LeafList.paged(away.below, hurried, 7, key="number", patience=patience)]
        assert 1 < len(away.limits) < 20


async def test_a_page_that_is_too_large_is_asked_for_by_halves() -> None:
    """As small as it takes from then on; where a single item is too large, that is the error."""
    away, context = Away(most=30), Context(database=Pages())  # type: ignore[arg-type]
    pages = [page async for page in LeafList.pages(away.below, context, 70, key="number", limit=100)]
    assert [leaf.number for page in pages for leaf in page] == list(range(70))
    assert away.limits == [100, 50, 25, 25, 25]
    away = Away(most=0)
    with pytest.raises(MessageTooLarge):
        _ = [page async for page in LeafList.pages(away.below, context, 70, key="number", limit=100)]
    assert away.limits == [100, 50, 25, 12, 6, 3, 1]


@pytest.mark.parametrize(("most", "sizes"), [(0, []), (2, [2]), (3, [3]), (7, [3, 3, 1])])
async def test_pages_are_lists(most: int, sizes: list[int]) -> None:
    """Each is what the query returned; an empty one is none."""
    context = Context(database=Pages())  # type: ignore[arg-type]
    pages = [page async for page in LeafList.pages(LeafList.below, context, most, key="number", limit=3)]
    assert [len(page) for page in pages] == sizes
    assert {type(page) for page in pages} <= {LeafList}
