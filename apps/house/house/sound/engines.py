"""The engines that there are a driver for."""

from __future__ import annotations

from collections.abc import Iterable

from house.playing import Engine
from house.sound.driver import Driver
from house.sound.errors import NoEngine
from house.sound.settings import WHERE, Settings
from midflight import ConfigError

ALL = (Engine.PULSE_RTP, Engine.SNAPCAST, Engine.GST_NETCLOCK)


def drivers(given: Settings, left: Iterable[str] = ()) -> dict[Engine, Driver]:
    """Those of a host, and of engines that it had and has ``left``, as far as there is something to take out of them.
    Raises ConfigError for an engine that has none, or whose library is not there."""
    for engine in given.engines:
        if engine not in ALL:
            raise _refused(f"received {str(engine)!r}, expected {' or '.join(ALL)}")
    engines = [*given.engines, *(engine for engine in ALL if engine in left and engine not in given.engines)]
    if not engines:
        return {}
    try:  # only hosts with sound have the library, and the project is the same on all of them
        from house.sound.gst_netclock.driver import GstNetclock
        from house.sound.pulse.sources import Sources
        from house.sound.pulse_rtp.driver import PulseRtp
        from house.sound.snapcast.driver import Snapcast
    except OSError:
        if not given.engines:
            return {}  # PulseAudio has left this host, and all that was in it
        raise _refused(str(NoEngine("libpulse.so.0", "pulseaudio"))) from None
    kinds = {Engine.PULSE_RTP: PulseRtp, Engine.SNAPCAST: Snapcast, Engine.GST_NETCLOCK: GstNetclock}
    sources = Sources(given.pulse.address)
    return {engine: kinds[engine](given.pulse.start, given.pulse.address, sources) for engine in engines}


def _refused(reason: str) -> ConfigError:
    return ConfigError(path="the configuration", where=f"{WHERE} engines", reason=reason)
