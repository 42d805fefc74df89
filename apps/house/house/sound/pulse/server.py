"""A connection to PulseAudio, in our own words. Cannot be imported where there is no libpulse."""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pulsectl import PulseDisconnected, PulseError, _pulsectl
from pulsectl_asyncio import PulseAsync

from house.sound.errors import EngineDead, EngineError, NoEngine, WrongEngine
from house.sound.pulse.modules import Found, Loaded, Module, Sink

T = TypeVar("T")
_WRONG = PulseDisconnected, PulseError, _pulsectl.LibPulse.CallError
PULSEAUDIO = "PulseAudio"
OLDEST = 13
"""The first that can be told how long a room keeps a stream before it plays (in module-rtp-recv)."""
START_SECONDS = 5.0
"""It answers 0.2 s after its start; ten times that on a small board."""
ANSWER_SECONDS = 3.0

_CALLBACKS = deque[object](maxlen=1_000)
"""What PulseAudio calls for the latest streams that were listened to. pulsectl-asyncio lets go of it with the stream,
and PulseAudio, which has not heard yet that the stream is over, may call it once more: what lies there by then is run,
and a segmentation fault ends the agent."""
_make_callback: Any = _pulsectl.PA_STREAM_REQUEST_CB_T


def _kept(function: object) -> Any:
    callback = _make_callback(function)
    _CALLBACKS.append(callback)
    return callback


_pulsectl.PA_STREAM_REQUEST_CB_T = _kept


@dataclass(frozen=True)
class Input:
    """What plays on a sink: by which module, how much of it waits to be given to the sink, and how much there is
    altogether until that is heard."""

    index: int
    module: int
    sink: int
    queue_ms: float
    buffer_ms: float
    application: str
    process: int | None


class Server:
    """PulseAudio: that of the user as whom we run, or the one at ``address``. ``start`` is the command that starts it,
    and leaves it running."""

    def __init__(self, start: Sequence[str], address: str | None = None) -> None:
        self._start, self._address = start, address
        self._pulse: Any = None

    async def connected(self, *, start: bool = True) -> bool:
        """Have a connection, and start PulseAudio where none runs, unless it is not to be started. True where it is a
        new one. Raises NoEngine, EngineDead, WrongEngine."""
        if self._pulse is not None and self._pulse.connected:
            return False
        self.close()
        try:
            if not await self._connect():
                if not start:
                    raise EngineDead(PULSEAUDIO, "it does not run")
                await self._start_it()
            await self._check_version()
        except BaseException:  # the next one is a new one, too
            self.close()
            raise
        return True

    async def _start_it(self) -> None:
        if not self._start:
            raise EngineDead(PULSEAUDIO, "it does not run, and by [app.sound.pulse] start nothing starts it")
        await self._warm_up()
        async with _deadline("it was started, and does not answer", START_SECONDS):
            await self._run(self._start)
            while not await self._connect():
                await asyncio.sleep(0.2)
                await self._run(self._start)  # it held the last one, which was ending, for one that runs

    async def _connect(self) -> bool:
        pulse = PulseAsync("house", server=self._address)
        try:
            await pulse.connect(timeout=ANSWER_SECONDS)
        except (PulseError, TimeoutError):
            pulse.close()
            return False
        except BaseException:  # as when there is no more time: one that is frozen would hold it for ever
            pulse.close()
            raise
        self._pulse = pulse
        return True

    async def _check_version(self) -> None:
        info = await self._ask(self._pulse.server_info())
        version = str(info.server_version)
        if info.server_name != "pulseaudio" or int(version.split(".")[0]) < OLDEST:
            raise WrongEngine(f"{info.server_name} {version}", f"PulseAudio {OLDEST} or newer")

    async def _warm_up(self) -> None:
        """Without a registry of GStreamer's plugins, the first stream that such an account receives ends PulseAudio
        (16.1): it waits for the registry to be written within its own real-time thread."""
        registries = Path.home() / ".cache" / "gstreamer-1.0"
        if not any(registries.glob("registry.*.bin")):
            await self._run(["gst-inspect-1.0"], package="gstreamer1.0-tools")

    async def _run(self, command: Sequence[str], package: str = "pulseaudio") -> None:
        if shutil.which(command[0]) is None:
            raise NoEngine(command[0], package)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            raise EngineDead(PULSEAUDIO, f"{' '.join(command)} ended with exit code {code}")

    def close(self) -> None:
        """Let go of it."""
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    async def stirred(self) -> None:
        """Wait until it has ended, or sound cards have come or gone."""
        if self._pulse is None:
            return
        try:
            async for event in self._pulse.subscribe_events("sink", "source"):
                if event.t in ("new", "remove"):
                    return
        except _WRONG:
            return

    # What there is.

    async def found(self) -> Found:
        """All that a plan asks for."""
        info = await self._ask(self._pulse.server_info())
        modules = await self._ask(self._pulse.module_list())
        sinks = await self._ask(self._pulse.sink_list())
        sources = await self._ask(self._pulse.source_list())
        return Found(
            [Loaded(each.name, each.argument or "", each.index) for each in modules],
            [_sink(each) for each in sinks],
            [each.name for each in sources],
            info.default_sink_name or "",
            server=f"{info.cookie:x}",
        )

    async def inputs(self) -> list[Input]:
        """What plays."""
        return [_input(each) for each in await self._ask(self._pulse.sink_input_list())]

    async def peaks(self, source: str, input: int | None) -> AsyncIterator[float]:
        """The loudness of a source, or of one input of the sink whose monitor it is, ten times a second: 1 is full
        scale. It ends with PulseAudio, and waits for ever when what it listens to has gone."""
        try:
            async for peak in self._pulse.subscribe_peak_sample(source, 10, input, allow_suspend=True):
                yield peak
        except _WRONG:
            return

    # What can be done.

    async def load(self, module: Module) -> int:
        """Load it; its index. Raises EngineError where PulseAudio refuses it; it says no reason."""
        try:
            index: int = await self._ask(self._pulse.module_load(module.name, module.argument))
        except EngineDead:
            raise
        except EngineError:
            raise EngineError(f"{PULSEAUDIO} refuses it") from None
        return index

    async def unload(self, loaded: Loaded) -> None:
        """Unload it."""
        await self._ask(self._pulse.module_unload(loaded.index))

    async def turn(self, sink: Sink, volume: int, mute: bool) -> None:
        """Set how loud a sink is."""
        for each in await self._ask(self._pulse.sink_list()):
            if each.index == sink.index:
                await self._ask(self._pulse.volume_set_all_chans(each, volume / 100))
                await self._ask(self._pulse.sink_mute(each.index, mute))

    async def _ask(self, answer: Awaitable[T]) -> T:
        async with _deadline("it does not answer", ANSWER_SECONDS):
            try:
                return await answer
            except (PulseDisconnected, _pulsectl.LibPulse.CallError):
                raise EngineDead(PULSEAUDIO, "it has ended") from None
            except PulseError as wrong:
                raise EngineError(f"{PULSEAUDIO}: {wrong}") from None


def _sink(info: Any) -> Sink:
    return Sink(info.index, info.name, info.monitor_source_name, round(info.volume.value_flat * 100), bool(info.mute))


def _input(info: Any) -> Input:
    process = info.proplist.get("application.process.id", "")
    name = info.proplist.get("application.name", "")
    return Input(
        info.index, info.owner_module, info.sink, info.buffer_usec / 1000, (info.buffer_usec + info.sink_usec) / 1000,
        name, int(process) if process.isdecimal() else None,
    )  # fmt: skip


@asynccontextmanager
async def _deadline(reason: str, seconds: float) -> AsyncIterator[None]:
    """The block raises EngineDead when it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise EngineDead(PULSEAUDIO, reason) from None
