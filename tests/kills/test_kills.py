"""kill -9 between an effect, its note and its acknowledgement: nothing acknowledged is lost, no effect on the database
is there twice, and what nobody can know is said to be unknown."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.kills.bank import LEDGER, NOTES, Bank, eventually
from tests.kills.ledger import LedgerAPI, NotesAPI


async def test_an_effect_on_the_database_is_there_once(bank: Bank) -> None:
    """Whether its process was killed before the effect, between effect and note, or between note and acknowledgement.
    Only of the second nobody can tell whether more was to come: it is parked as Unknown."""
    await bank.start("ledger")
    for place, parked in (("before", 0), ("between", 1), ("after", 1)):
        bank.kill_at(place, place)
        await bank.cast(LEDGER, LedgerAPI.add, place)
        await bank.killed("ledger")
        await bank.start("ledger")
        await eventually(lambda place=place: bank.accounts[place] == 1)
        await bank.parked(parked)
    await bank.stop("ledger")
    await bank.start("ledger")
    await bank.cast(LEDGER, LedgerAPI.add, "other")
    await eventually(lambda: bank.accounts["other"] == 1)
    await asyncio.sleep(2)  # for whatever the broker may still give out again
    [left] = await bank.parked(1)
    assert (left.facts["error"], left.facts["method"]) == ("Unknown", "ledger.add")
    assert bank.accounts == Counter(before=1, between=1, after=1, other=1)


async def test_a_handler_of_two_transactions_is_not_run_again_in_part(bank: Bank) -> None:
    """Its first effect is there once, its second one not: an operator is told, and nothing is guessed."""
    bank.kill_at("between", "a")
    await bank.start("ledger")
    await bank.cast(LEDGER, LedgerAPI.add_twice, "a")
    await bank.killed("ledger")
    await bank.start("ledger")
    await bank.cast(LEDGER, LedgerAPI.add_twice, "b")
    await bank.parked(1)
    await eventually(lambda: bank.accounts["b, second"] == 1)
    assert bank.accounts == Counter({"a, first": 1, "b, first": 1, "b, second": 1})


async def test_an_agents_effect_is_unknown_after_a_kill(bank: Bank) -> None:
    """It was noted on the agent's disk that it began: it is not run again by itself. What may run twice is."""
    await bank.start("notes")
    for place, name, endpoint, times in (
        ("between", "add", NotesAPI.add, 1), ("between", "put", NotesAPI.put, 2), ("after", "done", NotesAPI.add, 1),
    ):  # fmt: skip
        bank.kill_at(place, name)
        await bank.cast(NOTES, endpoint, name)
        await bank.killed("notes")
        await bank.start("notes")
        await eventually(lambda name=name, times=times: bank.notes[name] == times)
        await bank.parked(1)
    await bank.stop("notes")
    await bank.start("notes")
    await asyncio.sleep(2)
    [parked] = await bank.parked(1)
    assert (parked.facts["error"], parked.facts["method"]) == ("Unknown", "notes.add")
    assert bank.notes == Counter(add=1, put=2, done=1)


async def test_kills_at_random_under_load_double_and_lose_nothing(bank: Bank) -> None:
    """200 casts, four kills: each entry is there once. Of some nobody can tell, and they are parked."""
    names = [f"n{number}" for number in range(200)]
    for at in range(0, 200, 50):
        await bank.start("ledger")
        seen = len(bank.accounts)
        await bank.cast(LEDGER, LedgerAPI.add, *names[at : at + 50])
        await eventually(lambda seen=seen: len(bank.accounts) > seen + 5)
        await bank.kill("ledger")
    await bank.start("ledger")
    await eventually(lambda: len(bank.accounts) == 200)
    await asyncio.sleep(2)
    assert bank.accounts == Counter(names)
