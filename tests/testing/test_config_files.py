"""Configuration files that processes of several releases read."""

from pathlib import Path
from typing import Any

import pytest

from midflight.config import Config
from midflight.errors import InvalidValue
from midflight.testing.config_files import write


def test_a_configuration_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Whatever an application's table has."""
    config = config_with({"port": 0, "𝄞 key": [1, {"x": [2]}], "inner": {"of it": {}}}, tmp_path)
    write(config)
    assert Config.load(tmp_path / "shop.toml") == config


def config_with(app: dict[str, Any], folder: Path) -> Config:
    return Config(
        project="shop:project", broker="memory:shop", database="sqlite:///x.db", beat_seconds=0.5, state="here",
        app=app, path=str(folder / "shop.toml"),
    )  # fmt: skip


def test_where_something_cannot_be_written_there_is_no_file(tmp_path: Path) -> None:
    """A release would stumble over half of one."""
    with pytest.raises(InvalidValue, match=r"^\[app\] limits: received None"):
        write(config_with({"port": 0, "limits": None}, tmp_path))
    assert not (tmp_path / "shop.toml").exists()
