"""Which drivers a host has for the engines of its configuration."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from house.playing import Engine
from house.sound import engines
from house.sound.settings import Settings
from midflight import ConfigError


@pytest.fixture
def without_libpulse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What speaks to PulseAudio cannot be imported."""
    real = builtins.__import__

    def imported(name: str, *more: Any) -> object:
        if name.startswith("house.sound.pulse."):
            raise OSError("libpulse.so.0: cannot open shared object file: No such file or directory")
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", imported)


@pytest.mark.usefixtures("without_libpulse")
def test_a_host_without_its_library() -> None:
    """An agent that should play refuses its configuration, in one line with the package; one that shall only leave
    engines has nothing to leave."""
    with pytest.raises(ConfigError) as caught:
        engines.drivers(Settings())
    assert str(caught.value) == (
        "the configuration: [app.sound] engines: there is no libpulse.so.0 on this host: apt install pulseaudio."
    )
    assert engines.drivers(Settings(engines=()), left=[Engine.PULSE_RTP]) == {}


def test_an_engine_without_a_driver() -> None:
    """It is refused with those that there are."""
    with pytest.raises(ConfigError, match="received 'unknown', expected pulse-rtp or snapcast or gst-netclock"):
        engines.drivers(Settings(engines=(Engine.UNKNOWN,)))
