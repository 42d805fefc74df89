"""What can be done on the page: as the command line does it, in somebody's name; asked without a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from house.errors import NotClaimed, StaysAwake
from house.web.acts import ACTS
from tests.web.desk import TOKENS, app_of
from tests.web.houses import LAPTOP, PRINTER, Keeper, busy_house


@asynccontextmanager
async def asking(keeper: Keeper, who: str = "ann") -> AsyncIterator[httpx.AsyncClient]:
    """A script with a token, at a page on which the house was seen."""
    made, gatherer = app_of(keeper, TOKENS)
    app = made.app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", follow_redirects=True,
            headers={"Authorization": f"Bearer {who}'s secret"},
        ) as web,
    ):  # fmt: skip
        await gatherer.after(0, 30)
        yield web


async def outcome(web: httpx.AsyncClient, answer: httpx.Response) -> str:
    """What became of an act, once it is over."""
    while 'data-status="working"' in answer.text:
        await asyncio.sleep(0.01)  # the page is in this very loop
        answer = await web.get(answer.url)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2].partition("</main")[0]))


@pytest.mark.parametrize(
    ("act", "fields", "done", "told"),
    [
        ("wake", {"machine": "theobromine"}, "wake theobromine", "theobromine is awake, after 2.1 s and 1 try"),
        ("test-wake", {"machine": "nas"}, "test nas", "nas is awake, after 2.1 s"),
        ("sleep", {"machine": "nas", "reason": "bed"}, "sleep nas: bed", "nas falls asleep; its watcher stands guard"),
        ("hold", {"machine": "nas", "until": "2h", "reason": "x"}, "hold nas for 2 h: x", "nas stays awake until"),
        ("hold", {"machine": "*", "until": "1d", "reason": "x"}, "hold None for 24 h: x", "the whole house stays"),
        ("let-go", {"hold": "1"}, "let go 1", "builder is not held by ada@builder any more"),
        ("away", {"until": "3d"}, "leave for 3 d", "nobody is at home until"),
        ("back", {}, "come back", "somebody is at home again"),
        (
            "ignore", {"mac": LAPTOP, "machine": "*", "name": "laptop"}, f"ignore {LAPTOP} for None as laptop",
            f"any machine does not wake for {LAPTOP} any more",
        ),
        ("heed", {"mac": PRINTER, "machine": "*"}, f"heed {PRINTER} for None", f"any machine wakes for {PRINTER}"),
        (
            "rule",
            {"machine": "nas", "days": "Mon-Wed", "begins": "7:30", "ends": "9:00", "zone": "UTC", "wakes": "no"},
            "rule nas: Mon-Wed 07:30 to 09:00 UTC", "nas stays awake Mon-Wed 07:30 to 09:00 UTC",
        ),
        ("unrule", {"rule": "2"}, "unrule 2", "the rule backups is dropped"),
    ],
)  # fmt: skip
async def test_what_is_asked_for_is_done(act: str, fields: dict[str, str], done: str, told: str) -> None:
    """After a question that shows the command for it, in the name of who has signed in."""
    keeper = busy_house()
    async with asking(keeper) as web:
        question = await web.get(f"/act/{act}", params=fields)
        assert (question.status_code, "house " in question.text) == (200, True)
        assert told in await outcome(web, await web.post(f"/act/{act}", data=fields))
    assert keeper.acts == ["as ann", done]


@pytest.mark.parametrize(
    ("act", "fields", "reason"),
    [
        ("wake", {"machine": "nobody"}, "the house has no machine 'nobody'"),
        ("wake", {"machine": "nas"}, "nas: it is awake"),
        ("wake", {}, "received no machine"),
        ("sleep", {"machine": "theobromine", "reason": "x"}, "theobromine: it is asleep"),
        ("let-go", {"hold": "99"}, "the house has no hold '99'"),
        ("unrule", {"rule": "x"}, "the house has no rule 'x'"),
        ("heed", {"machine": "*"}, "received no mac"),
    ],
)
async def test_what_cannot_be_done_is_refused(act: str, fields: dict[str, str], reason: str) -> None:
    """When it is asked for, and again when it is confirmed."""
    keeper = busy_house()
    async with asking(keeper) as web:
        asked = await web.get(f"/act/{act}", params=fields)
        told = await outcome(web, await web.post(f"/act/{act}", data=fields))
    assert asked.status_code == 409
    assert reason.replace("'", "&#39;") in told
    assert keeper.acts == ["as ann"]


@pytest.mark.parametrize(
    ("act", "fields", "reason"),
    [
        ("hold", {"machine": "nas", "until": "soon", "reason": "x"}, "received &#39;soon&#39;, expected a time to"),
        ("away", {"until": "2020-01-01"}, "received &#39;2020-01-01&#39;, expected a time to come"),
        ("rule", {"machine": "*", "days": "Blursday", "begins": "8:00", "ends": "9:00"}, "received &#39;Blursday&#39;"),
        ("rule", {"machine": "*", "days": "Mon", "begins": "25:00", "ends": "9:00"}, "received &#39;25:00&#39;"),
    ],
)  # fmt: skip
async def test_what_is_mistyped_is_told(act: str, fields: dict[str, str], reason: str) -> None:
    """With what was received and what was expected; nothing is done."""
    keeper = busy_house()
    async with asking(keeper) as web:
        assert reason in await outcome(web, await web.post(f"/act/{act}", data=fields))
    assert keeper.acts == ["as ann"]


@pytest.mark.parametrize("wrong", [StaysAwake("nas", ("a film",)), NotClaimed("nas", "another host has it")])
async def test_what_the_house_refuses_is_told_as_it_is(wrong: Exception) -> None:
    """In its own words, as failed."""
    keeper = busy_house()
    keeper.wrong = wrong
    async with asking(keeper) as web:
        told = await outcome(web, await web.post("/act/sleep", data={"machine": "nas", "reason": "bed"}))
    assert str(wrong) in told
    assert "falls asleep" not in told


async def test_a_machine_that_does_not_wake_is_no_success() -> None:
    """It is told after how many tries, and what to look at."""
    keeper = busy_house()
    keeper.took = None
    async with asking(keeper) as web:
        told = await outcome(web, await web.post("/act/wake", data={"machine": "theobromine"}))
    assert "it has not woken after 4 tries. Look whether it is plugged in" in told


async def test_nobody_acts_without_the_right() -> None:
    """A viewer, and somebody with a token that there is not."""
    keeper = busy_house()
    async with asking(keeper, "bob") as web:
        assert {(await web.post(f"/act/{act.name}")).status_code for act in ACTS} == {403}
    async with asking(keeper, "eve") as web:
        assert {(await web.post(f"/act/{act.name}")).status_code for act in ACTS} == {401}
    assert keeper.acts == []
