"""Configuration files that processes of several releases read."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from midflight.config import Config
from midflight.errors import InvalidValue
from midflight.testing.config_files import write


def test_a_configuration_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Whatever an application's table has."""
    app = {
        "port": 0,
        "share": 0.5,
        "on": True,
        "name": 'a "b"\n\t\x00\x7f\\é𝄞',
        "𝄞 key": [1, {"x": [2]}],
        "inner": {"of it": {}},
    }
    config = config_with(app, tmp_path)
    write(config)
    assert Config.load(tmp_path / "shop.toml") == config


def config_with(app: dict[str, Any], folder: Path) -> Config:
    return Config(
        project="shop:project", broker="memory:shop", database="sqlite:///x.db", beat_seconds=0.5, state="here",
        app=app, path=str(folder / "shop.toml"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "[app] limits.it[1]: received None, expected a str, bool, int or finite float"),
        (float("inf"), "[app] limits.it[1]: received inf, expected a str"),
        (date(2026, 1, 2), "[app] limits.it[1]: received datetime.date(2026, 1, 2), expected a str"),
        ("half \ud834", r"[app] limits.it[1]: received 'half \ud834', expected a str"),
        ({7: "x"}, "[app] limits.it[1].7: received the key 7, expected a str"),
    ],
)
def test_what_cannot_stand_in_a_file_is_named(value: object, told: str, tmp_path: Path) -> None:
    """With its place; and there is no file that a release would stumble over."""
    with pytest.raises(InvalidValue, match=re.escape(told)):
        write(config_with({"limits": {"it": [1, value]}}, tmp_path))
    assert not (tmp_path / "shop.toml").exists()
