"""Work: one request that may be run, with all that it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from midflight.context import Caller, Context
from midflight.rpc.exits import NoExit
from midflight.rpc.forms import Form
from midflight.rpc.limits import Turns
from midflight.rpc.messages import Request

_HANDLER, _ADAPTER = NoExit("the handler"), NoExit("the adapter")


@dataclass(slots=True, eq=False)  # not frozen: that costs a microsecond for each message
class Work:
    """One request that may be run. Nobody changes it."""

    request: Request
    caller: Caller
    form: Form
    run: Callable[..., Awaitable[Any]]
    context: Context
    arguments: dict[str, Any]
    turns: Turns

    async def done_in_turn(self) -> Any:
        """Run it when the limits of service and endpoint let it in, however long that takes."""
        async with self.turns.taken():
            return await self.done()

    async def done(self) -> Any:
        """Run it."""
        with _HANDLER:
            return await self.run(self.context, **self.arguments)

    async def answer(self) -> Any:
        """Run it; its result in the form of who asked."""
        result = await self.done()
        with _ADAPTER:
            return self.form.reply(result)

    @property
    def order(self) -> str:
        """Its ordering key; of a sender that knows of none, the one that its arguments say."""
        try:
            return self.request.order or self.form.spec.casting.key_of(self.arguments)
        except AttributeError:  # what it is ordered by was not sent
            return ""


def leave_if_stopped(error: BaseException) -> None:
    """Let a cancellation of this very task pass; one that a handler brought upon itself is an error like others."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
