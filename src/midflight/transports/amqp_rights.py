"""The rights of a project's members as definitions that a RabbitMQ server imports.

Permissions are regular expressions: on the names of queues and exchanges, and on the keys by which messages go to
queues. What is shared, and what must not be deleted by those who use it, is made here; a member makes what is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from midflight.transports.amqp_names import Names, delayed
from midflight.transports.amqp_queues import DURABLE, LONGEST_DELAY, later_arguments, milliseconds_of
from midflight.transports.amqp_senders import user_of
from midflight.transports.base import Address
from midflight.transports.grants import MEMBER, Grant

NOTHING, ANYTHING = "^$", ".*"
_ID = "[^.]+"
"""One word of a name."""


def amqp_document(project: str, grants: Sequence[Grant], hashes: Mapping[str, str], vhost: str) -> dict[str, Any]:
    """Definitions with users, permissions, exchanges and queues. ``hashes`` has the hash of each member's password."""
    names = Names(project)
    topics = sorted({topic for grant in grants for topic in grant.serves})
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(grant, hashes[str(grant.identity)]) for grant in grants],
        "permissions": [{**_permissions(grant, names), "vhost": vhost} for grant in grants],
        "topic_permissions": [{**given, "vhost": vhost} for grant in grants for given in _of_keys(grant, names)],
        "exchanges": [_exchange(name, kind, vhost) for name, kind in _exchanges(names, topics)],
        "queues": [_queue(name, arguments, vhost) for name, arguments, _ in _queues(names, grants)],
        "bindings": [
            _binding(exchange, name, key, vhost) for name, _, keys in _queues(names, grants) for exchange, key in keys
        ],
    }


def _user(grant: Grant, password_hash: str) -> dict[str, Any]:
    algorithm = "rabbit_password_hashing_sha256"
    return {
        "name": user_of(grant.identity), "password_hash": password_hash, "hashing_algorithm": algorithm, "tags": "",
    }  # fmt: skip


# What is made for everyone.


def _exchanges(names: Names, topics: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield from ((names.exchange, "topic"), (names.delays, "topic"))
    yield from ((names.fanout(topic), "fanout") for topic in (*topics, MEMBER))


def _queues(names: Names, grants: Sequence[Grant]) -> Iterator[tuple[str, dict[str, Any], list[tuple[str, str]]]]:
    """Each with its settings, and the exchanges and keys that it is bound to."""
    addresses = {address for grant in grants for address in _addresses(grant)}
    for name in sorted(map(names.cast, addresses)):
        yield name, DURABLE, [(names.exchange, name), (names.exchange, f"*.{name}")]
    for name in (names.places, *sorted(map(names.parked, addresses))):
        yield name, DURABLE, [(names.exchange, name)]
    milliseconds = milliseconds_of(0)
    while milliseconds <= milliseconds_of(LONGEST_DELAY):
        waiting = later_arguments(names, milliseconds)
        yield names.later(milliseconds), waiting, [(names.delays, delayed("#", milliseconds))]
        milliseconds *= 2


def _exchange(name: str, kind: str, vhost: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"durable": True, "auto_delete": False, "internal": False, "arguments": {}}
    return {"name": name, "vhost": vhost, "type": kind, **settings}


def _queue(name: str, arguments: dict[str, Any], vhost: str) -> dict[str, Any]:
    return {"name": name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": arguments}


def _binding(exchange: str, queue: str, key: str, vhost: str) -> dict[str, Any]:
    place = {"source": exchange, "vhost": vhost, "destination": queue, "destination_type": "queue"}
    return {**place, "routing_key": key, "arguments": {}}


# What each may do.


def _permissions(grant: Grant, names: Names) -> dict[str, str]:
    user = user_of(grant.identity)
    if grant.keeps:
        everything = _any([re.escape(names.exchange) + r"(\..*)?"])
        return {"user": user, "configure": everything, "write": everything, "read": everything}
    own, casts = [*_own(grant, names)], [re.escape(names.cast(address)) for address in _addresses(grant)]
    parked = [names.parked(address) for address in _addresses(grant)]
    makes = own + [re.escape(names.reader(queue)) for queue in parked]
    sends = [names.exchange, names.delays, *(names.fanout(topic) for topic in grant.tells)]
    hears = [names.exchange, *(names.fanout(topic) for topic in _heard(grant)), *parked]
    return {
        "user": user,
        "configure": _any(makes),
        "write": _any([*own, *map(re.escape, sends)]),
        "read": _any([*own, *casts, *map(re.escape, hears)]),
    }


def _of_keys(grant: Grant, names: Names) -> Iterator[dict[str, str]]:
    user = user_of(grant.identity)
    if grant.keeps:
        yield from (
            {"user": user, "exchange": name, "write": ANYTHING, "read": ANYTHING}
            for name in (names.exchange, names.delays)
        )
        return
    addresses = _addresses(grant)
    later = [rf"[0-9]+\.{re.escape(names.cast(address))}" for address in addresses]
    yield {
        "user": user,
        "exchange": names.exchange,
        "write": _any([*_keys(grant, names)]),
        "read": _any([*_own(grant, names)]),
    }
    yield {"user": user, "exchange": names.delays, "write": _any(later), "read": NOTHING}


def _own(grant: Grant, names: Names) -> Iterator[str]:
    """The queues that a member makes: for its answers, and for the calls that it takes."""
    yield re.escape(names.owned_by(grant.identity)) + ".*"
    yield from (re.escape(names.call(address)) for address in _addresses(grant))
    if grant.is_member:
        yield re.escape(names.call(Address(MEMBER)))
        yield re.escape(names.call(Address(MEMBER, user_of(grant.identity)))) + rf"\.{_ID}"


def _keys(grant: Grant, names: Names) -> Iterator[str]:
    """Where a member sends: calls and casts, answers, what became of casts, and what it parks."""
    for topic in grant.calls:
        yield from (rf"{re.escape(name(Address(topic)))}(\.{_ID})?" for name in (names.call, names.cast))
    for topic in grant.replays:
        yield rf"{re.escape(names.cast(Address(topic)))}(\.{_ID})?"
    for peer in grant.peers:
        yield rf"{re.escape(names.exchange)}\.own\.{peer}\..*"
        yield rf"{re.escape(names.call(Address(MEMBER, peer)))}\.{_ID}\.{_ID}"
    if grant.serves:
        yield from map(re.escape, (names.places, *map(names.parked, _addresses(grant))))
        # What was parked is taken up through the queue of those who share a topic.
        yield from (re.escape(names.cast(Address(topic))) for topic in grant.serves)


def _heard(grant: Grant) -> list[str]:
    return [*grant.serves, *([MEMBER] if grant.is_member else [])]


def _addresses(grant: Grant) -> list[Address]:
    return [Address(topic, host) for topic in grant.serves for host in (None, grant.identity.host)]


def _any(patterns: Iterable[str]) -> str:
    found = "|".join(patterns)
    return f"^({found})$" if found else NOTHING
