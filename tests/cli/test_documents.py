"""What commands write with --json is published as JSON Schema; what any test has written is checked by it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
from cyclopts import App

from midflight.cli.app import NOUNS, build
from midflight.cli.documents import DOCUMENTS, schema
from midflight.conductor.data_objects import Comparison, MigrationDetail, SweepResult
from tests.cli.documents import PUBLISHED, mistakes
from tests.cli.fake_operator import FakeOperator, employ
from tests.cli.street import Outcome, Shop
from tests.cli.test_parked import ALONE, STOP
from tests.cli.test_upgrade import JUNO, moved
from tests.cli.test_why import STORY
from tests.upgrade.fleets import fleet, lost, member

Command = Callable[..., Outcome]


def test_the_published_schema_is_that_of_the_code() -> None:
    """``midflight documents > docs/reference/documents.schema.json`` keeps it so."""
    assert json.loads(PUBLISHED.read_text()) == msgspec.json.decode(msgspec.json.encode(schema()))


def _with_json(app: App, name: str) -> Iterator[str]:
    """The commands below this one that take --json."""
    if app.default_command is not None and "json" in inspect.signature(app.default_command).parameters:
        yield name
    for verb in app:
        if not verb.startswith("-"):
            yield from _with_json(app[verb], f"{name}-{verb}")


def test_each_command_that_writes_a_document_has_a_schema() -> None:
    """And no schema is of a command that there is not."""
    tree = build()
    found = {name for noun in NOUNS for name in _with_json(tree[noun], noun)}
    assert found ^ set(DOCUMENTS) == {"error"}


WRITES = [
    "upgrade plan kilo", "upgrade status", "upgrade check unpin", "upgrade finalize", "upgrade why unpin",
    "upgrade ack", "upgrade journal", "fleet list", "fleet show shop@n1", "fleet drain there", "fleet retire shop@n1",
    "pin show", "pin set juno", "pin clear", "parked list", "parked show 5a5a-stop", "parked replay 5a5a-stop",
    "parked discard gone-1", "data list", "data run", "data show prices_become_cents",
    "data retry prices_become_cents", "data prove prices_become_cents", "data compare prices_become_cents",
    "data pace", "data start prices_become_cents", "data pause prices_become_cents",
    "data resume prices_become_cents", "data cancel prices_become_cents", "data brake",
    "release list", "release check", "release diff juno", "release freeze kilo", "release retire juno",
    "db expand --dry-run", "db expand", "db sync", "db status", "db history", "db facts", "db contract",
    "db revision -m more", "broker secret key", "init bakery", "doctor", "data explode",
]  # fmt: skip
"""All but `db lint`, `broker config` and `upgrade rehearse`: see test_db.py, test_broker.py and test_rehearse.py."""


def test_each_command_writes_what_its_schema_says(
    midflight: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each field of its type, where all goes well; and an error, where a command is none."""
    there = fleet(
        member("conductor", "c1", "kilo"), lost("shop", "n1", "kilo", epoch=3), member("shop", "there", "kilo"),
        migrations=[moved()],
    )  # fmt: skip
    ended = SweepResult(name="prices_become_cents", line="0 items", exit_code=0, matched=0, completed=0, proven=True)
    operator = employ(monkeypatch, FakeOperator(there, chunks=[ended] * 3))
    operator.entries, operator.kept, operator.left = STORY, [STOP, ALONE], [[], []]
    operator.detail, operator.compared = MigrationDetail(migration=moved()), [Comparison(checked=3)]
    (shop.folder / "releases").mkdir()
    (shop.folder / "releases" / "juno.toml").write_text(JUNO)
    assert midflight("release", "freeze", "kilo").code == 0
    written = [midflight(*words.split(), "--json").document for words in WRITES]
    failed = [document["error"]["message"] for document in written if "error" in document]
    assert [words.partition(".")[0] for words in failed] == ['Unknown command "explode"']
    names = {name for words in WRITES for name in ("-".join(words.split()[:2]), words.split()[0])}
    assert set(DOCUMENTS) - names == {"db-lint", "broker-config", "upgrade-rehearse", "error"}


def test_a_document_that_is_none_is_found_by_the_schema() -> None:
    """A field that is missing, one of another type, and a word that is none; one more is for later versions."""
    good = {"step": "roll", "status": "pass", "because": [], "way_out": []}
    for bad in ({**good, "way_out": None}, {**good, "status": "fine"}, {"step": "roll"}, {**good, "because": [{}]}):
        assert mistakes("upgrade-check", bad)
    assert mistakes("upgrade-check", {**good, "later": 1}) == []
