from collections.abc import Callable
from pathlib import Path

import pytest

from midflight.cli.place import config_file
from tests.cli.street import Outcome, Shop

Command = Callable[..., Outcome]


def test_the_option_goes_before_the_environment_and_that_before_the_current_folder() -> None:
    """Three ways to name the file."""
    environment = {"MIDFLIGHT_CONFIG": "b.toml"}
    assert config_file(Path("a.toml"), environment) == Path("a.toml")
    assert config_file(None, environment) == Path("b.toml")
    assert config_file(None, {}) == Path("midflight.toml")


def test_a_missing_file_names_the_three_ways(
    midflight: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was looked for."""
    monkeypatch.chdir(tmp_path)
    for arguments in ([], ["--config", "other.toml"]):
        outcome = midflight("release", "list", *arguments)
        assert outcome.code == 64
        for way in ("--config FILE", "MIDFLIGHT_CONFIG", "midflight.toml"):
            assert way in outcome.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[midflight\n", "midflight.toml: syntax: "),
        ('[midflight]\nproject = "shop:project"\n', "[midflight]: Object missing required field `broker`"),
        (
            '[midflight]\nproject = "shop:project"\nbroker = "memory:x"\nborker = 1\n',
            "[midflight]: Object contains unknown field `borker`; known are project, broker, database,",
        ),
        (
            '[midflight]\nproject = "shop:project"\nbroker = "ftp://x"\n',
            "[midflight] broker: received 'ftp://x', expected",
        ),
        (
            '[midflight]\nproject = "shap:project"\nbroker = "memory:x"\n',
            "[midflight] project = 'shap:project': ModuleNotFoundError: No module named 'shap'",
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_named_with_its_place(
    midflight: Command, shop: Shop, text: str, said: str
) -> None:
    """One line, 64, no traceback."""
    (shop.folder / "midflight.toml").write_text(text)
    outcome = midflight("fleet", "list")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert said in outcome.err


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("project = Project(", "project = Project((", "project = Project(", "SyntaxError: '(' was never closed"),
        ("objects=[Item]", "objects=[Itme]", "    objects=", "NameError: name 'Itme' is not defined"),
        ("price: str\n", "price: object\n", "project = Project(", "Item.price: type <class 'object'> cannot travel"),
        ("release=", "relase=", "@data_migration(", "TypeError: data_migration() got an unexpected keyword argument"),
        ("price: str\n", 'price: str = field(since="1.1")\n', "class Item(", "Item.price: has since='1.1'"),
    ],
)
def test_a_mistake_in_the_project_file_is_named_with_file_and_line(
    midflight: Command, shop: Shop, old: str, new: str, at: str, said: str
) -> None:
    """One line, 64, no traceback."""
    path = shop.folder / "shop.py"
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if text.startswith(at))
    shop.edit(old, new)
    outcome = midflight("fleet", "list")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert outcome.err.startswith(f"error: {path}:{line}: ")
    assert said in outcome.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("project = Project(", "raise SystemExit(3)\nproject = Project(", "SystemExit: 3"),
        ("project = Project(", "raise ValueError('No.')\nproject = Project(", "ValueError: No.\n"),
        ("project = Project(", "\0project = Project(", "/shop.py: SyntaxError: source code string cannot contain null"),
        (
            'project = Project(\n    "shop"',
            'project = Project(\n    "a shop"',
            "received 'a shop', expected",
        ),
        ("services=[", 'services=[Service("conductor", shop), ', "service conductor: is midflight's own"),
    ],
)
def test_what_a_project_may_not_do_or_be_called_is_named(
    midflight: Command, shop: Shop, old: str, new: str, said: str
) -> None:
    """One line, 64, no traceback."""
    shop.edit(old, new)
    outcome = midflight("fleet", "list")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert said in outcome.err


@pytest.mark.parametrize("reference", ["", ":", ".p:x", "shop:", "shop:a b", "shop;x", "..", "sh op"])
def test_a_reference_to_no_project_is_refused(midflight: Command, shop: Shop, reference: str) -> None:
    """The configuration names a module, and what in it is the project; anything else is told with its place."""
    shop.configure(project=reference)
    outcome = midflight("fleet", "list")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert f"midflight.toml: [midflight] project = {reference!r}: received {reference!r}, expected" in outcome.err


def test_a_host_without_a_name_is_refused(midflight: Command, shop: Shop) -> None:
    """An empty --host, as of an unset variable, is not this machine's name."""
    shop.configure()
    outcome = midflight("run", "shop", "--host", "")
    assert (outcome.code, outcome.err.count("\n")) == (64, 1)
    assert "received host ''" in outcome.err


def test_a_command_on_the_database_needs_one(midflight: Command, shop: Shop) -> None:
    """The way out is named."""
    shop.configure()
    outcome = midflight("db", "status")
    assert outcome.code == 64
    assert "[midflight] database: is missing" in outcome.err
    assert "MIDFLIGHT_DATABASE" in outcome.err
