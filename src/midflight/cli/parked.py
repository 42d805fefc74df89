"""``midflight parked``: casts that no one could serve, until somebody decides."""

from __future__ import annotations

import time

from cyclopts import App

from midflight.cli.options import ConfigFile, Json
from midflight.cli.output import Output
from midflight.cli.place import open_place
from midflight.errors import UsageError
from midflight.rpc.parked import key_of
from midflight.upgrade import parked
from midflight.upgrade.operator import Operator, operating
from midflight.upgrade.parked import Parked

app = App(name="parked", help="Parked messages: casts that no one could serve, until somebody decides.")

COLUMNS = ("id", "method", "to", "from", "parked", "expires", "key", "reason")


@app.command(name="list")
async def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """Every parked message, oldest first, and why it is there."""
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        found = await _found(operator)
    if found:
        out.table(COLUMNS, [_row(each) for each in found])
    else:
        out.say("nothing is parked")
    out.document([each.to_wire() for each in found])
    return 0


async def _found(operator: Operator) -> list[Parked]:
    return parked.looked_at(await operator.parked(), time.time())


def _row(each: Parked) -> tuple[str, ...]:
    key = key_of(each.message)
    sender, since = each.message.facts.get("sender", "unknown"), parked.parked_for(each)
    where = str(each.message.address)
    return each.id, each.method, where, sender, since, each.expires, key[1] if key else "-", each.reason


@app.command
async def show(message: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """All facts of one parked message. Its arguments are not shown: they may be secret.

    Parameters
    ----------
    message
        Its id, or the beginning of it.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        [each] = parked.named(await _found(operator), [message])
    facts = {"address": str(each.message.address), "bytes": str(len(each.message.body)), "expires": each.expires}
    if each.ahead:
        facts["decide first"] = each.ahead
    for name, fact in {**each.message.facts, **facts}.items():
        out.say(f"{name:<18}{fact}")
    out.document(each.to_wire())
    return 0


@app.command
async def replay(*messages: str, config: ConfigFile = None, json: Json = False) -> int:
    """Send parked messages again, as they are; each stays parked until it has run. What was held back behind it goes on
    by itself.

    Parameters
    ----------
    messages
        Their ids, or the beginnings of them. Of one key, the earliest goes first.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        chosen = parked.named(await _found(operator), _some(messages))
        parked.check_replay(chosen)
        for each in chosen:
            await operator.replay(each.message)
            out.mark("replayed", _said(each))
    out.document({"replayed": [each.id for each in chosen]})
    return 0


@app.command
async def discard(*messages: str, config: ConfigFile = None, json: Json = False) -> int:
    """Let parked messages go: they will never run. What was held back behind them goes on.

    Parameters
    ----------
    messages
        Their ids, or the beginnings of them.
    """
    out, place = Output(json=json), open_place(config)
    async with operating(place.config, place.project) as operator:
        found = await _found(operator)
        chosen = parked.named(found, _some(messages))
        for each in chosen:
            was_there = await operator.discard(each.message)
            out.mark("discarded" if was_there else "gone", _said(each))
        free = parked.set_free(found, chosen)
        for each in free:
            await operator.replay(each.message)
            out.mark("replayed", f"{_said(each)}, which was held back")
    out.document({"discarded": [each.id for each in chosen], "replayed": [each.id for each in free]})
    return 0


def _some(messages: tuple[str, ...]) -> tuple[str, ...]:
    """Raises UsageError for none: an unset variable in a script must not pass for something that was done."""
    if not messages:
        raise UsageError(reason="received no id, expected one or more: see midflight parked list")
    return messages


def _said(each: Parked) -> str:
    return f"{each.id} {each.method} to {each.message.address}"
