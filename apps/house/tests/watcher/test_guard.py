"""One machine's guard, without a network: what is heard goes in, and what comes out is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address

import pytest

from house.lan import arp, ethernet, hearing, magic, ndp
from house.lan.arp import Arp
from house.lan.ethernet import Frame
from house.lan.mac import BROADCAST, UNKNOWN, Mac
from house.lan.ndp import Neighbour
from house.states import Cause, Mode, State
from house.watcher import guard as rules
from house.watcher.acts import Act, Report, Seen, Send, Tell
from house.watcher.guard import Card, Guard
from house.watcher.guarded import Guarded, Wake
from tests.lan import frames
from tests.lan.frames import ASKER, OWNER, WATCHER

FOUR, SIX = IPv4Address("192.0.2.7"), IPv6Address("2001:db8::7")
OTHER_FOUR, OTHER_SIX = IPv4Address("192.0.2.8"), IPv6Address("2001:db8::8")
STRANGER = Mac.parse("02:00:00:00:00:66")
CARD = Card(WATCHER, IPv4Address("192.0.2.2"))


def machine(mode: Mode = Mode.PROXY, **more: object) -> Guarded:
    return Guarded("theobromine", OWNER, (FOUR, SIX), mode=mode, **more)  # type: ignore[arg-type]


class Stage:
    """A guard, and the time."""

    def __init__(self, guarded: Guarded, state: State = State.AWAKE) -> None:
        self.now = 1000.0
        self.guard = Guard(guarded, CARD, self.now, state)

    def hear(self, frame: Frame, scans: bool = False) -> list[Act]:
        return self.guard.heard(frame, hearing.said(frame), self.now, scans)

    def wait(self, seconds: float) -> list[Act]:
        """Let time pass, with all that becomes due."""
        acts, end = list[Act](), self.now + seconds
        while self.guard.due <= end:
            self.now = max(self.now, self.guard.due)
            acts += self.guard.tick(self.now)
        self.now = end
        return acts

    def sleep(self) -> list[Act]:
        """It says that it sleeps, and does."""
        acts = self.guard.sleeps(self.now)
        return acts + self.wait(rules.SETTLE)


def asleep(mode: Mode = Mode.PROXY, **more: object) -> Stage:
    stage = Stage(machine(mode, **more))
    stage.sleep()
    return stage


def sent(acts: Iterable[Act]) -> list[Frame]:
    return [act.frame for act in acts if isinstance(act, Send)]


def tries(acts: Iterable[Act]) -> int:
    """How often a magic packet was sent: two frames each time."""
    return sum(magic.is_for(OWNER, frame.encode()) for frame in sent(acts)) // 2


def told(acts: Iterable[Act]) -> list[str]:
    return [act.event for act in acts if isinstance(act, Tell)]


def reported(acts: Iterable[Act]) -> list[Wake]:
    return [act.wake for act in acts if isinstance(act, Report)]


def owners(acts: Iterable[Act]) -> dict[object, Mac | None]:
    """Who has which address, by what is announced."""
    found: dict[object, Mac | None] = {}
    for frame in sent(acts):
        said = hearing.said(frame)
        if isinstance(said, Arp) and said.sender == said.target:
            found[said.sender] = said.sender_mac
        elif isinstance(said, Neighbour) and said.kind == ndp.ADVERTISEMENT:
            found[said.target] = said.link
    return found


def awake_answers(target: IPv4Address = FOUR) -> Frame:
    """The owner's answer to a probe."""
    body = Arp(arp.REPLY, OWNER, target, WATCHER, IPv4Address(0))
    return Frame(WATCHER, OWNER, ethernet.ARP, body.encode())


KNOCKS = {
    "IPv4": lambda: frames.syn(FOUR, 22),
    "IPv6": lambda: frames.syn(SIX, 22),
}
QUESTIONS = {"ARP": lambda: frames.question(FOUR), "solicitation": lambda: frames.solicitation(SIX)}


# Falling asleep, and waking.


def test_the_claim_leaves_before_the_sleep_is_acknowledged() -> None:
    """What its word that it sleeps brings forth has both addresses at the watcher's card; and it is said once more."""
    stage = Stage(machine())
    assert owners(stage.guard.sleeps(stage.now)) == {FOUR: WATCHER, SIX: WATCHER}
    assert stage.guard.state is State.FALLING
    assert owners(stage.wait(rules.AGAIN)) == {FOUR: WATCHER, SIX: WATCHER}
    assert stage.guard.state is State.ASLEEP


@pytest.mark.parametrize("knock", KNOCKS.values(), ids=KNOCKS)
def test_a_listed_port_wakes(knock: Callable[[], Frame]) -> None:
    """The packet leaves at once, the log says who it was, and the house is told."""
    stage = asleep()
    acts = stage.hear(knock())
    assert tries(acts) == 1
    assert told(acts) == ["watcher.waking"]
    (wake,) = reported(acts)
    assert (wake.requester.mac, wake.requester.port, wake.cause) == (ASKER, 22, Cause.DEMAND)


def test_tries_go_on_until_the_proof() -> None:
    """At 0, 1, 2, 4 and 8 s; the owner's first frame ends them, whatever it is."""
    stage = asleep()
    assert tries(stage.hear(frames.syn(FOUR, 22))) == 1
    counts = [tries(stage.wait(1)) for _ in range(5)]
    assert counts == [1, 1, 0, 1, 0]
    acts = stage.hear(Frame(BROADCAST, OWNER, 0x88CC, b"LLDP"))
    assert stage.guard.state is State.AWAKE
    assert reported(acts)[0].awake == stage.now
    assert tries(stage.wait(20)) == 0


def test_the_first_frame_of_the_owner_gives_the_addresses_back() -> None:
    """All who know them are told, twice; and who had asked is handed on, so that nobody waits until they ask again."""
    stage = asleep()
    stage.hear(frames.syn(FOUR, 22))
    stage.hear(frames.syn(FOUR, 22))
    acts = stage.hear(awake_answers())
    assert owners(acts) == {FOUR: OWNER, SIX: OWNER}
    (handed,) = [frame for frame in sent(acts) if frame.destination == OWNER]
    assert (handed.source, handed.payload) == (WATCHER, hearing.handed_on(frames.syn(FOUR, 22), OWNER, WATCHER).payload)
    assert owners(stage.wait(rules.AGAIN)) == {FOUR: OWNER, SIX: OWNER}


def test_what_a_falling_machine_still_sends_is_no_proof() -> None:
    """Its last frames follow its word that it sleeps; that it comes back, it announces."""
    stage = Stage(machine())
    stage.guard.sleeps(stage.now)
    stage.now += 0.5
    assert stage.hear(frames.syn(OTHER_FOUR, 4222, mac=OWNER)) == []
    assert stage.guard.claimed
    stage.hear(arp.announcement(FOUR, OWNER, OWNER))
    assert stage.guard.state is State.AWAKE


def test_a_machine_that_is_wanted_while_it_falls_is_woken_when_it_sleeps() -> None:
    """It answers until it does, and that proves nothing; then it is silent, and what it says next is the proof."""
    stage = Stage(machine())
    stage.guard.sleeps(stage.now)
    assert tries(stage.hear(frames.syn(FOUR, 22))) == 1
    for _ in range(5):
        stage.wait(0.1)
        stage.hear(awake_answers())
    assert stage.guard.state is State.WAKING
    assert tries(stage.wait(0.6)) == 1
    stage.hear(awake_answers())
    assert stage.guard.state is State.AWAKE


def test_a_machine_that_answers_no_more_is_asleep() -> None:
    """Nothing was heard for half a minute, and three questions had no answer: it is guarded without its word."""
    stage = Stage(machine())
    stage.hear(awake_answers())
    acts = stage.wait(rules.QUIET + rules.PROBES * rules.PROBE_SECONDS)
    assert stage.guard.state is State.ASLEEP
    assert owners(acts) == {FOUR: WATCHER, SIX: WATCHER}
    assert told(acts) == ["watcher.asleep"]
    assert owners(stage.hear(awake_answers())) == {FOUR: OWNER, SIX: OWNER}


def test_a_machine_that_stays_awake_after_all_has_its_addresses_back() -> None:
    """It said that it sleeps, and goes on answering: it has changed its mind without another word."""
    stage = Stage(machine())
    stage.guard.sleeps(stage.now)
    while stage.now < 1000 + rules.SETTLE + 1:
        stage.wait(0.1)
        stage.hear(awake_answers())
    assert stage.guard.state is State.AWAKE


def test_a_machine_that_answers_stays_awake() -> None:
    """It is asked once in half a minute, in a way from which no cache learns."""
    stage = Stage(machine())
    stage.hear(awake_answers())
    for _ in range(10):
        asked = [hearing.said(frame) for frame in sent(stage.wait(rules.QUIET))]
        assert [each.sender for each in asked if isinstance(each, Arp | Neighbour)] == [
            IPv4Address(0),
            IPv6Address("fe80::ff:fe00:2"),
        ]
        stage.hear(awake_answers())
    assert stage.guard.state is State.AWAKE


def test_the_log_says_how_long_it_was_alive_and_asleep() -> None:
    """As the original's did: alive since, asleep for, who woke it, and how long that took."""
    stage = Stage(machine())
    stage.wait(26)
    acts = stage.guard.sleeps(stage.now)
    assert [act.facts["alive_for_seconds"] for act in acts if isinstance(act, Tell)] == [26.0]
    stage.wait(1308)
    stage.hear(frames.syn(FOUR, 22))
    stage.wait(0.3)
    (alive,) = [act for act in stage.hear(awake_answers()) if isinstance(act, Tell)]
    assert alive.facts == {
        "machine": "theobromine", "asleep_for_seconds": 1308.3, "took_seconds": 0.3, "tries": 1,
        "woken_by": "02:00:00:00:00:01 (192.0.2.1, who asks for port 22)",
    }  # fmt: skip


# The three modes.


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(
    ("mode", "answers", "wakes"), [(Mode.SNIFF, None, 1), (Mode.ANSWER, OWNER, 1), (Mode.PROXY, WATCHER, 0)]
)
def test_a_question_for_the_address(mode: Mode, answers: Mac | None, wakes: int, question: Callable[[], Frame]) -> None:
    """Sniff wakes for it, answer also names the owner, and proxy names the watcher and wakes for nothing yet."""
    stage = asleep(mode)
    acts = stage.hear(question())
    said = [hearing.said(frame) for frame in sent(acts) if frame.destination == ASKER]
    named = [
        each.sender_mac if isinstance(each, Arp) else each.link for each in said if isinstance(each, Arp | Neighbour)
    ]
    assert (named, tries(acts)) == ([answers] if answers else [], wakes)


def test_pings_wake_by_choice() -> None:
    """In proxy mode a ping wakes nobody, unless the machine is one that pings wake."""
    for target in FOUR, SIX:
        assert tries(asleep().hear(frames.ping(target))) == 0
        assert tries(asleep(ping_wakes=True).hear(frames.ping(target))) == 1


# What must not wake.

GRATUITOUS = Frame(
    BROADCAST, STRANGER, ethernet.ARP, Arp(arp.REQUEST, STRANGER, OTHER_FOUR, UNKNOWN, OTHER_FOUR).encode()
)
NOISE: dict[str, Frame] = {
    "gratuitous ARP": GRATUITOUS,
    "probe for a conflict": arp.probe(FOUR, ASKER),
    "duplicate address detection": frames.duplicate_detection(SIX),
    "other IPv4 address": frames.question(OTHER_FOUR),
    "other IPv6 address": frames.solicitation(OTHER_SIX),
    "ARP in another VLAN": frames.question(FOUR, vlan=7),
    "solicitation in another VLAN": frames.solicitation(SIX, vlan=7),
    "port in another VLAN": frames.syn(FOUR, 22, vlan=7),
    "a reply": Frame(OWNER, ASKER, ethernet.ARP, Arp(arp.REPLY, ASKER, frames.ASKER_FOUR, OWNER, FOUR).encode()),
    "unlisted port": frames.syn(FOUR, 23),
    "later segment": frames.syn(FOUR, 22, flags=0x10),
    "reset": frames.syn(FOUR, 22, flags=0x04),
    "port of another address": frames.syn(OTHER_FOUR, 22),
    "somebody else's frame": frames.syn(FOUR, 22, to=STRANGER),
}


@pytest.mark.parametrize("mode", [Mode.SNIFF, Mode.ANSWER, Mode.PROXY])
@pytest.mark.parametrize("noise", NOISE)
def test_noise_wakes_nobody(noise: str, mode: Mode) -> None:
    """Whatever the mode."""
    stage = asleep(mode)
    assert tries(stage.hear(NOISE[noise])) == 0
    assert stage.guard.state is State.ASLEEP


@pytest.mark.parametrize("mode", [Mode.SNIFF, Mode.PROXY])
def test_a_machine_in_a_vlan_is_woken_there(mode: Mode) -> None:
    """Its own VLAN's frames wake it, untagged ones do not, and what is sent has its tag."""
    stage = asleep(mode, vlan=7)
    asks = frames.question if mode is Mode.SNIFF else lambda target, vlan=None: frames.syn(target, 22, vlan=vlan)
    assert tries(stage.hear(asks(FOUR))) == 0
    acts = stage.hear(asks(FOUR, vlan=7))
    assert tries(acts) == 1
    assert {frame.vlan for frame in sent(acts)} == {7}


def test_requesters_that_are_ignored_wake_nobody() -> None:
    """It is said once in a minute, however often they ask; others wake."""
    stage = asleep()
    stage.guard.ignored = {ASKER}
    events = [told(stage.hear(frames.syn(FOUR, 22))) for _ in range(5)]
    assert events == [["watcher.not_woken"], [], [], [], []]
    assert tries(stage.hear(frames.syn(FOUR, 22, mac=STRANGER))) == 1


def test_a_scan_of_hosts_wakes_nobody() -> None:
    """In sniff mode, who has asked for many others is looking for hosts."""
    assert tries(asleep(Mode.SNIFF).hear(frames.question(FOUR), scans=True)) == 0


def test_a_scan_of_ports_wakes_nobody() -> None:
    """Who knocked at many unlisted ports is looking for what there is; somebody else is not held up by that."""
    stage = asleep()
    for port in range(1, 22):
        stage.hear(frames.syn(FOUR, port, mac=STRANGER))
    assert tries(stage.hear(frames.syn(FOUR, 22, mac=STRANGER))) == 0
    assert tries(stage.hear(frames.syn(FOUR, 22))) == 1


def test_nobody_is_woken_while_awake() -> None:
    """What is asked of a machine that is awake is its own affair."""
    for mode in Mode.SNIFF, Mode.ANSWER, Mode.PROXY:
        stage = Stage(machine(mode))
        assert sent(stage.hear(frames.question(FOUR)) + stage.hear(frames.syn(FOUR, 22))) == []


# Its settings change.


def test_a_guard_that_changes_goes_on() -> None:
    """While it is being woken, another address is claimed and a port counts from now on: the tries go on, and the proof
    ends the wake that had begun. The address that it has no more is given back."""
    stage = asleep()
    (wake,) = reported(stage.hear(frames.syn(FOUR, 22)))
    changed = Guarded("theobromine", OWNER, (FOUR, OTHER_SIX), wake_ports=frozenset({80}))
    assert owners(stage.guard.becomes(changed, CARD, stage.now)) == {SIX: OWNER}
    acts = stage.wait(1)
    assert owners(acts) == {FOUR: WATCHER, OTHER_SIX: WATCHER}
    assert tries(acts) == 1
    assert reported(stage.hear(awake_answers())) == [wake]
    assert (wake.awake, stage.guard.state) == (stage.now, State.AWAKE)


def test_limits_outlive_a_change() -> None:
    """How often it was woken within the hour is not forgotten; the new limit holds."""
    stage = asleep(wakes_per_hour=5)
    for _ in range(2):
        assert tries(stage.hear(frames.syn(FOUR, 22))) == 1
        stage.hear(awake_answers())
        stage.wait(120)
        stage.sleep()
    stage.guard.becomes(machine(wakes_per_hour=2), CARD, stage.now)
    assert told(stage.hear(frames.syn(FOUR, 22))) == ["watcher.not_woken"]


def test_a_machine_that_is_guarded_no_more_has_its_addresses() -> None:
    """Its wake ends without a proof, and nobody says that it was seen."""
    stage = asleep()
    (wake,) = reported(stage.hear(frames.syn(FOUR, 22)))
    acts = stage.guard.leaves()
    assert owners(acts) == {FOUR: OWNER, SIX: OWNER}
    assert (reported(acts), wake.awake, len(acts)) == ([wake], None, 3)


# What can be wrong.


def test_a_machine_that_never_wakes_is_given_up() -> None:
    """Five tries, one clear message with the way out, and the house is told that it sleeps on; and the next request
    tries again."""
    stage = asleep()
    acts = stage.hear(frames.syn(FOUR, 22)) + stage.wait(rules.GIVE_UP)
    assert tries(acts) == len(rules.TRIES)
    (never,) = [act for act in acts if isinstance(act, Tell) and act.level == "error"]
    assert never.event == "watcher.never_woke"
    assert "ethtool" in str(never.facts["way_out"])
    assert [wake.awake for wake in reported(acts)] == [None, None]
    assert [act for act in acts if isinstance(act, Seen)] == [Seen("theobromine", False)]
    assert tries(stage.hear(frames.syn(FOUR, 22))) == 1


def test_a_machine_that_falls_asleep_at_once_is_left_alone_for_a_while() -> None:
    """Three times in a row are enough for ten minutes. By name it is woken all the same."""
    stage = asleep()
    for _ in range(3):
        assert tries(stage.hear(frames.syn(FOUR, 22))) == 1
        stage.hear(awake_answers())
        stage.wait(5)
        acts = stage.sleep()
    assert "watcher.flaps" in told(acts)
    assert told(stage.hear(frames.syn(FOUR, 22))) == ["watcher.not_woken"]
    assert tries(stage.guard.woken(Cause.ASKED, stage.now)) == 1
    stage.hear(awake_answers())
    stage.wait(601)
    stage.sleep()
    assert tries(stage.hear(frames.syn(FOUR, 22))) == 1


def test_a_machine_is_woken_so_often_within_an_hour() -> None:
    """The limit is the machine's own; an hour after the first wake there may be one more."""
    stage = asleep(wakes_per_hour=2)
    for _ in range(2):
        assert tries(stage.hear(frames.syn(FOUR, 22))) == 1
        stage.hear(awake_answers())
        stage.wait(120)
        stage.sleep()
    (refused,) = [act for act in stage.hear(frames.syn(FOUR, 22)) if isinstance(act, Tell)]
    assert refused.facts["because"] == "it was woken 2 times within an hour, which is its limit (wakes_per_hour)"
    stage.wait(3600)
    assert tries(stage.hear(frames.syn(FOUR, 22))) == 1


@pytest.mark.parametrize(
    "claim",
    [
        Frame(BROADCAST, STRANGER, ethernet.ARP, Arp(arp.REQUEST, STRANGER, FOUR, UNKNOWN, FOUR).encode()),
        ndp.announcement(SIX, STRANGER, STRANGER),
    ],
    ids=["ARP", "advertisement"],
)
def test_a_claim_that_another_host_contests_is_given_up(claim: Frame) -> None:
    """One message names it, and says that the machine is woken only by name now: the watcher fights for no address,
    answers for it no more, and wakes for no question, since it cannot see what port is wanted."""
    stage = asleep()
    (contested,) = [act for act in stage.hear(claim) if isinstance(act, Tell)]
    assert contested.event == "watcher.contested"
    assert str(contested.facts["way_out"]).endswith("does not claim it, and wakes it only by name")
    assert stage.hear(claim) == []
    assert not stage.guard.claimed
    assert stage.hear(frames.question(FOUR)) + stage.hear(frames.syn(FOUR, 22)) == []
    assert owners(stage.wait(300)) == {}
    assert tries(stage.guard.woken(Cause.ASKED, stage.now)) == 1


def test_a_clock_that_jumps_over_suspend_is_one_probe() -> None:
    """The watcher's own box slept for a day: it asks anew, and nobody is woken or claimed for that."""
    stage = Stage(machine())
    stage.hear(awake_answers())
    stage.now += 86_400
    acts = stage.guard.tick(stage.now)
    assert stage.guard.state is State.AWAKE
    assert (tries(acts), owners(acts), len(sent(acts))) == (0, {}, 2)
