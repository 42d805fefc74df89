"""Forms: three majors of one endpoint, said and heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from midflight.context import Context
from midflight.errors import InvalidValue, PinnedOut
from midflight.objects.registry import Registry
from midflight.rpc.endpoints import spec_of
from midflight.rpc.forms import Form
from midflight.rpc.interface import Contract, Interface, endpoint, param
from midflight.versions import Manifest, Version
from tests.rpc import kilo


class Paint(Interface, Protocol, topic="paint", version="3.1", serves=("1.2", "2.5")):
    """In 1 a wall was dyed in one of eight numbered colours; in 2 it was painted by a colour's name; in 3 in coats."""

    @endpoint(since="3.0")
    async def cover(
        self, context: Context, wall: str, coats: list[str], dry: bool = param(True, since="3.1")
    ) -> list[str]: ...

    @cover.adapt(before="3.0", was="paint")
    @staticmethod
    def there_was_one_coat(wall: str, colour: str, twice: bool = param(False, since="2.3")) -> Mapping[str, Any]:
        return {"wall": wall, "coats": [colour] * (2 if twice else 1)}

    @cover.revert(before="3.0")
    @staticmethod
    def the_coats_are_one(wall: str, coats: list[str]) -> Mapping[str, Any]:
        return {"wall": wall, "colour": coats[0], "twice": len(coats) == 2}

    @cover.adapt_reply(before="3.0")
    @staticmethod
    def the_last_coat_is_seen(reply: list[str]) -> str:
        return reply[-1]

    @cover.revert_reply(before="3.0")
    @staticmethod
    def one_coat_is_a_list(reply: str) -> list[str]:
        return [reply]

    @cover.adapt(before="2.0", was="dye")
    @staticmethod
    def colours_had_numbers(wall: str, number: int = 1) -> Mapping[str, Any]:
        return {"wall": wall, "colour": f"colour-{number}"}

    @cover.revert(before="2.0")
    @staticmethod
    def colours_get_numbers(wall: str, colour: str) -> Mapping[str, Any]:
        return {"wall": wall, "number": int(colour.removeprefix("colour-"))}

    @cover.adapt_reply(before="2.0")
    @staticmethod
    def the_number_is_seen(reply: str) -> int:
        return int(reply.removeprefix("colour-"))

    @cover.revert_reply(before="2.0")
    @staticmethod
    def a_number_gets_its_name(reply: int) -> str:
        return f"colour-{reply}"


CONTRACT = Contract(Registry([], "house"), [Paint])
FORMS = CONTRACT.interface("paint").forms
SPEC = spec_of(Paint.cover)


def form(major: int, name: str) -> Form:
    return FORMS[major][name]


def said(version: str, **arguments: Any) -> dict[str, Any]:
    return CONTRACT.saying(SPEC, Manifest({"paint": Version.parse(version)})).request(arguments)


def test_each_major_has_the_endpoint_under_its_name_of_then() -> None:
    """dye, then paint, then cover."""
    assert {major: list(forms) for major, forms in FORMS.items()} == {1: ["dye"], 2: ["paint"], 3: ["cover"]}


def test_a_request_is_made_new_step_by_step() -> None:
    """What major 1 said goes through the adapters of both boundaries, and missing arguments get their defaults."""
    whole = {"wall": "north", "coats": ["colour-7"], "dry": True}
    assert form(1, "dye").hear({"wall": "north", "number": 7}) == whole
    assert form(1, "dye").hear({"wall": "north"}) == {**whole, "coats": ["colour-1"]}
    assert form(2, "paint").hear({"wall": "north", "colour": "red", "twice": True}) == {
        **whole,
        "coats": ["red", "red"],
    }
    assert form(2, "paint").hear({"wall": "north", "colour": "red"}) == {**whole, "coats": ["red"]}
    assert form(3, "cover").hear({"wall": "north", "coats": ["red"]}) == {**whole, "coats": ["red"]}


def test_a_reply_is_made_old_step_by_step() -> None:
    """Each major gets its own kind of answer."""
    assert form(3, "cover").reply(["colour-1", "colour-7"]) == ["colour-1", "colour-7"]
    assert form(2, "paint").reply(["colour-1", "colour-7"]) == "colour-7"
    assert form(1, "dye").reply(["colour-1", "colour-7"]) == 7


def test_a_request_is_said_in_the_older_forms() -> None:
    """Under each version of a pin, what that version had."""
    assert said("3.1", wall="w", coats=["red"], dry=False) == {"wall": "w", "coats": ["red"], "dry": False}
    assert said("3.0", wall="w", coats=["red"], dry=True) == {"wall": "w", "coats": ["red"]}
    assert said("2.5", wall="w", coats=["red", "red"]) == {"wall": "w", "colour": "red", "twice": True}
    assert said("2.2", wall="w", coats=["red"]) == {"wall": "w", "colour": "red"}
    assert said("1.2", wall="w", coats=["colour-3"]) == {"wall": "w", "number": 3}


def test_what_an_older_form_cannot_say_is_pinned_out_at_every_step() -> None:
    """By our own parameters, by the older form's, and by what a step back does not take."""
    with pytest.raises(PinnedOut, match=r"paint\.cover\(dry=False\) needs paint 3\.1; the peer understands paint 3\.0"):
        said("3.0", wall="w", coats=["red"], dry=False)
    with pytest.raises(PinnedOut, match=r"paint\.cover\(dry=False\) needs paint 3\.0; the peer understands paint 2\.5"):
        said("2.5", wall="w", coats=["red"], dry=False)
    with pytest.raises(
        PinnedOut, match=r"paint\.cover\(twice=True\) needs paint 2\.3; the peer understands paint 2\.2"
    ):
        said("2.2", wall="w", coats=["red", "red"])
    with pytest.raises(
        PinnedOut, match=r"paint\.cover\(twice=True\) needs paint 2\.0; the peer understands paint 1\.2"
    ):
        said("1.2", wall="w", coats=["colour-3", "colour-3"])


def test_an_endpoint_younger_than_the_pin_is_pinned_out() -> None:
    """Within a major, by its own age."""
    with pytest.raises(PinnedOut, match=r"compute\.reboot needs compute 3\.20; the peer understands compute 3\.10"):
        kilo.contract.saying(spec_of(kilo.ComputeAPI.reboot), Manifest({"compute": Version(3, 10)}))


def test_an_older_result_comes_home_new() -> None:
    """And it is read as what it was."""
    home = CONTRACT.saying(SPEC, Manifest({"paint": Version(1, 2)}))
    assert home.form.result.coerce("7", "x") == 7
    assert home.result(7) == ["colour-7"]
    assert CONTRACT.saying(SPEC, Manifest({"paint": Version(3, 1)})).result(["red"]) == ["red"]


def test_a_pin_above_our_own_version_is_our_own() -> None:
    """We say nothing newer than we know."""
    assert CONTRACT.saying(SPEC, Manifest({"paint": Version(9, 9)})).version == "3.1"


def test_what_a_revert_returns_is_checked_too() -> None:
    """A step back that makes a value of a wrong kind is told by the argument's place."""
    with pytest.raises(InvalidValue, match=r"paint\.cover\(colour\): received list of 1, expected str"):
        said("2.5", wall="w", coats=[["red"]])
