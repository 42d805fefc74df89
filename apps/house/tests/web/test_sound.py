"""The patch bay: patched by finger, mouse and keyboard, at once; and its acts, asked first where there is no script."""

from __future__ import annotations

import asyncio
from html import unescape
from ipaddress import IPv4Address

import pytest

from house.errors import NotFound, NotNow
from house.objects.hearing import Hearing
from house.objects.player import Player
from house.objects.scene import Scene
from house.objects.stream import Stream
from house.objects.wake import Wake
from house.playing import Playing
from house.sound_operator import Patched
from house.web.acts import ACTS
from house.web.acts.sound import SOUND
from house.web.acts.sound.hearing import tell_all
from tests.web.conftest import Desks, Tabs
from tests.web.desk import PICTURES, TOKENS, Tab
from tests.web.houses import Keeper, loud
from tests.web.sounds import NOW, QUEUE
from tests.web.test_acts import asking, outcome
from tests.web.test_pages import EVIL, signed_in


async def at_the_bay(desk: Desks, tabs: Tabs, keeper: Keeper, **options: int | str) -> Tab:
    """A tab with the patch bay, in which somebody has signed in."""
    seen = await signed_in(await desk(keeper, TOKENS), tabs, **options)
    await seen.page.goto(f"{seen.home}/sound")
    await seen.reads("#pulse", "live")
    return seen


def jack(target: str, stream: str) -> str:
    """Where it is."""
    return f"[id='jack-{target}.{stream}']"


async def pressed(seen: Tab, target: str) -> list[str]:
    """Which jacks of a row are plugged in, as a screen reader hears it."""
    found = await seen.page.get_by_role("button", pressed=True).filter(has_text=f" in {target}").all()
    return [" ".join((await each.inner_text()).split()) for each in found]


async def hears(seen: Tab, target: str, stream: str | None) -> None:
    """Wait until the server itself shows what a row hears."""
    wanted = stream or ""
    await seen.page.locator(f"#row-{target}[data-hears='{wanted}']").wait_for()


async def test_a_tap_patches_at_once_and_another_pulls_out(desk: Desks, tab: Tabs) -> None:
    """On a phone. The room plays when its agent says so; and what was done is said."""
    keeper = loud()
    seen = await at_the_bay(desk, tab, keeper, width=390, theme="dark")
    await seen.page.click(jack("bath", "news"))
    assert await pressed(seen, "bath") == ["news in bath"]
    await hears(seen, "bath", "news")
    await seen.reads("#said", "bath hears news")
    await seen.reads("#row-bath", "playing")
    assert await seen.violations() == []
    assert await seen.page.evaluate("document.documentElement.scrollWidth") <= 390
    await seen.page.screenshot(path=PICTURES / "sound-operator-dark-390.png", full_page=True)
    await seen.page.click(jack("bath", "news"))
    await hears(seen, "bath", None)
    await seen.reads("#row-bath", "silent")
    assert keeper.acts == ["as ann", "patch bath news", "as ann", "patch bath None"]


async def test_of_two_quick_taps_the_later_one_counts(desk: Desks, tab: Tabs) -> None:
    """It is told when the first one is over, however long that takes; what is refused then takes back only itself."""
    keeper = loud()
    held = keeper.sounds.held = asyncio.Event()
    seen = await at_the_bay(desk, tab, keeper)
    await seen.page.click(jack("bath", "news"))
    while keeper.sounds.held is not None:
        await seen.page.wait_for_timeout(20)
    await seen.page.click(jack("bath", "music"))
    await seen.page.click(jack("deck", "tv"))
    await hears(seen, "deck", "tv")
    assert await pressed(seen, "bath") == ["music in bath"]
    held.set()
    await hears(seen, "bath", "music")
    assert keeper.acts[1::2] == ["patch bath news", "patch deck tv", "patch bath music"]


async def test_what_is_named_alike_is_not_taken_for_one(desk: Desks, tab: Tabs) -> None:
    """Jacks and lines have places of their own, whatever rooms and streams are called."""
    keeper = loud()
    shown = keeper.sounds.shown
    shown.players[:2] = [Player(name=name, host="nas") for name in ("a", "a-b")]
    names = "b-c", "c", "room-a", "group-downstairs"
    shown.streams[:] = [Stream(name=name, host="nas", address=IPv4Address("239.255.12.1")) for name in names]
    seen = await at_the_bay(desk, tab, keeper)
    ids = await seen.page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len({*ids}) == len(ids)


async def test_all_rooms_and_groups_are_patched_with_one_jack(desk: Desks, tab: Tabs) -> None:
    """One that only some of the rooms hear is pressed in part."""
    keeper = loud()
    seen = await at_the_bay(desk, tab, keeper)
    assert await seen.page.get_attribute(jack("downstairs", "music"), "aria-pressed") == "mixed"
    await seen.page.click(jack("downstairs", "music"))
    await hears(seen, "kitchen", "music")
    assert await pressed(seen, "downstairs") == ["music in downstairs"]
    await seen.page.click(jack("all", "tv"))
    await hears(seen, "bath", "tv")
    await hears(seen, "all", "tv")
    assert [each.stream for each in keeper.sounds.shown.players] == ["tv"] * 7
    assert keeper.acts == ["as ann", "patch downstairs music", "as ann", "patch all tv"]


async def test_what_is_refused_is_said_and_taken_back(desk: Desks, tab: Tabs) -> None:
    """In the words of the house; the jack is as it was."""
    keeper = loud()
    keeper.sounds.wrong = NotFound("stream", "music")
    seen = await at_the_bay(desk, tab, keeper)
    await seen.page.click(jack("bath", "music"))
    await seen.reads("#said.is-failed", "the house has no stream 'music'")
    assert await pressed(seen, "bath") == []


async def test_the_bay_is_played_by_keyboard(desk: Desks, tab: Tabs) -> None:
    """Arrows lead from jack to jack and from room to room, Space patches, Delete silences, m mutes; one jack of each
    row is in the order of Tab. Focus stays where it is when something is pushed."""
    keeper = loud()
    seen = await at_the_bay(desk, tab, keeper)
    await seen.page.focus(jack("kitchen", "news"))
    assert await seen.page.locator("#row-kitchen .jack[tabindex='0']").count() == 1
    for key in ("ArrowLeft", "ArrowDown", "ArrowRight", "ArrowRight", "Space"):
        await seen.page.keyboard.press(key)
    await hears(seen, "living-room", "tv")
    assert await seen.page.evaluate("document.activeElement.id") == "jack-living-room.tv"
    await seen.page.keyboard.press("m")
    await seen.page.locator("#row-living-room[data-muted]").wait_for()
    await seen.page.keyboard.press("Delete")
    await hears(seen, "living-room", None)
    assert keeper.acts[1::2] == [
        "patch living-room tv", "mute living-room", "patch living-room None",
    ]  # fmt: skip


async def test_a_stream_is_dragged_onto_a_room(desk: Desks, tab: Tabs) -> None:
    """From its head, or from the jack of another room."""
    keeper = loud()
    seen = await at_the_bay(desk, tab, keeper)
    await seen.page.drag_and_drop("#stream-tv", "#row-bath th")
    await hears(seen, "bath", "tv")
    await seen.page.drag_and_drop(jack("kitchen", "news"), "#row-deck th")
    await hears(seen, "deck", "news")
    assert keeper.acts[1::2] == ["patch bath tv", "patch deck news"]


async def test_a_volume_is_moved_and_its_last_place_counts(desk: Desks, tab: Tabs) -> None:
    """One act after the other, however fast it is moved, and nothing that is pushed meanwhile moves it back."""
    keeper = loud()
    seen = await at_the_bay(desk, tab, keeper)
    await seen.page.focus("#volume-bath")
    for _ in range(12):
        await seen.page.keyboard.press("ArrowRight")
    await seen.page.locator("#volume-bath[value='52']").wait_for()
    assert await seen.page.input_value("#volume-bath") == "52"
    told = keeper.acts[1::2]
    assert (told[-1], len(told) <= 12) == ("volume bath 52", True)


async def test_a_scene_a_stream_and_a_timer_are_one_press_away(desk: Desks, tab: Tabs) -> None:
    """A scene that is as the rooms are is pressed already."""
    keeper = loud()
    seen = await at_the_bay(desk, tab, keeper)
    scenes = seen.page.get_by_role("navigation", name="Scenes")
    assert "news in the kitchen" in await scenes.get_by_role("button", pressed=True).inner_text()
    await scenes.get_by_role("button", name="party").click()
    await seen.reads("#said", "party: kitchen")
    await seen.page.get_by_role("button", name="Enable rain").click()
    await seen.reads("#said", "rain is enabled")
    await seen.page.get_by_role("button", name="Play on in bedroom").click()
    await seen.reads("#said", "bedroom plays on")
    assert keeper.acts[1::2] == [
        "play party",
        "enable rain",
        "turn off bedroom never",
    ]


async def test_a_room_says_what_is_wrong_with_it(desk: Desks, tab: Tabs) -> None:
    """And plays only by a fresh word of its agent; what a host has to complain of stands above all."""
    keeper = loud()
    seen = await tab(await desk(keeper), "/sound")
    await seen.reads("#summary", "4 of 7 rooms playing")
    await seen.reads("#row-attic", "waiting: pi-attic sleeps")
    await seen.reads("#row-deck", "unplugged: its sound card is gone")
    await seen.reads("#trouble-pi-deck-1", "the switch floods multicast")
    await seen.reads("#line-room-kitchen", "in hand 498 ms, lost 3 packets, jitter 2.1 ms, drift +12 ppm, underruns —")
    await seen.reads("#stream-music", "Nina Simone – Sinnerman")
    await seen.reads("#line-stream-music", f"Then {', '.join(QUEUE)}")
    keeper.sounds.heard.pop("kitchen")
    await seen.reads("#summary", "3 of 7 rooms playing")
    await seen.reads("#row-kitchen", "unknown")
    keeper.sounds.heard["kitchen"] = Hearing(player="kitchen", state=Playing.BROKEN)
    await seen.reads("#row-kitchen", "broken: its agent does not say why")
    assert await seen.page.locator("#bay a, #bay input").count() == 0


async def test_script_in_a_name_of_a_scene_or_a_title_is_only_text(desk: Desks, tab: Tabs) -> None:
    """Whoever sends a stream chooses its title, and an agent its words."""
    keeper = loud()
    keeper.sounds.sent[0].title = keeper.sounds.heard["deck"].why = EVIL
    keeper.sounds.sent[0].queue = [EVIL]
    seen = await at_the_bay(desk, tab, keeper)
    assert "<script>" in await seen.page.locator("main").inner_text()
    assert await seen.page.title() != "owned"
    assert await seen.page.locator("main script, main img").count() == 0


@pytest.mark.parametrize(
    ("act", "fields", "done", "told"),
    [
        ("patch", {"target": "all", "stream": "tv"}, "patch all tv", "every room hears tv"),
        ("silence", {"target": "kitchen"}, "patch kitchen None", "kitchen falls silent"),
        ("volume", {"target": "kitchen", "percent": "35"}, "volume kitchen 35", "kitchen plays at 35 %"),
        ("mute", {"target": "downstairs"}, "mute downstairs", "downstairs is muted"),
        ("unmute", {"target": "downstairs"}, "unmute downstairs", "downstairs is heard again"),
        ("timer", {"target": "bedroom", "until": "45m"}, "turn off bedroom in 45 min", "bedroom falls silent at"),
        ("let-play", {"target": "bedroom"}, "turn off bedroom never", "bedroom plays on"),
        ("play", {"scene": "good night"}, "play good night", "good night: kitchen"),
        (
            "save-scene",
            {"name": "x", "rooms": "bath, attic", "timed": "yes", "at": "7:00", "days": "Sat", "zone": "UTC"},
            "save x: bath, attic; Sat 07:00 UTC", "x: bath: silent, attic: silent; Sat 07:00 UTC",
        ),
        ("drop-scene", {"scene": "party"}, "drop party", "the scene party is dropped"),
        (
            "stream", {"name": "vinyl", "kind": "capture", "source": "hw:2", "host": "nas"},
            "add vinyl capture 'hw:2' nas", "vinyl comes from nas, to 239.255.12.9",
        ),
        ("enable", {"stream": "rain"}, "enable rain", "rain is enabled"),
        ("disable", {"stream": "tv"}, "disable tv", "tv is disabled"),
        ("remove-stream", {"stream": "tv"}, "remove tv", "tv is removed"),
        ("group", {"name": "wet", "rooms": "bath deck"}, "group wet: bath, deck", "wet is bath, deck"),
        ("ungroup", {"group": "downstairs"}, "ungroup downstairs", "downstairs is no group any more"),
        (
            "room", {"room": "bath", "engine": "snapcast", "offset": "-7.5"}, "change bath snapcast -7.5",
            "bath is played by snapcast, -7.5 ms",
        ),
        ("forget-room", {"room": "bath"}, "forget bath", "bath is forgotten"),
        (
            "test", {"target": "bath", "host": "nas"}, "test bath by snapcast from nas for 5 s",
            "bath by snapcast: it plays well bath: snapcast, for it plays well there; now it is pulse-rtp",
        ),
    ],
)  # fmt: skip
async def test_what_is_asked_for_is_done(act: str, fields: dict[str, str], done: str, told: str) -> None:
    """Without a script too, after a question that shows the command for it; in the name of who has signed in."""
    keeper = loud()
    async with asking(keeper) as web:
        question = await web.get(f"/act/{act}", params=fields)
        assert (question.status_code, "house sound " in question.text) == (200, True)
        assert told in await outcome(web, await web.post(f"/act/{act}", data=fields))
    assert keeper.acts == ["as ann", done]


@pytest.mark.parametrize(
    ("act", "fields", "reason"),
    [
        ("patch", {"target": "pool", "stream": "tv"}, "the house has no room or group 'pool'"),
        ("patch", {"target": "bath", "stream": "vinyl"}, "the house has no stream 'vinyl'"),
        ("patch", {"target": "bath"}, "received no stream"),
        ("volume", {"target": "bath", "percent": "loud"}, "received 'loud', expected percent, from 0 to 100"),
        ("timer", {"target": "bath", "until": "soon"}, "received 'soon', expected a time to come"),
        ("play", {"scene": "x"}, "the house has no scene 'x'"),
        ("save-scene", {"name": "x", "rooms": "bath", "timed": "yes", "at": "7", "days": "Sat", "zone": "UTC"}, "'7'"),
        ("stream", {"name": "x", "kind": "vinyl", "source": "-", "host": "nas"}, "received 'vinyl', expected one of"),
        ("ungroup", {"group": "wet"}, "the house has no group 'wet'"),
        (
            "room",
            {"room": "bath", "engine": "gst-netclock", "offset": "0"},
            "received 'gst-netclock', expected one of pulse-rtp, snapcast",
        ),
        ("room", {"room": "bath", "engine": "snapcast", "offset": "late"}, "received 'late', expected milliseconds"),
        ("forget-room", {"room": "pool"}, "the house has no room 'pool'"),
        ("test", {"target": "pool"}, "the house has no room or group 'pool'"),
        ("test", {"target": "kitchen"}, "received kitchen, expected one on another host than nas, with an engine that"),
    ],
)
async def test_what_is_mistyped_is_told(act: str, fields: dict[str, str], reason: str) -> None:
    """With what was received and what was expected, to a person and to a script; nothing is done."""
    keeper = loud()
    async with asking(keeper) as web:
        answer = await web.post(f"/act/{act}", data=fields, headers={"accept": "application/json"})
    assert (answer.status_code, reason in answer.json()["failed"]) == (409, True)
    assert keeper.acts == ["as ann"]


async def test_a_command_is_shown_as_a_shell_takes_it() -> None:
    """Also where a name has a quote in it; and only engines that some host can use are offered."""
    keeper = loud()
    keeper.sounds.shown.scenes.append(Scene(name="it's late"))
    async with asking(keeper) as web:
        for act, command in (("play", "scene"), ("drop-scene", "drop")):
            asked = unescape((await web.get(f"/act/{act}", params={"scene": "it's late"})).text)
            assert f"""house sound {command} 'it'"'"'s late'""" in asked
        asked = unescape((await web.get("/act/group", params={"name": "x; reboot"})).text)
        assert "house sound group 'x; reboot'" in asked
        asked = (await web.get("/act/room", params={"room": "bath"})).text
    assert ("snapcast: unicast" in asked, "gst-netclock" in asked) == (True, False)


async def test_a_network_is_tested_from_where_that_can_be() -> None:
    """The form begins with a host from which rooms can hear something; where there is none, no test is offered."""
    keeper = loud()
    bay = keeper.sounds.shown
    for room in bay.players:
        room.host = "nas"
    async with asking(keeper) as web:
        assert "house sound test all --from pi-bath" in (await web.get("/act/test")).text
        assert "Test the network" in (await web.get("/sound")).text
    bay.hosts = [host for host in bay.hosts if host.name == "nas"]
    async with asking(keeper) as web:
        assert "Test the network" not in (await web.get("/sound")).text


def test_each_machine_that_did_not_wake_is_told() -> None:
    """None hides another, nor what has woken."""
    said: list[str] = []
    wakes = [Wake(machine=name, asked_at=NOW, tries=4) for name in ("pi-bath", "pi-deck")]
    wakes[1:1] = [Wake(machine="nas", asked_at=NOW, awake_at=NOW, tries=1)]
    told = "pi-bath has not woken after 4 tries; pi-deck has not woken after 4 tries; pi sleeps, and was not woken"
    with pytest.raises(NotNow, match=told):
        tell_all(Patched([], wakes, ["pi sleeps, and was not woken"]), "all rooms hear tv", said.append)
    assert said == ["all rooms hear tv", "nas was woken for it, in 0.0 s"]


async def test_several_who_act_at_once_are_all_told(desk: Desks) -> None:
    """Each of what became of their own."""
    keeper = loud()
    async with asking(keeper) as web:
        asked = [
            web.post("/act/patch", data={"target": room.name, "stream": "tv"}, headers={"accept": "application/json"})
            for room in keeper.sounds.shown.players
        ]
        told = [answer.json() for answer in await asyncio.gather(*asked)]
    assert [each["did"] for each in told] == [[f"{room.name} hears tv"] for room in keeper.sounds.shown.players]


def test_the_acts_of_sound_are_acts_of_the_page() -> None:
    """With names of their own, and none is left out."""
    names = [act.name for act in ACTS]
    assert len({*names}) == len(names)
    assert {act.name for act in SOUND} <= {*names}
