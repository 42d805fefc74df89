"""What can be done in a browser: asked first, in somebody's name, and by nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from midflight.conductor.interface import JournalEntry
from midflight.config import ConsoleSettings, Proxy
from midflight.console.acts import ACTS
from midflight.console.site import console
from midflight.console.sources import FLEET as THE_FLEET
from midflight.upgrade.aim import Aim
from midflight.web.access import Access
from midflight.web.app import App
from midflight.web.gatherer import Gatherer
from tests.console.conftest import Desks, Tabs
from tests.console.desk import KEY, Conductors, Desk
from tests.console.tab import Tab
from tests.console.test_access import ANN, BOB, TOKENS
from tests.upgrade.fleets import KILO, NOW, cloud, fleet, lost, member, proven

LOST = lost("compute", "n1", id="compute.n1.1")
FLEET = fleet(member("api", "web", "kilo"), LOST, member("compute", "n2", topics=["compute"]))
DONE = cloud("kilo", "kilo", pins={}, migrations=[proven()])


async def signed_in(here: Desk, tabs: Tabs, secret: str = "ann's secret") -> Tab:
    """A tab in which somebody has signed in."""
    seen = await tabs(here, "/signin")
    await seen.page.fill("#token", secret)
    await seen.page.keyboard.press("Enter")
    await seen.page.wait_for_url("**/upgrade")
    return seen


@asynccontextmanager
async def asking(
    conductors: Conductors, settings: ConsoleSettings = TOKENS, **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A script that asks a console at which the fleet was seen."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Conductors]:
        yield conductors

    async with console_of(Gatherer(connect, THE_FLEET), KILO, settings, **headers) as made:
        yield made


@asynccontextmanager
async def console_of(
    gatherer: Gatherer, aim: Aim, settings: ConsoleSettings = TOKENS, **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A script that asks a console which gathers so."""
    app = App(console("cloud", aim), gatherer, Access(settings, KEY), []).app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers, follow_redirects=True
        ) as made,
    ):
        await gatherer.after(0, 30)
        yield made


async def outcome(web: httpx.AsyncClient, answer: httpx.Response) -> str:
    """What became of an act, once it is over."""
    while 'data-status="working"' in answer.text:
        await asyncio.sleep(0.01)  # the console is in this very loop
        answer = await web.get(answer.url)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2]))


async def test_an_operator_retires_a_lost_member(desk: Desks, tab: Tabs) -> None:
    """From the row of the fleet, over a question, to an outcome; the conductors are told in whose name."""
    here = await desk(FLEET, settings=TOKENS)
    seen = await signed_in(here, tab)
    await seen.page.goto(f"{here.url}/fleet?state=lost")
    await seen.page.click("text=Retire")
    await seen.reads(".words", "compute@n1 (juno) was last heard 3 min ago")
    await seen.reads(".command", "midflight fleet retire compute.n1.1")
    assert await seen.violations() == []
    await seen.page.click("text=Retire it")
    await seen.reads("#outcome", "compute@n1 (juno) is retired")
    await seen.reads("#outcome", "done")
    assert here.conductors.acts == ["as ann", "retire compute.n1.1"]
    assert await seen.violations() == []


async def test_finalize_has_to_be_typed(desk: Desks, tab: Tabs) -> None:
    """It says what cannot be undone, and tells what it does line by line."""
    here = await desk(DONE, settings=TOKENS)
    seen = await signed_in(here, tab)
    await seen.page.click("text=Finalize…")
    await seen.reads(".know", "flavors: instances is written in its new form only; the old one goes stale")
    await seen.page.fill("#field-word", "juno")
    await seen.page.click("button.danger")
    await seen.reads("#outcome", "it was not confirmed by typing 'kilo'")
    assert here.conductors.acts == ["as ann"]
    await seen.page.goto(f"{here.url}/act/finalize")
    await seen.page.fill("#field-word", "kilo")
    await seen.page.click("button.danger")
    await seen.reads("#outcome", "kilo is finalized")
    assert here.conductors.acts[-1] == "floor kilo"


async def test_a_viewer_sees_no_act_and_does_none(desk: Desks, tab: Tabs) -> None:
    """Neither on a page nor by its address; that is said."""
    here = await desk(FLEET, settings=TOKENS)
    seen = await signed_in(here, tab, "bob's secret")
    await seen.reads(".who", "bob")
    assert await seen.page.locator("main a[href^='/act/']").count() == 0
    await seen.page.goto(f"{here.url}/act/retire?member=compute.n1.1")
    await seen.reads("main", "bob may look, and not act")


async def test_where_nobody_can_sign_in_nobody_acts() -> None:
    """The way out is said."""
    conductors = Conductors(FLEET)
    async with asking(conductors, ConsoleSettings(), Origin="http://localhost") as web:
        answers = [await web.get("/act/retire"), await web.post("/act/retire", data={"member": "compute.n1.1"})]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert "add [[console.tokens]]" in answers[1].text
    assert conductors.acts == []


async def test_a_form_that_was_not_given_out_does_nothing() -> None:
    """Whoever's cookie the browser sends along."""
    conductors = Conductors(FLEET)
    access = Access(TOKENS, KEY)
    mine, theirs = access.sign_in("ann's secret"), access.sign_in("ann's secret")
    cookie = {"Cookie": f"{access.cookie}={mine}", "Origin": "http://localhost"}
    async with asking(conductors, **cookie) as web:
        viewer = access.viewer(type("Asked", (), {"headers": {}, "cookies": {access.cookie: theirs}})())
        for key in ("", "x", access.form_key(viewer, theirs)):
            answer = await web.post("/act/retire", data={"member": "compute.n1.1", "form_key": key})
            assert (answer.status_code, "Nothing was done" in answer.text) == (403, True)
    assert conductors.acts == []


async def test_who_comes_through_a_proxy_acts_by_a_form_of_ours() -> None:
    """The proxy says who they are with each request, whoever made their browser send it; the form says that it was
    they."""
    conductors = Conductors(FLEET)
    behind = ConsoleSettings(proxy=Proxy(addresses=["127.0.0.1"], operators=["ops"]))
    known = {"X-Forwarded-User": "ann", "X-Forwarded-Groups": "ops", "Origin": "http://localhost"}
    member = {"member": "compute.n1.1"}
    async with asking(conductors, behind, **known) as web:
        refused = await web.post("/act/retire", data=member)
        asked = await web.get("/act/retire", params=member)
        key = re.findall(r'name="form_key" value="(\w+)"', asked.text)[0]
        told = await outcome(web, await web.post("/act/retire", data={**member, "form_key": key}))
    assert (refused.status_code, "compute@n1 (juno) is retired" in told) == (403, True)
    assert conductors.acts == ["as ann", "retire compute.n1.1"]


async def test_a_script_acts_with_its_token() -> None:
    """It needs no form, and no origin."""
    conductors = Conductors(FLEET)
    async with asking(conductors, Authorization="Bearer ann's secret") as web:
        told = await outcome(web, await web.post("/act/pin-set", data={"release": "juno", "topic": "compute"}))
    assert "compute pinned to juno, with epoch 5" in told
    assert "epoch 5 is acknowledged by all active members" in told
    assert conductors.acts == ["as ann", "pin compute juno", "wait 5"]


@pytest.mark.parametrize(
    ("act", "fields", "reason"),
    [
        ("retire", {"member": "nobody"}, "there is no member 'nobody'"),
        ("retire", {"member": "api-web-1"}, "it is alive, heard 0 s ago. Stop it first"),
        ("retire", {}, "received no member"),
        ("pin-set", {"release": "essex"}, "received '*' to 'essex', expected one of *, compute to one of icehouse"),
        ("pin-clear", {"topic": "house"}, "received topic 'house', expected one of *"),
        ("ack", {"fact": "lost:compute@n9"}, "it neither fails nor is unknown now"),
        ("ack", {"fact": "schema"}, "it neither fails nor is unknown now"),
        ("ack", {"fact": "lost:compute@n1", "reason": "x", "hours": "9999"}, "received '9999' hours"),
        ("withdraw", {"fact": "lost:compute@n1"}, "nobody has acknowledged it"),
        ("finalize", {"word": "kilo"}, "Finalize is refused"),
    ],
)
async def test_what_must_not_be_done_is_refused(act: str, fields: dict[str, str], reason: str) -> None:
    """When it is asked for, and again when it is confirmed: the fleet may have changed meanwhile."""
    conductors = Conductors(FLEET)
    async with asking(conductors, Authorization="Bearer ann's secret") as web:
        asked = await web.get(f"/act/{act}", params=fields)
        told = await outcome(web, await web.post(f"/act/{act}", data=fields))
    assert asked.status_code == 409
    assert reason.replace("'", "&#39;") in told
    assert conductors.acts == ["as ann"]


async def test_a_risk_is_taken_for_a_reason_and_withdrawn() -> None:
    """With its fact's name; without a reason it is not."""
    conductors = Conductors(FLEET)
    async with asking(conductors, Authorization="Bearer ann's secret") as web:
        fields = {"fact": "lost:compute@n1", "hours": "4"}
        assert "received no reason" in await outcome(web, await web.post("/act/ack", data=fields))
        await outcome(web, await web.post("/act/ack", data={**fields, "reason": "it burnt"}))
        entry = JournalEntry(at=NOW, kind="gate.acknowledged", facts={"fact": "lost:compute@n1", "by": "ann"})
        conductors.shown = fleet(LOST, acknowledged=[entry])
        await outcome(web, await web.post("/act/withdraw", data=fields))
    assert [act for act in conductors.acts if act != "as ann"] == [
        "ack lost:compute@n1 for 14400 s: it burnt",
        "withdraw lost:compute@n1",
    ]


async def test_a_host_is_emptied_and_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is told whenever it is another number; whoever cannot be asked is not."""
    monkeypatch.setattr("midflight.upgrade.draining.LOOK_SECONDS", 0.0)
    conductors = Conductors(FLEET)
    conductors.left = [None, ["a", "b"], ["b"], ["b"], [], []]
    async with asking(conductors, Authorization="Bearer ann's secret") as web:
        told = await outcome(web, await web.post("/act/drain", data={"member": "compute-n2-1"}))
        await outcome(web, await web.post("/act/undo-drain", data={"member": "compute-n2-1"}))
        lost_one = await outcome(web, await web.post("/act/drain", data={"member": "compute.n1.1"}))
    assert re.search(r"2 left on n2\W+1 left on n2\W+compute@n2 takes no new work, and nothing is left there", told)
    assert told.count("left on n2") == 2
    assert "it is lost, and cannot be asked" in lost_one
    drained = [act for act in conductors.acts if act != "as ann"]
    assert drained == ["drain compute-n2-1 False"] * 6 + ["drain compute-n2-1 True"]


async def test_epochs_that_are_not_acknowledged_are_told_with_names() -> None:
    """The pin is set all the same, and that is said."""
    conductors = Conductors(FLEET)
    conductors._late = [LOST]
    async with asking(conductors, Authorization="Bearer ann's secret") as web:
        told = await outcome(web, await web.post("/act/pin-clear", data={"topic": "*"}))
    assert "compute@n1 have not acknowledged it within 15 s. It is set all the same" in told


async def test_an_unknown_act_or_outcome_is_not_there() -> None:
    """A page says so."""
    async with asking(Conductors(FLEET), Authorization="Bearer ann's secret") as web:
        answers = [await web.get("/act/explode"), await web.get("/outcome/x")]
    assert [answer.status_code for answer in answers] == [404, 404]


def test_acts_are_named_as_they_are_addressed() -> None:
    """One name, one act, and each says what the command line calls it."""
    assert len({act.name for act in ACTS}) == len(ACTS)
    assert {ANN.role, BOB.role} == {"operator", "viewer"}


async def test_an_act_that_crashes_is_not_shown_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody had foreseen is told as a bug."""

    async def crash(_conductors: Conductors, _member: str) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Conductors, "retire", crash)
    async with asking(Conductors(FLEET), Authorization="Bearer ann's secret") as web:
        told = await outcome(web, await web.post("/act/retire", data={"member": LOST.id}))
    assert "done" not in told
    assert "this is a bug in midflight or in the project: ZeroDivisionError(&#39;oops&#39;)" in told


async def test_a_script_is_told_what_became_of_its_act() -> None:
    """In JSON, when it is over, with the rights that a person has: from a browser, the key of a form counts."""
    conductors = Conductors(FLEET)
    json = {"accept": "application/json"}
    async with asking(conductors, Authorization="Bearer ann's secret") as web:
        done = await web.post("/act/retire", data={"member": LOST.id}, headers=json)
        refused = await web.post("/act/retire", data={"member": "nobody"}, headers=json)
    assert (done.status_code, done.json()) == (200, {"did": ["compute@n1 (juno) is retired"], "failed": None})
    assert (refused.status_code, refused.json()["did"]) == (409, [])
    assert "nobody" in refused.json()["failed"]
    async with asking(conductors, origin="http://localhost") as web:
        assert (await web.post("/signin", data={"token": "ann's secret"})).status_code == 200
        sent = await web.post("/act/retire", data={"member": LOST.id}, headers=json)
        assert (sent.status_code, "none that you were given here" in sent.text) == (403, True)
        (key,) = re.findall(r'<meta name="form-key" content="(\w+)">', (await web.get("/upgrade")).text)
        sent = await web.post("/act/retire", data={"member": LOST.id, "form_key": key}, headers=json)
        assert (sent.status_code, sent.json()["failed"]) == (200, None)
    async with asking(conductors, Authorization="Bearer bob's secret") as web:
        assert "form-key" not in (await web.get("/upgrade")).text
