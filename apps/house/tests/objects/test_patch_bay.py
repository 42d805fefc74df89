"""Streams, rooms, and what is patched to what."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address

import pytest

from house.errors import AddressTaken, AlreadyExists, NotFound, NotNow, NotYours
from house.objects.group import Group
from house.objects.hearing import Hearing, Sending
from house.objects.patch_bay import PatchBay
from house.objects.player import Player
from house.objects.scene import Scene, Setting
from house.objects.stream import Stream
from house.objects.wiring import SoundHost, Wiring
from house.playing import Engine, Kind, Playing, Sent
from midflight import Caller, Context, InvalidValue
from midflight.db.engine import Database
from tests.jumping import JumpingClock


@pytest.fixture
async def bay(context: Context, time: JumpingClock) -> Context:
    """A server that sends a radio and a record, and a kitchen and a bath that are silent."""
    for host in ("nas", "pi-kitchen", "pi-bath"):
        await Wiring.report(context, SoundHost(name=host, engines=["pulse-rtp"]), [], [])
    for name in ("radio", "record"):
        await Stream(context=context, name=name, kind=Kind.FILE, source=f"/music/{name}.flac", host="nas").create()
    for name in ("kitchen", "bath"):
        await Player(context=context, name=name, host=f"pi-{name}").create()
    return context


async def wiring(context: Context, host: str, *hearings: Hearing, sendings: tuple[Sending, ...] = ()) -> Wiring:
    return await Wiring.report(context, SoundHost(name=host, engines=["pulse-rtp"]), [*hearings], [*sendings])


async def heard(context: Context) -> dict[str, str | None]:
    """What each room shall hear."""
    return {player.name: player.stream for player in (await PatchBay.get(context)).players}


async def test_a_stream_is_patched_to_a_room_a_group_and_all(bay: Context) -> None:
    """The answer names the rooms, the others are left as they are, and None is silence."""
    await Group(context=bay, name="downstairs", players=["kitchen"]).create()
    assert await PatchBay.patch(bay, "bath", "record") == ["bath"]
    assert await PatchBay.patch(bay, "downstairs", "radio") == ["kitchen"]
    assert await heard(bay) == {"kitchen": "radio", "bath": "record"}
    assert await PatchBay.patch(bay, "all", None) == ["kitchen", "bath"]
    assert await heard(bay) == {"kitchen": None, "bath": None}


async def test_what_cannot_be_patched_is_refused_and_nothing_changes(bay: Context) -> None:
    """A room or a stream that is none, and a stream that is disabled."""
    await PatchBay.patch(bay, "kitchen", "record")
    radio = await Stream.get(bay, "radio")
    radio.enabled = False
    await radio.save()
    with pytest.raises(NotFound, match="no room or group 'attic'"):
        await PatchBay.patch(bay, "attic", "record")
    with pytest.raises(NotFound, match="no stream 'redio'"):
        await PatchBay.patch(bay, "kitchen", "redio")
    with pytest.raises(NotNow, match="radio: it is disabled, so nothing would be heard: enable it first"):
        await PatchBay.patch(bay, "all", "radio")
    assert await heard(bay) == {"kitchen": "record", "bath": None}


async def test_a_room_is_moved_only_to_a_host_with_sound(bay: Context) -> None:
    """What is nowhere would never be heard; what else is changed of a room leaves its host alone."""
    kitchen = await Player.get(bay, "kitchen")
    kitchen.host = "attic"
    with pytest.raises(NotFound, match="no host with sound 'attic'"):
        await kitchen.save()
    kitchen.host = "pi-bath"
    await kitchen.save()
    assert (await Player.get(bay, "kitchen")).host == "pi-bath"
    nowhere = Player(context=bay, name="cellar", host="pi-cellar")
    await nowhere.create()
    nowhere.offset_ms = 5.0
    await nowhere.save()


async def test_an_agent_is_told_what_its_host_does(bay: Context) -> None:
    """Its rooms with what they hear, its own streams, those that its rooms hear, and by which engines to send."""
    bedroom = Player(context=bay, name="bedroom", host="pi-bath", engine=Engine.SNAPCAST)
    await bedroom.create()
    await PatchBay.patch(bay, "kitchen", "radio")
    kitchen, nas = await wiring(bay, "pi-kitchen"), await wiring(bay, "nas")
    assert [(player.name, player.stream) for player in kitchen.players] == [("kitchen", "radio")]
    assert [stream.name for stream in kitchen.streams] == ["radio"]
    assert ([stream.name for stream in nas.streams], nas.players) == (["radio", "record"], [])
    assert nas.engines == [Engine.PULSE_RTP, Engine.SNAPCAST]


async def test_what_agents_say_is_kept_and_nobody_speaks_of_other_hosts(bay: Context, time: JumpingClock) -> None:
    """The latest word of each counts, with the conductor's time; what is not on the host is passed over."""
    for level in (-30.0, -18.0):
        playing = Hearing(player="kitchen", state=Playing.PLAYING, stream="radio", level_db=level)
        await wiring(bay, "pi-kitchen", playing, Hearing(player="bath", state=Playing.BROKEN))
        time.pass_(seconds=5)
    sent = (Sending(stream="radio", state=Sent.SENDING), Sending(stream="tv", state=Sent.SENDING))
    await wiring(bay, "nas", sendings=sent)
    await wiring(bay, "nas", sendings=sent)
    seen = await PatchBay.get(bay)
    assert [(each.player, each.level_db, each.at) for each in seen.hearings] == [
        ("kitchen", -18.0, time.now() - timedelta(seconds=5))
    ]
    assert [(each.stream, each.at) for each in seen.sendings] == [("radio", time.now())]
    assert [host.name for host in seen.hosts] == ["nas", "pi-kitchen", "pi-bath"]


async def test_an_agent_of_sound_speaks_of_its_own_host(bay: Context, database: Database) -> None:
    """It neither reports for another host nor makes rooms there."""
    other = Context(caller=Caller("sound", "nas", "alder", "m1", 0), database=database)
    with pytest.raises(NotYours, match=r"sound@nas \(alder\) is not the agent of pi-bath"):
        await wiring(other, "pi-bath")
    with pytest.raises(NotYours):
        await Player(context=other, name="attic", host="pi-attic").create()
    await Player(context=other, name="cellar", host="nas").create()


async def test_each_stream_has_a_group_address_of_its_own(bay: Context) -> None:
    """The house gives the lowest that is free; a given one must be multicast of the house, and nobody else's."""
    assert [str((await Stream.get(bay, name)).address) for name in ("radio", "record")] == [
        "239.255.12.1", "239.255.12.2",
    ]  # fmt: skip
    tv = Stream(context=bay, name="tv", host="nas", address=IPv4Address("239.255.12.2"))
    with pytest.raises(AddressTaken, match=r"tv cannot have 239\.255\.12\.2: it is record's"):
        await tv.create()
    tv.address = IPv4Address("224.0.0.56")
    with pytest.raises(InvalidValue, match=r"received 224\.0\.0\.56, expected a multicast group of 239\.0\.0\.0/8"):
        await tv.create()
    await (await Stream.get(bay, "radio")).destroy()
    tv.address = None
    await tv.create()
    assert str(tv.address) == "239.255.12.1"
    tv.address = IPv4Address("239.255.12.2")
    with pytest.raises(AddressTaken):
        await tv.save()
    tv.address = None
    await tv.save()
    assert str((await Stream.get(bay, "tv")).address) == "239.255.12.1"


async def test_streams_of_one_host_have_ports_of_their_own(bay: Context) -> None:
    """An address by which an engine would give a stream the ports of another one of its host, or of the test signal, is
    refused, and the house gives none of these either. On another host it is a good one."""

    def tv(address: str, host: str = "nas") -> Stream:
        return Stream(context=bay, name="tv", host=host, address=IPv4Address(address))

    for address, owner in [
        ("239.254.228.241", "radio"), ("239.255.12.255", "the test signal"), ("239.254.229.239", "the test signal"),
    ]:  # fmt: skip
        with pytest.raises(InvalidValue, match=f"received {address}, expected another one, or none: {owner} has the"):
            await tv(address).create()
    elsewhere = tv("239.254.228.241", "pi-bath")
    await elsewhere.create()
    elsewhere.host = "nas"
    with pytest.raises(InvalidValue, match="radio has the same ports on nas by it"):
        await elsewhere.save()
    await elsewhere.destroy()
    await tv("239.254.228.243").create()
    film = Stream(context=bay, name="film", host="nas")
    await film.create()
    assert str(film.address) == "239.255.12.4"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"host": "attic"}, "no host with sound 'attic'"),
        ({"kind": Kind.RADIO}, "expected what the radio is: a device, a sink, a path or a URL"),
        ({"name": "radio"}, "a stream 'radio' already"),
    ],
)
async def test_what_is_no_stream_is_refused(bay: Context, values: dict[str, str], reason: str) -> None:
    """One message each, and nothing is kept."""
    with pytest.raises((NotFound, InvalidValue, AlreadyExists), match=reason):
        await Stream(context=bay, **{"name": "tv", "host": "nas", **values}).create()  # type: ignore[arg-type]
    assert len((await PatchBay.get(bay)).streams) == 2


async def test_a_group_has_each_of_its_rooms_once(bay: Context) -> None:
    """Rooms that are none are refused, and no room and group have one name."""
    with pytest.raises(InvalidValue, match="received 'bath' twice, expected each room once"):
        await Group(context=bay, name="wet", players=["bath", "kitchen", "bath"]).create()
    with pytest.raises(NotFound, match="no room 'pool'"):
        await Group(context=bay, name="wet", players=["pool"]).create()
    with pytest.raises(AlreadyExists, match="has a room 'bath' already"):
        await Group(context=bay, name="bath", players=["kitchen"]).create()
    with pytest.raises(InvalidValue, match="received 'all', expected another name"):
        await Player(context=bay, name="all", host="nas").create()
    wet = Group(context=bay, name="wet", players=["bath", "kitchen"])
    await wet.create()
    with pytest.raises(AlreadyExists, match="has a group 'wet' already"):
        await Player(context=bay, name="wet", host="nas").create()
    wet.players = ["kitchen", "kitchen"]
    with pytest.raises(InvalidValue):
        await wet.save()
    assert await PatchBay.set_volume(bay, "wet", 35) == ["bath", "kitchen"]
    await (await Player.get(bay, "bath")).destroy()
    assert await PatchBay.mute(bay, "wet") == ["kitchen"]
    kitchen = await Player.get(bay, "kitchen")
    assert (kitchen.volume, kitchen.muted) == (35, True)


async def test_a_stream_that_goes_takes_its_patches_along(bay: Context) -> None:
    """Rooms fall silent, scenes know it no more."""
    await PatchBay.patch(bay, "all", "radio")
    await Scene(context=bay, name="morning", settings=[Setting(player="bath", stream="radio")]).create()
    await (await Stream.get(bay, "radio")).destroy()
    assert await heard(bay) == {"kitchen": None, "bath": None}
    assert (await Scene.get(bay, "morning")).settings == []


async def test_a_room_falls_silent_when_its_time_is_over(bay: Context, time: JumpingClock) -> None:
    """At the first report after that, of any host; to choose anew is to have no sleep timer any more."""
    await PatchBay.patch(bay, "all", "radio")
    assert await PatchBay.turn_off_at(bay, "all", time.now() + timedelta(minutes=30)) == ["kitchen", "bath"]
    await PatchBay.patch(bay, "bath", "record")
    time.pass_(minutes=29)
    await wiring(bay, "nas")
    assert await heard(bay) == {"kitchen": "radio", "bath": "record"}
    time.pass_(minutes=1)
    await wiring(bay, "nas")
    assert await heard(bay) == {"kitchen": None, "bath": "record"}
    assert (await Player.get(bay, "kitchen")).off_at is None
    with pytest.raises(InvalidValue, match="a time that is to come"):
        await PatchBay.turn_off_at(bay, "bath", time.now())
