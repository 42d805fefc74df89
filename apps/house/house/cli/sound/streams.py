"""``house sound streams``, ``queue``, ``stream``, ``enable`` and ``disable``."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address
from typing import Annotated

from cyclopts import Parameter

from house.cli.output import Output
from house.cli.place import ConfigFile, Json, once
from house.cli.sound.rooms import seen, tell
from house.errors import NotFound
from house.playing import Kind
from house.standing import sources
from midflight import InvalidValue

KINDS = [kind.value for kind in Kind if kind is not Kind.UNKNOWN]


def list_(*, config: ConfigFile = None, json: Json = False) -> int:
    """What can be heard, where it comes from, and how it stands."""
    out = Output(json=json)
    bay, live, asleep = once(config, seen)
    standing = sources(bay, live.sendings, asleep)
    heard = {player.stream for player in bay.players}
    rows = [
        (
            each.stream.name,
            each.state.value,
            each.stream.kind.value,
            each.stream.host,
            str(each.stream.address),
            ", ".join(player.name for player in bay.players if player.stream == each.stream.name) or "-",
            (each.sending.title if each.sending else "") or each.words,
        )
        for each in standing
    ]
    if rows:
        out.table(("stream", "state", "kind", "host", "address", "heard in", "notes"), rows)
    else:
        out.say("there is no stream yet: house sound stream NAME --kind radio --source URL --host HOST")
    told = [
        {
            "stream": each.stream, "state": each.state.value, "why": each.words, "sent": each.sending,
            "heard": each.stream.name in heard,
        }
        for each in standing
    ]  # fmt: skip
    out.document({"streams": told})
    return 0


def queue(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """What a stream plays now, and what comes next. MPD is asked, where its agent knows which one plays into it.

    Parameters
    ----------
    name
        Which stream.
    """
    out = Output(json=json)
    bay, live, asleep = once(config, seen)
    found = next((each for each in sources(bay, live.sendings, asleep) if each.stream.name == name), None)
    if found is None:
        raise NotFound.among("stream", name, (stream.name for stream in bay.streams))
    title, comes = (found.sending.title, found.sending.queue) if found.sending else ("", [])
    out.say(title or found.words or f"{name} does not say what it plays")
    for number, each in enumerate(comes, 1):
        out.say(f"{number}. {each}")
    out.document({"stream": name, "title": title, "queue": comes, "why": found.words})
    return 0


def stream(
    name: str, /, *, kind: str = "sink", source: str = "", host: str = "", address: str = "",
    remove: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    config: ConfigFile = None, json: Json = False,
) -> int:  # fmt: skip
    """Add something to be heard: house sound stream radio --kind radio --source https://… --host nas.

    Parameters
    ----------
    name
        What it is called.
    kind
        sink, for what programs like MPD play into; capture, for a device like a TV's; monitor, for what another sink
        plays; file; or radio.
    source
        The capture device, the sink, the path or the URL.
    host
        Whose agent sends it.
    address
        Its multicast group; without it, the house gives one.
    remove
        Take it away; rooms that hear it are silent.
    """
    out = Output(json=json)
    if remove:
        once(config, lambda operator: operator.sound.remove_stream(name))
        out.say(f"{name} is removed")
        out.document({"removed": name})
        return 0
    if not host:
        raise InvalidValue(path="--host", received="nothing", expected="the host whose agent sends it")
    group = _address(address) if address else None
    made = once(config, lambda operator: operator.sound.add_stream(name, _kind(kind), source, host, group))
    out.say(f"{name} comes from {host}, to {made.address}: house sound patch ROOM {name}")
    out.document(made)
    return 0


def _kind(text: str) -> Kind:
    if text not in KINDS:
        raise InvalidValue(path="--kind", received=repr(text), expected=f"one of {', '.join(KINDS)}")
    return Kind(text)


def _address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise InvalidValue(path="--address", received=repr(text), expected="an address like 239.255.12.1") from None


def enable(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Have a stream sent again; rooms that it is still patched to play it. A machine that sleeps is woken for it."""
    return _enabled(name, True, config, json)


def disable(name: str, /, *, config: ConfigFile = None, json: Json = False) -> int:
    """Have a stream not be sent. Rooms stay patched to it, and are silent until it is enabled."""
    return _enabled(name, False, config, json)


def _enabled(name: str, enabled: bool, config: ConfigFile, json: bool) -> int:
    changed = once(config, lambda operator: operator.sound.enable(name, enabled))
    return tell(changed, f"{name} is {'enabled' if enabled else 'disabled'}", json)
