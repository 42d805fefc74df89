"""Runs: what an application gives as a service's run, and the usual mistakes in it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

from midflight.errors import ProjectError
from midflight.project import RUN_EXPECTED, Service
from midflight.references import place_of


class NotARun(Exception):
    """A service's run is not what one has to be."""


def manager_of(given: Any) -> AbstractAsyncContextManager[Sequence[object]]:
    """What a run gave, if it can be entered at all; raises NotARun."""
    made_from = getattr(given, "gen", None)  # by @asynccontextmanager, from whatever the function gave
    for unawaited in (given, made_from):
        if inspect.iscoroutine(unawaited):
            unawaited.close()
    if not isinstance(given, AbstractAsyncContextManager) or not (made_from is None or inspect.isasyncgen(made_from)):
        raise NotARun
    return given


@contextmanager
def mistakes_of(service: Service) -> Iterator[None]:
    """The usual mistakes in a run are told with the service's name; everything else that it raises is its own."""
    where = f"service {service.name}"
    try:
        yield
    except NotARun:
        raise ProjectError(where=where, reason=RUN_EXPECTED) from None
    except SystemExit as left:
        raise ProjectError(where=f"{place_of(left)}: {where}", reason=f"run called exit: {left}") from None
    except (RuntimeError, TypeError) as wrong:
        if str(wrong) == "generator didn't yield":
            raise ProjectError(where=where, reason=RUN_EXPECTED) from None
        if str(wrong).startswith("Can't instantiate abstract class"):
            raise ProjectError(where=f"{place_of(wrong)}: {where}", reason=str(wrong)) from None
        raise
