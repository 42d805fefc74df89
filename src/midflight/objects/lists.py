"""A list of versioned objects that is itself one: it can be queried, iterated, sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from midflight.context import Context
from midflight.errors import InvalidValue
from midflight.objects.base import VersionedObject

T = TypeVar("T", bound=VersionedObject)
Item = TypeVar("Item", bound=VersionedObject)


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
    async def paged(
        query: Callable[..., Awaitable[ObjectList[Item]]], context: Context, *args: Any,
        key: str, limit: int = 500, **named: Any,
    ) -> AsyncIterator[Item]:  # fmt: skip
        """All items of a large result, a page at a time: ``async for i in InstanceList.paged(InstanceList.all, context,
        key="uuid")``.

        ``query`` is a remotable that also takes ``after`` and ``limit``. It returns at most ``limit`` items in the
        order of the field ``key``, those behind ``after``, or the first where that is None; a shorter page is the last.
        What is added or removed meanwhile is seen if it lies ahead. Raises InvalidValue for a query that does not
        advance.
        """
        after: Any = None
        while True:
            page = await query(context, *args, after=after, limit=limit, **named)
            for item in page:
                yield item
            if len(page) < limit:
                return
            before, after = after, getattr(page[-1], key)
            if after == before:
                expected = f"a page of items behind {key} {before!r}"
                raise InvalidValue(path="paged(query)", received=f"again up to {after!r}", expected=expected)
