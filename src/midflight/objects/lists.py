"""A list of versioned objects that is itself one: it can be queried, iterated, sent, and walked page by page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from midflight.context import Context
from midflight.errors import InvalidValue, MessageTooLarge, NotDelivered, Unknown
from midflight.objects.base import VersionedObject

T = TypeVar("T", bound=VersionedObject)
Item = TypeVar("Item", bound=VersionedObject)
Page = TypeVar("Page", bound="ObjectList[Any]")

_PAUSE = 0.5
"""Seconds until a page is asked for again."""


class ObjectList(VersionedObject, Generic[T]):
    """``class InstanceList(ObjectList[Instance], version="1.0")``: its one field ``objects`` holds the items;
    queries are remotable class methods that return one."""

    __items__: ClassVar[str] = "objects"

    if TYPE_CHECKING:  # each subclass declares it, with its own type of items
        objects: list[T]

    def __iter__(self) -> Iterator[T]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def __contains__(self, item: object) -> bool:
        return item in self.objects

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...
    def __getitem__(self, at: int | slice) -> T | list[T]:
        return self.objects[at]

    @staticmethod
    async def pages(
        query: Callable[..., Awaitable[Page]], context: Context, *args: Any,
        key: str, limit: int = 500, patience: float = 30.0, **named: Any,
    ) -> AsyncIterator[Page]:  # fmt: skip
        """A large result, a page at a time: ``async for page in InstanceList.pages(InstanceList.all, context,
        key="uuid")``. One page is in memory, and nobody keeps anything for who stops early.

        ``query`` is a remotable, or a call of an endpoint, that also takes ``after`` and ``limit`` and only reads. It
        returns at most ``limit`` items in the order of the field ``key``, those behind ``after``, or the first where
        that is None; a shorter page is the last. What is added or removed meanwhile is seen if it lies ahead.

        A page that nobody answers is asked for again for up to ``patience`` seconds, and then raises NotDelivered or
        Unknown; one that is too large to be sent, with half as many items. Raises InvalidValue for a query that does
        not advance.
        """
        after: Any = None
        while True:
            page, limit = await _asked(query, context, args, named | {"after": after}, limit, patience)
            full = len(page) >= limit
            before, after = after, getattr(page[-1], key) if len(page) else None
            if full and after == before:
                expected = f"a page of items behind {key} {before!r}"
                raise InvalidValue(path="pages(query)", received=f"again up to {after!r}", expected=expected)
            if len(page):
                yield page
            if not full:
                return

    @staticmethod
    async def paged(
        query: Callable[..., Awaitable[ObjectList[Item]]], context: Context, *args: Any,
        key: str, limit: int = 500, patience: float = 30.0, **named: Any,
    ) -> AsyncIterator[Item]:  # fmt: skip
        """The items of ``pages``, one by one: ``async for instance in InstanceList.paged(InstanceList.all, context,
        key="uuid")``."""
        more: dict[str, Any] = {"key": key, "limit": limit, "patience": patience}
        async for page in ObjectList.pages(query, context, *args, **more, **named):
            for item in page:
                yield item


async def _asked(
    query: Callable[..., Awaitable[Page]],
    context: Context,
    args: tuple[Any, ...],
    named: dict[str, Any],
    limit: int,
    patience: float,
) -> tuple[Page, int]:
    """One page, and of how many items at most."""
    until = time.monotonic() + patience
    if context.deadline is not None:
        until = min(until, context.deadline)
    while True:
        try:
            return await query(context, *args, limit=limit, **named), limit
        except MessageTooLarge:
            if limit == 1:
                raise
            limit //= 2
        except (NotDelivered, Unknown):  # it only reads, so that it may run twice
            if time.monotonic() + _PAUSE >= until:
                raise
            await asyncio.sleep(_PAUSE)
