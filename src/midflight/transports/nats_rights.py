"""The rights of a project's members as the configuration of a NATS server.

Everything is denied that is not listed. A member answers by ``allow_responses``: to whoever has sent it a message, a
bounded number of times, and for a bounded time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from midflight.transports.base import Address
from midflight.transports.grants import MEMBER, Grant
from midflight.transports.nats_consumer import consumer_name
from midflight.transports.nats_store import API, ELECTED
from midflight.transports.nats_subjects import WORKERS, Subjects

RESPONSES = {"max": 100, "expires": "10m"}
"""How often, and for how long, one request may be answered: a call that takes longer gives signs of life. The server
remembers each request for so long."""

ACK = "$JS.ACK"


def nats_document(project: str, grants: Iterable[Grant], keys: Mapping[str, str]) -> dict[str, Any]:
    """One account with its users, as plain values. ``keys`` has each member's public nkey."""
    subjects = Subjects(project)
    users = [{"nkey": keys[str(grant.identity)], "permissions": _permissions(grant, subjects)} for grant in grants]
    return {"accounts": {f"MF_{project}": {"jetstream": "enabled", "users": users}}}


def nats_text(project: str, grants: Iterable[Grant], keys: Mapping[str, str]) -> str:
    """The same as a file that nats-server includes."""
    grants = list(grants)
    [(account, found)] = nats_document(project, grants, keys)["accounts"].items()
    users = "".join(map(_user, grants, found["users"]))
    return f"accounts {{\n  {account} {{\n    jetstream: enabled\n    users: [\n{users}    ]\n  }}\n}}\n"


def _user(grant: Grant, user: Mapping[str, Any]) -> str:
    rights = "".join(_right(name, given) for name, given in user["permissions"].items())
    return f"      # {grant.identity}\n      {{ nkey: {user['nkey']}, permissions: {{\n{rights}      }} }}\n"


def _right(name: str, given: Mapping[str, Any]) -> str:
    if name == "allow_responses":
        return f'        allow_responses: {{ max: {given["max"]}, expires: "{given["expires"]}" }}\n'
    allowed = "".join(f"          {json.dumps(subject)}\n" for subject in given["allow"])
    return f"        {name}: {{ allow: [\n{allowed}        ] }}\n"


def _permissions(grant: Grant, subjects: Subjects) -> dict[str, Any]:
    return {
        "publish": {"allow": [*_publishes(grant, subjects)]},
        "subscribe": {"allow": [*_subscribes(grant, subjects)]},
        "allow_responses": RESPONSES,
    }


def _publishes(grant: Grant, subjects: Subjects) -> Iterator[str]:
    me, project = f"{grant.identity.service}.{grant.identity.host}", subjects.project
    for topic in grant.calls:
        yield f"mf.{project}.call.{topic}.*.{me}"
        yield from (f"mfc.{project}.{topic}.*.{me}", f"mfb.{project}.{topic}.*.*.*")
    if grant.is_member:
        yield from (f"mf.{project}.call.{MEMBER}.{peer}.*.*.{me}" for peer in grant.peers)
    for topic in grant.tells:
        yield subjects.fanout(topic, grant.identity)
    for topic in grant.replays:
        yield from (f"mfc.{project}.{topic}.*.{me}", f"mfb.{project}.{topic}.*.*.*")
    yield from (f"{API}.STREAM.INFO.{stream}" for stream in subjects.of_streams())
    if grant.keeps:
        yield from (f"{API}.STREAM.{verb}.{name}" for verb in ("CREATE", "UPDATE") for name in subjects.of_streams())
        yield f"_INBOX.{project}.>"
    for address in _addresses(grant):
        yield from _for_casts(address, grant, subjects)
    if grant.replays:
        yield from _for_parked(subjects.parked_at(None), subjects)
        yield from (f"mfp.{project}.{topic}.>" for topic in grant.replays)
        yield f"{API}.DIRECT.GET.{subjects.bodies}.>"


def _for_casts(address: Address, grant: Grant, subjects: Subjects) -> Iterator[str]:
    """To take the casts of an address, to let go of them, and to park them."""
    name, bodies = consumer_name(address), subjects.bodies_of(address)
    yield f"{API}.CONSUMER.CREATE.{subjects.casts}.{name}.{subjects.cast(address, None)}"
    yield f"{API}.CONSUMER.MSG.NEXT.{subjects.casts}.{name}"
    yield f"{ACK}.{subjects.casts}.{name}.>"
    yield from (f"{API}.DIRECT.GET.{subjects.bodies}.{bodies}.>", f"{bodies}.>")
    yield from (subjects.parked_at(address), *_for_parked(subjects.parked_at(address), subjects))
    if address.host is None:
        yield subjects.cast(address, grant.identity)  # what was parked is taken up through the queue


def _for_parked(parked: str, subjects: Subjects) -> Iterator[str]:
    """To list what is parked under a subject, by a consumer whose name is a secret, and to read each."""
    yield f"{API}.CONSUMER.CREATE.{subjects.parked}.*.{parked}"
    yield f"{API}.CONSUMER.MSG.NEXT.{subjects.parked}.*"
    yield f"{API}.DIRECT.GET.{subjects.parked}.{parked}"


def _subscribes(grant: Grant, subjects: Subjects) -> Iterator[str]:
    me, project = f"{grant.identity.service}.{grant.identity.host}", subjects.project
    yield f"{subjects.inbox(grant.identity)}.>"
    for address in _addresses(grant):
        yield subjects.call(address, None) + (f" {WORKERS}" if address.host is None else "")
        yield f"{ELECTED}.{subjects.casts}.{consumer_name(address)}"
    yield from (subjects.fanout(topic, None) for topic in grant.serves)
    if grant.is_member:
        yield f"{subjects.call(Address(MEMBER), None)} {WORKERS}"
        yield from (f"mf.{project}.call.{MEMBER}.{me}.*.*.*", subjects.fanout(MEMBER, None))


def _addresses(grant: Grant) -> list[Address]:
    return [Address(topic, host) for topic in grant.serves for host in (None, grant.identity.host)]
