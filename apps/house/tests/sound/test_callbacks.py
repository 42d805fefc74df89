"""What PulseAudio may still call when a stream is over."""

from __future__ import annotations

import gc
import weakref

from pulsectl import _pulsectl

from house.sound.pulse import server


def test_what_pulseaudio_calls_outlives_its_stream() -> None:
    """The library asks for it, and keeps it for as long as it listens; we keep it longer."""
    callback = _pulsectl.PA_STREAM_REQUEST_CB_T(lambda *_: None)
    kept = weakref.ref(callback)
    del callback
    gc.collect()
    assert kept() in server._CALLBACKS
