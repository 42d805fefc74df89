from pathlib import Path

import pytest

from compute.listener import listening_socket
from compute.settings import Settings, machines_folder, settings
from midflight import ConfigError, Context, Runtime


def runtime(state: Path, **app: object) -> Runtime:
    return Runtime(
        service="compute", host="one", state=state, settings=app, sockets=(), new_context=Context,
        active_hosts=lambda topic: [],
    )  # fmt: skip


def test_what_is_not_set_has_a_default_and_what_is_unknown_is_passed_over() -> None:
    """So another release's file does as well."""
    assert settings({}) == Settings()
    assert settings({"resize_seconds": 3, "of_a_later_release": True}).resize_seconds == 3


def test_a_wrong_setting_is_named() -> None:
    """With its place and what was expected."""
    with pytest.raises(ConfigError, match=r"\[app\] http_port: Expected `int`, got `str`"):
        settings({"http_port": "80"})
    with pytest.raises(ConfigError, match=r"\[app\] resize_seconds: Expected `float` >= 0"):
        settings({"resize_seconds": -1})


def test_the_machines_folder_is_made_in_the_state_folder(tmp_path: Path) -> None:
    """One that cannot be made is a mistake in the configuration."""
    assert machines_folder(runtime(tmp_path)) == tmp_path / "machines"
    assert (tmp_path / "machines").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"\[app\] machines"):
        machines_folder(runtime(tmp_path, machines="file"))


def test_an_address_that_is_taken_is_named() -> None:
    """An inherited socket goes before any address."""
    with listening_socket([], "127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen: Address already in use .*{port}"):
            listening_socket([], "127.0.0.1", port)
        assert listening_socket([first], "127.0.0.1", port) is first
