"""Configuration files that processes of several releases read."""

from pathlib import Path

from midflight.config import Config
from midflight.testing.config_files import write


def test_a_configuration_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Whatever an application's table has."""
    app = {"port": 0, "share": 0.5, "on": True, "name": 'a "b"\n', "a key": [1, {"x": [2]}], "inner": {"of it": {}}}
    config = Config(
        project="shop:project", broker="memory:shop", database="sqlite:///x.db", beat_seconds=0.5, state="here",
        app=app, path=str(tmp_path / "shop.toml"),
    )  # fmt: skip
    write(config)
    assert Config.load(tmp_path / "shop.toml") == config
