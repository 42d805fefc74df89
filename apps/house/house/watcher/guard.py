"""One machine's guard: what is heard goes in, and what is to be done comes out. It has no clock, no socket and no file.

Its states are the machine's. While it is *awake*, the guard only asks now and then whether it still is. When it falls
asleep, by its own word or because it answers no more, it is guarded: in proxy mode the watcher has its addresses. The
first frame of its own gives them back. A wake is tried again until such a frame proves it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from house.lan import hearing, ip, magic
from house.lan.arp import REQUEST, Arp
from house.lan.ethernet import Frame
from house.lan.hearing import Knock, Said
from house.lan.mac import Mac
from house.lan.ndp import SOLICITATION, Neighbour
from house.states import Cause, Mode, State
from house.watcher import speech
from house.watcher.acts import Act, Report, Seen, Send, Tell
from house.watcher.guarded import Guarded, Requester, Wake
from house.watcher.limits import Census, Pace

TRIES = 0.0, 1.0, 2.0, 4.0, 8.0
"""When magic packets are sent, in seconds after the request."""
GIVE_UP = 20.0
"""When a machine has not woken."""
SILENCE, SETTLE = 3, 15.0
"""A machine that has said that it sleeps does when it has not answered so many questions. Until then what it sends is
no sign that it woke, unless it announces itself as one that comes does; after so many seconds it has changed its
mind."""
QUIET, PROBES, PROBE_SECONDS = 30.0, 3, 1.0
"""An awake machine that was not heard for so long is asked so often, so far apart, whether it still is."""
PROOF_SECONDS, SLOW_PROOF_SECONDS, QUICKLY = 0.1, 0.5, 5.0
"""How often one that is being woken is asked: quickly at first, and slower after so many seconds."""
AGAIN, REMIND = 1.0, 60.0
"""A claim, or its end, is said again soon, since a frame may be lost; a claim now and then after that."""
HELD = 8
"""Requests that are handed on to the machine when it wakes, at most."""
ASLEEP = frozenset({State.FALLING, State.ASLEEP, State.WAKING})
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Card:
    """The watcher's own network card on this interface."""

    mac: Mac
    address: IPv4Address


class Guard:
    """Guards one machine. ``now`` is always seconds of one clock that goes on while machines are suspended."""

    def __init__(self, machine: Guarded, card: Card, now: float, state: State = State.UNKNOWN) -> None:
        self.machine, self.card = machine, card
        self.state, self.since = state, now
        self.heard_at: float | None = None
        """When a frame of its own was last heard."""
        self.answered: dict[ip.Address, float] = {}
        """When it last said that it has an address."""
        self.contested: Mac | None = None
        """Who else says to have its address, while it sleeps."""
        self.wake: Wake | None = None
        """The one that is under way."""
        self.ignored: Collection[Mac] = ()
        """Whose requests are none."""
        self.scanners = Census()
        """Of knocks at its ports."""
        self.pace = Pace(machine.wakes_per_hour)
        self._held: list[Frame] = []
        self._refused: dict[str, float] = {}
        self._probes, self._next_probe = 0, now + QUIET if state is State.AWAKE else now
        self._unanswered, self._settled = 0, 0.0
        self._say_again = self._next_try = _NEVER
        self._claim_again = now + REMIND

    @property
    def guarded(self) -> bool:
        """Whether it sleeps, as far as is known."""
        return self.state in ASLEEP

    @property
    def claimed(self) -> bool:
        """Whether the watcher has its addresses."""
        return self.guarded and self.machine.mode is Mode.PROXY and self.contested is None

    @property
    def due(self) -> float:
        """When ``tick`` is to be called."""
        times = [self._next_probe, self._say_again]
        if self.claimed:
            times.append(self._claim_again)
        if self.wake is not None:
            times += [self._next_try, self.wake.asked + GIVE_UP]
        return min(times)

    # What others want of it.

    def sleeps(self, now: float) -> list[Act]:
        """It says that it is about to sleep. What comes back is to be done before that is acknowledged."""
        if self.state is State.WAKING:
            return []  # somebody wants it meanwhile: the tries go on until it has slept and woken
        self._settled, self._unanswered = now + SETTLE, 0
        acts = self._begin_to_guard(State.FALLING, now)
        self._next_probe = now + PROOF_SECONDS
        return acts

    def stays(self, now: float) -> list[Act]:
        """It says that it is awake, and has its addresses."""
        self.heard_at = now
        return [] if self.state is State.AWAKE else self._rose(now)

    def woken(self, cause: Cause, now: float) -> list[Act]:
        """Somebody wants it by name: no limit holds."""
        if self.wake is not None:
            return []
        return self._begin_to_wake(cause, Requester(), now)

    def wakes_still(self, wake: Wake, now: float) -> None:
        """The watcher before had begun to wake it. Nobody knows how far its tries have come: the next is due now."""
        self.wake, self.state = wake, State.WAKING
        self._next_try = self._next_probe = now

    def becomes(self, machine: Guarded, card: Card, now: float) -> list[Act]:
        """Its settings are others, or the watcher's card is. What is under way goes on. Addresses that are not claimed
        any more are given back by what is returned; those that it has now are claimed with the next tick."""
        keeps = machine.addresses if machine.mode is Mode.PROXY else ()
        gone = [each for each in self.machine.addresses if each not in keeps]
        acts = self._say(self.machine.mac, gone) if self.guarded else []
        if machine.addresses != self.machine.addresses:
            self.contested = None
        if machine.mac != self.machine.mac:
            self.heard_at = None
        self.machine, self.card = machine, card
        self.pace.limit(machine.wakes_per_hour)
        if self.guarded:
            self._say_again = now
        else:
            self._probes, self._next_probe = 0, now
        return acts

    def leaves(self) -> list[Act]:
        """It is guarded no more: it has its addresses, and a wake that is under way ends without a proof."""
        acts = self._say(self.machine.mac) if self.guarded else []
        wake, self.wake = self.wake, None
        return acts if wake is None else [*acts, Report(wake)]

    # What is heard.

    def heard(self, frame: Frame, said: Said, now: float, scans: bool = False) -> list[Act]:
        """A frame of the owner, or one that speaks of its addresses. ``scans`` says that its sender looks for hosts."""
        if frame.vlan != self.machine.vlan:
            return []
        if frame.source == self.machine.mac:
            return self._heard_owner(said, now)
        if isinstance(said, Knock):
            return self._knocked(frame, said, now)
        if isinstance(said, Arp | Neighbour):
            return self._contests(said) or (self._asked(frame, said, now, scans) if self.guarded else [])
        return []

    def _heard_owner(self, said: Said, now: float) -> list[Act]:
        self.heard_at, self._probes, self._unanswered = now, 0, 0
        if isinstance(said, Arp | Neighbour) and (has := speech.claimed(said)) is not None:
            self.answered[has] = now
        if self.state is State.AWAKE:
            self._next_probe = now + QUIET
            return []
        if self.guarded and now < self._settled and not self._comes(said):
            return []
        return self._rose(now)

    def _comes(self, said: Said) -> bool:
        """Whether it says what a machine says that has just come: that it has an address, or may it have it."""
        if isinstance(said, Arp):
            return said.operation == REQUEST and not said.asks
        return isinstance(said, Neighbour) and said.kind == SOLICITATION and not said.asks

    def _contests(self, said: Arp | Neighbour) -> list[Act]:
        """Another host says that it has the address."""
        address = speech.claimed(said)
        other = said.sender_mac if isinstance(said, Arp) else said.link or Mac(6)
        if address not in self.machine.addresses or other in (self.machine.mac, self.card.mac):
            return []
        if self.contested is not None:
            return []
        self.contested = other
        facts = {"machine": self.machine.name, "address": str(address), "mac": str(other)}
        way_out = "give one of the two another address; until then the watcher does not claim it"
        if self.machine.mode is Mode.PROXY:
            way_out += ", and wakes it only by name"
        return [Tell("watcher.contested", {**facts, "way_out": way_out}, "error")]

    def _asked(self, frame: Frame, said: Arp | Neighbour, now: float, scans: bool) -> list[Act]:
        if said.target not in self.machine.addresses or not said.asks:
            return []
        if self.claimed:
            return [self._answer(frame, said, self.card.mac)]
        if self.machine.mode is Mode.PROXY:
            return []  # another host has the address, and gets what is sent to it
        acts: list[Act] = []
        if self.machine.mode is Mode.ANSWER and self.contested is None:
            acts.append(self._answer(frame, said, self.machine.mac))
        requester = Requester(frame.source, said.sender)
        because = "it asks for one host after the other, as a scan does" if scans else None
        return acts + self._wanted(requester, because, now)

    def _answer(self, frame: Frame, said: Arp | Neighbour, has: Mac) -> Send:
        return Send(speech.answer(said, frame.source, has, self.card.mac, self.machine.vlan))

    def _knocked(self, frame: Frame, knock: Knock, now: float) -> list[Act]:
        """At a port of the address that the watcher has."""
        if not self.claimed or frame.destination != self.card.mac or knock.target not in self.machine.addresses:
            return []
        if knock.port is None:
            if not self.machine.ping_wakes:
                return []
        elif knock.port not in self.machine.wake_ports:
            self.scanners.note(frame.source, (knock.target, knock.port), now)
            return []
        scans = self.scanners.scans(frame.source, now)
        because = "it asks for one port after the other, as a scan does" if scans else None
        acts = self._wanted(Requester(frame.source, knock.sender, knock.port), because, now)
        if self.state is State.WAKING and not because:
            self._hold(frame)
        return acts

    def _hold(self, frame: Frame) -> None:
        """The machine gets the request itself, so that nobody waits until it is sent again."""
        held = hearing.handed_on(frame, self.machine.mac, self.card.mac)
        if held not in self._held:
            self._held = [*self._held, held][-HELD:]

    # Waking.

    def _wanted(self, requester: Requester, because: str | None, now: float) -> list[Act]:
        if self.state is State.WAKING:
            return []
        if requester.mac in self.ignored:
            because = "it is one that is to be ignored"
        if because := because or self.pace.refusal(now):
            return self._refuse(requester, because, now)
        return self._begin_to_wake(Cause.DEMAND, requester, now)

    def _refuse(self, requester: Requester, because: str, now: float) -> list[Act]:
        """Said once in a while, however often somebody asks."""
        key = f"{requester.mac} {because.partition(';')[0]}"
        self._refused = {known: when for known, when in self._refused.items() if now - when < REMIND}
        if key in self._refused:
            return []
        self._refused[key] = now
        facts = {"machine": self.machine.name, "requester": str(requester), "because": because}
        return [Tell("watcher.not_woken", facts)]

    def _begin_to_wake(self, cause: Cause, requester: Requester, now: float) -> list[Act]:
        self.wake = Wake(self.machine.name, cause, requester, now)
        self.state = State.WAKING
        self._next_try, self._next_probe = now, now + PROOF_SECONDS
        self.pace.wakes(now)
        acts = self._try(now)
        slept = round(now - self.since, 1)
        facts = {"machine": self.machine.name, "requester": str(requester), "cause": cause, "asleep_for_seconds": slept}
        return [*acts, Tell("watcher.waking", facts, "warning"), Report(self.wake)]

    def _try(self, now: float) -> list[Act]:
        assert self.wake is not None
        self.wake.tries += 1
        later = [self.wake.asked + after for after in TRIES if self.wake.asked + after > now]
        self._next_try = later[0] if later else _NEVER
        frames = magic.frames(self.machine.mac, self.card.mac, self.card.address, self.machine.vlan)
        return [Send(frame) for frame in frames]

    def _give_up(self, now: float) -> list[Act]:
        assert self.wake is not None
        wake, self.wake = self.wake, None
        self.state, self._next_probe, self._held = State.ASLEEP, _NEVER, []
        way_out = "see whether its card is armed (ethtool: Wake-on g), its MAC right and its switch awake"
        facts = {"machine": self.machine.name, "tries": wake.tries, "seconds": GIVE_UP, "way_out": way_out}
        return [Tell("watcher.never_woke", facts, "error"), Report(wake), Seen(self.machine.name, False)]

    # From state to state.

    def _begin_to_guard(self, state: State, now: float) -> list[Act]:
        facts: dict[str, object] = {"machine": self.machine.name}
        if self.state is State.AWAKE:
            facts["alive_for_seconds"] = round(now - self.since, 1)
        flapping = self.state is State.AWAKE and self.pace.slept(now)
        knew = self.guarded
        if not knew:
            self.since = now
        self.state, self._next_probe = state, _NEVER
        self._say_again, self._claim_again = now + AGAIN, now + REMIND
        acts = self._say(self.card.mac)
        if not knew:
            acts.append(Tell("watcher.asleep", facts))
        if flapping:
            reason = {"machine": self.machine.name, "because": self.pace.refusal(now)}
            acts.append(Tell("watcher.flaps", reason, "warning"))
        return acts

    def _rose(self, now: float) -> list[Act]:
        """It lives: it has its addresses again, and what was asked of it meanwhile."""
        was, slept = self.state, round(now - self.since, 1)
        held = [Send(frame) for frame in self._held] if self.claimed else []
        acts: list[Act] = [*(self._say(self.machine.mac) if self.guarded else []), *held]
        self.state, self.since, self.contested, self._held = State.AWAKE, now, None, []
        self._settled, self._say_again = 0.0, now + AGAIN if acts else _NEVER
        self._probes, self._next_probe = 0, now + QUIET
        facts: dict[str, object] = {"machine": self.machine.name}
        if was is not State.UNKNOWN:
            facts["asleep_for_seconds"] = slept
        wake, self.wake = self.wake, None
        if wake is None:
            return [*acts, Tell("watcher.alive", facts), Seen(self.machine.name, True)]
        wake.awake = now
        if wake.cause is Cause.DEMAND:
            self.pace.awake(now)
        facts |= {"woken_by": wake.who, "took_seconds": round(now - wake.asked, 3), "tries": wake.tries}
        return [*acts, Tell("watcher.alive", facts), Report(wake)]

    def _say(self, has: Mac, addresses: Iterable[ip.Address] | None = None) -> list[Act]:
        """Who has the addresses, all of them or these, where that is the watcher's to say."""
        if self.machine.mode is not Mode.PROXY or self.contested is not None:
            return []
        said = self.machine.addresses if addresses is None else addresses
        return [Send(speech.announcement(each, has, self.card.mac, self.machine.vlan)) for each in said]

    # Time.

    def tick(self, now: float) -> list[Act]:
        """Do what is due."""
        acts: list[Act] = []
        if now >= self._say_again:
            self._say_again = _NEVER
            acts += self._say(self.card.mac if self.guarded else self.machine.mac)
        if self.claimed and now >= self._claim_again:
            self._claim_again = now + REMIND
            acts += self._say(self.card.mac)
        if self.wake is not None:
            if now >= self.wake.asked + GIVE_UP:
                return acts + self._give_up(now)
            if now >= self._next_try:
                acts += self._try(now)
        return acts + (self._probe(now) if now >= self._next_probe else [])

    def _probe(self, now: float) -> list[Act]:
        machine = self.machine
        acts: list[Act] = [
            Send(frame) for frame in speech.probes(machine.addresses, self.card.mac, machine.mac, machine.vlan)
        ]
        if now < self._settled and self._unanswered == SILENCE:
            self._settled = now
        self._unanswered += 1
        if self.state is State.FALLING and now >= self._settled:
            self.state, self._next_probe = State.ASLEEP, _NEVER
            return acts + self._say(self.card.mac)  # whatever it still said of its addresses
        if self.state is State.FALLING:
            self._next_probe = now + PROOF_SECONDS
            return acts
        if self.wake is not None:
            quick = now - self.wake.asked < QUICKLY
            self._next_probe = now + (PROOF_SECONDS if quick else SLOW_PROOF_SECONDS)
            return acts
        if self._probes == PROBES:
            return [*self._begin_to_guard(State.ASLEEP, now), Seen(machine.name, False)]
        self._probes, self._next_probe = self._probes + 1, now + PROBE_SECONDS
        return acts
