"""The engines that there are a driver for."""

from __future__ import annotations

from house.playing import Engine
from house.sound.driver import Driver
from house.sound.errors import NoEngine
from house.sound.settings import WHERE, Settings
from midflight import ConfigError


def driver(engine: Engine, given: Settings) -> Driver:
    """The driver of one. Raises ConfigError for an engine that has none, or whose library is not there."""
    match engine:
        case Engine.PULSE_RTP:
            return _pulse_rtp(given)
        case _:
            raise _refused(f"received {str(engine)!r}, expected {Engine.PULSE_RTP}")


def _pulse_rtp(given: Settings) -> Driver:
    try:  # only hosts with sound have the library, and the project is the same on all of them
        from house.sound.pulse_rtp.driver import PulseRtp
    except OSError:
        raise _refused(str(NoEngine("libpulse.so.0", "pulseaudio"))) from None
    return PulseRtp(given.pulse.start, given.pulse.address)


def _refused(reason: str) -> ConfigError:
    return ConfigError(path="the configuration", where=f"{WHERE} engines", reason=reason)
