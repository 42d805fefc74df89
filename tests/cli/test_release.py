from collections.abc import Callable

import pytest

from midflight.conductor.interface import VersionsAtRest
from midflight.errors import VersionRejected
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.upgrade.fleets import cloud

Command = Callable[..., Outcome]


def test_freeze_writes_the_file_and_list_shows_it(midflight: Command, shop: Shop) -> None:
    """And which of them this code is."""
    unfrozen = midflight("release", "list")
    assert "this code is no frozen release: midflight release freeze NAME" in unfrozen.out
    frozen = midflight("release", "freeze", "kilo")
    path = shop.folder / "releases" / "kilo.toml"
    assert (frozen.code, frozen.out) == (0, f"done: {path} written; review and commit it\n")
    listed = midflight("release", "list")
    assert listed.out.splitlines()[1].split() == ["1", "kilo", "shop", "1.1", "Item", "1.1", "yes"]
    (document,) = midflight("release", "list", "--json").document
    assert (document["release"], document["this_code"], document["manifest"]["Item"]) == ("kilo", True, "1.1")


def test_freezing_again_is_nothing_and_freezing_something_else_is_refused(midflight: Command, shop: Shop) -> None:
    """0, then 2 with what differs."""
    assert midflight("release", "freeze", "kilo", "--json").document["written"] is True
    assert midflight("release", "freeze", "kilo", "--json").document["written"] is False
    shop.edit("    price: str\n    cents", "    price: str | None\n    cents")
    refused = midflight("release", "freeze", "kilo")
    assert refused.code == 2
    assert "objects.Item.fields.price: str → str | None" in refused.err


def test_an_impossible_name_exits_64(midflight: Command, shop: Shop) -> None:
    """It would be a path."""
    assert midflight("release", "freeze", "../kilo").code == 64


def test_check_says_who_breaks_and_what_to_paste(midflight: Command, shop: Shop) -> None:
    """0 while unchanged; 2 with the finding; 0 again when what is suggested is done."""
    assert "no release is frozen yet" in midflight("release", "check").out
    midflight("release", "freeze", "kilo")
    unchanged = midflight("release", "check")
    assert (unchanged.code, unchanged.out) == (0, "pass: compared with kilo; unchanged since kilo\n")
    shop.edit("    id: int\n", "    id: int\n    weight: float\n")
    found = midflight("release", "check")
    assert found.code == 2
    assert found.out == SAID
    shop.edit('version="1.1"):\n    id', 'version="1.2"):\n    id')
    shop.edit("    weight: float\n", '    weight: float | None = field(default=None, since="1.2")\n')
    bumped = midflight("release", "check")
    assert (bumped.code, bumped.out) == (
        0,
        "pass: compared with kilo; properly bumped since kilo: Item 1.1 → 1.2\n",
    )


SAID = """\
fail: Item.weight: added without since (wire)
  breaks  kilo: Item 1.1 has no such field: a peer loses it silently, and leaves it unset in what it sends
  met in  shop.refund(item), shop.sell(item)
  due     Item 1.2, and since="1.2" with a way to live without it
  | class Item(VersionedObject, version="1.2"):
  |     weight: float | None = field(default=None, since="1.2")

fail: 1 change that peers in the skew window (kilo) would not survive
"""


HIDDEN = [
    ("price: str", "price: str = field(sensitive=True)", "Item.price: became sensitive (code)"),
    ("price: str", 'price: str = field(column="cost")', "Item.price: column changed from its own name to cost (store)"),
    ("default=None)", "default_factory=lambda: 7)", "Item.cents: default changed from None to lambda() body"),
]


@pytest.mark.parametrize(("old", "new", "line"), HIDDEN)
def test_check_finds_what_no_type_shows(midflight: Command, shop: Shop, old: str, new: str, line: str) -> None:
    """And exits 2; a new version is enough."""
    midflight("release", "freeze", "kilo")
    shop.edit(f"    {old}\n" if old.startswith("price") else old, f"    {new}\n" if new.startswith("price") else new)
    found = midflight("release", "check")
    assert (found.code, found.out.startswith(f"fail: {line}")) == (2, True)
    assert '  | class Item(VersionedObject, version="1.2"):\n' in found.out
    shop.edit('version="1.1"):\n    id', 'version="1.2"):\n    id')
    assert midflight("release", "check").code == 0


def test_check_answers_machines_in_json(midflight: Command, shop: Shop) -> None:
    """With the category, the peers, what is due, and the suggestion."""
    midflight("release", "freeze", "kilo")
    shop.edit("    price: str\n    cents", "    price: int\n    cents")
    found = midflight("release", "check", "--json")
    assert found.code == 2
    assert (found.document["code"], found.document["window"]) == ("kilo", ["kilo"])
    (finding,) = found.document["findings"]
    assert (finding["category"], finding["path"], finding["peers"]) == ("wire", "Item.price", ["kilo"])
    assert finding["met_in"] == ["shop.refund(item)", "shop.sell(item)"]
    assert 'wire["price"] = str(wire["price"])' in finding["suggestion"]


def test_freeze_refuses_what_check_finds(midflight: Command, shop: Shop) -> None:
    """And points to it."""
    midflight("release", "freeze", "kilo")
    shop.edit("    id: int\n", "    id: int\n    weight: float\n")
    refused = midflight("release", "freeze", "liberty")
    assert refused.code == 2
    assert "Item.weight: added without since" in refused.err
    assert "`midflight release check` has the suggestions" in refused.err


def test_diff_tells_the_chronicle(midflight: Command, shop: Shop) -> None:
    """Between two releases, or up to the code."""
    midflight("release", "freeze", "kilo")
    assert midflight("release", "diff", "kilo").out == "kilo and the code say the same\n"
    shop.edit(
        'version="1.1"):\n    id: int\n',
        'version="1.2"):\n    id: int\n    note: str = field(default="", since="1.2")\n',
    )
    midflight("release", "freeze", "liberty")
    told = midflight("release", "diff", "kilo", "liberty")
    assert (told.code, told.out) == (0, "Item 1.1 → 1.2\n  field note is new: str, default ''\n")
    (chapter,) = midflight("release", "diff", "kilo", "liberty", "--json").document["chapters"]
    assert chapter["title"] == "Item 1.1 → 1.2"
    assert midflight("release", "diff", "kilo", "nova").code == 64


def test_retire_lists_what_may_go(midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 while the release is in the window of the next; 4 while no conductor says what is at rest; 2 while rows need
    it; 1 for the marks that may go then."""
    midflight("release", "freeze", "kilo")
    held = midflight("release", "retire", "kilo")
    assert held.code == 2
    assert "kilo is in the skew window of the next release (kilo): its peers need every mark" in held.out
    shop.edit(
        'version="1.1"):\n    id: int\n',
        'version="1.2"):\n    id: int\n    note: str = field(default="", since="1.2")\n',
    )
    midflight("release", "freeze", "liberty")
    listed = midflight("release", "retire", "kilo")
    assert listed.code == 4
    mark, unknown = listed.out.splitlines()
    assert mark == 'unknown: Item.note: since="1.2" may go only if no row needs it'
    assert unknown.startswith(
        "unknown: how many Item at rest are of older versions: No conductor of project shop answers"
    )
    assert midflight("release", "retire", "kilo", "--json").document["status"] == "unknown"

    rows = VersionsAtRest(rows=20, columns=["boxes.items"], found={"boxes.items": {"Item:1.1": 12, "Item:1.2": 3}})
    employ(monkeypatch, FakeOperator(cloud(store_floor="liberty"), rows=rows))
    refused = midflight("release", "retire", "kilo")
    assert refused.code == 2
    assert refused.out.splitlines() == [
        'fail: Item.note: since="1.2" stays: rows may need it',
        "pass: the store floor is liberty",
        "fail: boxes.items: 12 × Item 1.1 still need kilo: write these rows anew",
    ]
    document = midflight("release", "retire", "kilo", "--json").document
    assert document["at_rest"] == [{"column": "boxes.items", "object": "Item", "version": "1.1", "count": 12}]

    rows.found = {"boxes.items": {"Item:1.2": 15}}
    ready = midflight("release", "retire", "kilo")
    assert (ready.code, ready.out.splitlines()[0]) == (
        1, 'ready: Item.note: since="1.2" may go, every peer has the field'
    )  # fmt: skip


def test_a_conductor_that_cannot_count_yet_is_an_unknown(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4, with its own words."""
    midflight("release", "freeze", "kilo")
    shop.edit(
        'version="1.1"):\n    id: int\n',
        'version="1.2"):\n    id: int\n    note: str = field(default="", since="1.2")\n',
    )
    midflight("release", "freeze", "liberty")
    rejected = VersionRejected(
        interface="conductor", method="conductor.versions_at_rest", requested="1.1", understood="1.0",
        sender="operator", callee="conductor@c1 (kilo)", pin_epoch=0,
    )  # fmt: skip
    employ(monkeypatch, FakeOperator(cloud(), rows=rejected))
    listed = midflight("release", "retire", "kilo")
    assert listed.code == 4
    assert "conductor@c1 (kilo) serves conductor 1.0" in listed.out
