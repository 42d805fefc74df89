from __future__ import annotations

import base64
import hashlib
import json
import stat
from collections.abc import Callable

import pytest

from midflight.transports.nkey import Nkey
from tests.cli.street import Outcome, Shop

Command = Callable[..., Outcome]
NATS, AMQP = "nats://127.0.0.1:4222", "amqp://127.0.0.1:5672/shop"
KEY = "U" + "A" * 55
HASH = base64.b64encode(bytes(36)).decode()


def told(shop: Shop, broker: str, /, **members: str) -> str:
    """The shop's configuration for a broker, and a file with its members."""
    (shop.folder / "midflight.toml").write_text(f'[midflight]\nproject = "shop:project"\nbroker = "{broker}"\n')
    file = shop.folder / "members.toml"
    entries = "".join(f'"{name.replace("_at_", "@")}" = "{secret}"\n' for name, secret in members.items())
    file.write_text(f"[members]\n{entries}")
    return str(file)


def test_config_for_nats_lists_what_each_may_say(midflight: Command, shop: Shop) -> None:
    """As a file for nats-server, and the same as JSON; the operator may steer, and no agent may."""
    file = told(shop, NATS, conductor_at_c1=KEY, shop_at_h1=KEY, operator_at_desk=KEY)
    text, document = midflight("broker", "config", file), midflight("broker", "config", file, "--json").document
    assert (text.code, text.err) == (0, "")
    conductor, agent, operator = document["accounts"]["MF_shop"]["users"]
    for user in (conductor, agent, operator):
        rights = user["permissions"]
        for subject in [*rights["publish"]["allow"], *rights["subscribe"]["allow"]]:
            assert json.dumps(subject) in text.out
    agents = agent["permissions"]["publish"]["allow"]
    assert "mf.shop.call.conductor.*.shop.h1" in agents
    assert [subject for subject in agents if ".STREAM.CREATE" in subject or "c1" in subject or "h2" in subject] == []
    assert agent["permissions"]["allow_responses"] == {"max": 100, "expires": "10m"}
    assert "$JS.API.STREAM.CREATE.MF_shop" in conductor["permissions"]["publish"]["allow"]
    assert "mfc.shop.shop.*.operator.desk" in operator["permissions"]["publish"]["allow"]
    assert agent["permissions"]["subscribe"]["allow"] == [
        "_INBOX.shop.shop.h1.>",
        "mf.shop.call.shop.@any.*.* workers",
        "$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.MF_shop.shop",
        "mf.shop.call.shop.h1.*.*",
        "$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.MF_shop.shop@h1",
        "mf.shop.all.shop.*.*",
        "mf.shop.call.member.@any.*.* workers",
        "mf.shop.call.member.shop.h1.*.*.*",
        "mf.shop.all.member.*.*",
    ]


def test_config_for_rabbitmq_is_definitions(midflight: Command, shop: Shop) -> None:
    """Users, what each may do in the virtual host of the URL, and what they share."""
    file = told(shop, AMQP, conductor_at_c1=HASH, shop_at_h1=HASH)
    definitions = json.loads(midflight("broker", "config", file).out)
    assert midflight("broker", "config", file, "--json").document == definitions
    assert [user["name"] for user in definitions["users"]] == ["conductor.c1", "shop.h1"]
    assert {entry["vhost"] for name in ("permissions", "queues", "bindings") for entry in definitions[name]} == {"shop"}
    names = [queue["name"] for queue in definitions["queues"]]
    assert "mf.shop.cast.shop.h1" in names
    assert len(names) == len(set(names))
    topics = [(given["user"], given["exchange"]) for given in definitions["topic_permissions"]]
    assert topics == [(u, e) for u in ("conductor.c1", "shop.h1") for e in ("mf.shop", "mf.shop.later")]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"shop": KEY}, "[members] received 'shop', expected \"SERVICE@HOST\""),
        ({"shop_at_h.1": KEY}, "[members] received 'shop@h.1'"),
        ({"shop_at_h1": "secret"}, "[members] shop@h1 received 'secret', expected a public nkey, U…"),
        ({"bakery_at_h1": KEY}, "bakery@h1 is of no service of the project; it has conductor, shop, operator, guest"),
        ({}, "has no entries in [members]"),
    ],
)
def test_a_mistake_in_the_members_is_named(midflight: Command, shop: Shop, members: dict[str, str], said: str) -> None:
    """In one line, with the file, the entry and what was expected."""
    outcome = midflight("broker", "config", told(shop, NATS, **members))
    assert (outcome.code, outcome.out) == (64, "")
    assert said in outcome.err


def test_a_file_that_is_none(midflight: Command, shop: Shop) -> None:
    """One that is missing, and one that is no TOML."""
    told(shop, NATS)
    (shop.folder / "odd.toml").write_text("[members")
    for name, said in (("missing.toml", "cannot be read: No such file"), ("odd.toml", "is no TOML")):
        outcome = midflight("broker", "config", str(shop.folder / name))
        assert (outcome.code, said in outcome.err) == (64, True)


def test_secret_is_written_for_its_owner_alone(midflight: Command, shop: Shop) -> None:
    """A seed whose public nkey is printed, or a password whose hash is; a file that is there is left as it is."""
    told(shop, NATS)
    file = shop.folder / "agent.nkey"
    outcome = midflight("broker", "secret", str(file))
    assert outcome.out == f"{Nkey.read(str(file)).public}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = midflight("broker", "secret", str(file))
    assert (again.code, "cannot be written: File exists" in again.err) == (64, True)
    told(shop, AMQP)
    printed = midflight("broker", "secret", str(shop.folder / "password"), "--json").document["known_by"]
    raw = base64.b64decode(printed)
    assert hashlib.sha256(raw[:4] + (shop.folder / "password").read_bytes().strip()).digest() == raw[4:]
