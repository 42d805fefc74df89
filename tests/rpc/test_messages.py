"""Envelopes: round trips, strangers, and bytes that are none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from midflight.errors import MalformedMessage
from midflight.rpc.messages import (
    PROTOCOL,
    Fault,
    Reply,
    Request,
    Sender,
    decode_reply,
    decode_request,
    encode,
)
from tests.golden import plain

SENDER = Sender("api", "a1", "kilo", "api-a1", 7)
NEWER = Sender("api", "3", "liberty")

GOLDEN_REQUEST = bytes.fromhex(
    "8da870726f746f636f6c01a673656e64657285a773657276696365a3617069a4686f7374a26131a772656c65617365a46b696c6fa66d656d"
    "626572a66170692d6131a970696e5f65706f636807a46b696e64a463616c6ca9696e74657266616365a7636f6d70757465a776657273696f"
    "6ea4332e3335a66d6574686f64a46563686fa9617267756d656e747381a474657874a178a86d616e6966657374a430303030ad6d616e6966"
    "6573745f7465787481a7636f6d7075746591a4332e3335a676616c75657381a475736572a3616461aa726571756573745f6964a57265712d"
    "31a4686f7374a26831a374746ccb4004000000000000"
)
GOLDEN_REPLY = bytes.fromhex(
    "84a870726f746f636f6c01a673656e64657285a773657276696365a3617069a4686f7374a26131a772656c65617365a46b696c6fa66d656d"
    "626572a66170692d6131a970696e5f65706f636807a6737461747573a66661696c6564a56661756c7483a666616d696c79a770726f6a6563"
    "74a46b696e64aa4f7665726c6f61646564a4617267739103"
)


def request(**changes: Any) -> Request:
    """A request that needs only what a test is about."""
    needed: dict[str, Any] = {
        "protocol": PROTOCOL, "sender": SENDER, "kind": "call", "interface": "compute", "version": "3.35",
        "method": "echo", "arguments": msgspec.Raw(msgspec.msgpack.encode({"text": "x"})), "manifest": "0000",
    }  # fmt: skip
    return Request(**{**needed, **changes})


def test_golden_bytes_of_protocol_1_are_understood_for_ever() -> None:
    """What the first release sent is still read, field by field."""
    heard = decode_request(GOLDEN_REQUEST)
    assert heard.sender == SENDER
    assert (heard.kind, heard.interface, heard.version, heard.method) == ("call", "compute", "3.35", "echo")
    assert msgspec.msgpack.decode(heard.arguments) == {"text": "x"}
    assert (heard.manifest, heard.manifest_text) == ("0000", {"compute": ["3.35"]})
    assert (heard.values, heard.request_id, heard.host, heard.ttl) == ({"user": "ada"}, "req-1", "h1", 2.5)
    reply = decode_reply(GOLDEN_REPLY)
    assert (reply.status, reply.sender) == ("failed", SENDER)
    assert reply.fault == Fault(family="project", kind="Overloaded", args=(3,))


def test_what_is_sent_today_is_what_was_sent() -> None:
    """The golden bytes say what this code writes. (Beyond 15 fields the head of a map may be longer.)"""
    said = request(manifest_text={"compute": ["3.35"]}, values={"user": "ada"}, request_id="req-1", host="h1", ttl=2.5)
    assert list(plain(encode(said)).items()) == list(plain(GOLDEN_REQUEST).items())
    fault = Fault(family="project", kind="Overloaded", args=(3,))
    assert encode(Reply(protocol=1, sender=SENDER, status="failed", fault=fault)) == GOLDEN_REPLY


def test_a_request_of_the_first_release_has_no_key_and_no_end() -> None:
    """What came later has a default."""
    heard = decode_request(GOLDEN_REQUEST)
    assert (heard.order, heard.expires) == ("", None)


@pytest.mark.parametrize("expires", [float("nan"), float("inf")])
def test_an_expiry_that_is_no_time_is_refused(expires: float) -> None:
    """With its sender."""
    with pytest.raises(MalformedMessage, match=r"api@a1 \(kilo\) was refused: it is said to expire at"):
        decode_request(encode(request(expires=expires)))


def test_fields_that_a_later_release_adds_are_passed_over() -> None:
    """An envelope with more in it is read all the same."""
    later = msgspec.msgpack.encode({**msgspec.msgpack.decode(GOLDEN_REQUEST), "ordering_key": "vm-1"})
    assert decode_request(later).method == "echo"


@pytest.mark.parametrize("body", [{"protocol": 3, "sender": NEWER}, request(protocol=3, sender=NEWER)])
def test_a_newer_protocol_is_greeted(body: Any) -> None:
    """Whatever else changed, the stranger is told what was received, what is understood, and is known by name."""
    with pytest.raises(MalformedMessage) as caught:
        decode_request(msgspec.msgpack.encode(body))
    assert str(caught.value) == (
        "A message from api@3 (liberty) was refused: received protocol 3, understand 1: "
        "the sender is api@3 (liberty), newer than this process."
    )


def test_a_newer_protocol_without_a_name_is_greeted_too() -> None:
    """A head without a sender, and replies, are told the same."""
    with pytest.raises(MalformedMessage, match="received protocol 2, understand 1: the sender is an unknown sender"):
        decode_reply(msgspec.msgpack.encode({"protocol": 2}))
    with pytest.raises(MalformedMessage, match="received protocol 0, understand 1: the sender is api@a1 \\(kilo\\)\\."):
        decode_request(encode(request(protocol=0)))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "its 0 bytes cannot be read: Input data was truncated"),
        (b"GET / HTTP/1.1", "its 14 bytes cannot be read"),
        (GOLDEN_REQUEST[:-3], "cannot be read: Input data was truncated"),
        (GOLDEN_REQUEST + b"\x00", "cannot be read"),
        (b"\x91" * 100_000, "its 100000 bytes cannot be read"),
        (b"\x82\xa9arguments" + b"\x91" * 100_000, "nested too deep"),
        (GOLDEN_REQUEST.replace(b"echo", b"\xff\xfe\xfd\xfc"), "cannot be read: .*utf-8"),
        (b"\xdf\xff\xff\xff\xff", "cannot be read"),
        (encode(request(method="m" * 251)), r"from api@a1 \(kilo\) was refused: .* length <= 250 - at `\$.method`"),
        (encode(request(ttl=float("nan"))), "it is said to wait nan s"),
        (encode(request(ttl=float("inf"))), "it is said to wait inf s"),
    ],
)
def test_bytes_that_are_no_request_are_refused(body: bytes, said: str) -> None:
    """Empty, foreign, truncated, too long, too deep, not UTF-8, too large in name: one MalformedMessage each."""
    with pytest.raises(MalformedMessage, match=said):
        decode_request(body)


def test_a_wrong_part_says_where() -> None:
    """The sender and the path to the wrong field are in the message."""
    wrong = msgspec.msgpack.encode({**msgspec.msgpack.decode(GOLDEN_REQUEST), "values": {"user": 7}})
    with pytest.raises(MalformedMessage) as caught:
        decode_request(wrong)
    assert str(caught.value) == (
        f"A message from api@a1 (kilo) was refused: its {len(wrong)} bytes cannot be read: "
        "Expected `str`, got `int` - at `$.values[...]`."
    )
