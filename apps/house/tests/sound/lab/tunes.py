"""Tunes that can be told from each other, however loud: noise with a seed, over and over; and who plays which."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
SECONDS = 4
"""After so long it begins anew."""
LOUD = 3_000
"""The mean of it; its peaks are four times that."""
LOWEST_HZ, HIGHEST_HZ = 40, 600
"""Low enough that a room is recognised while its clock is still 0.2 % wrong, which PulseAudio takes minutes to mend."""
WINDOW = RATE // 2
"""So much of a recording is listened to at once."""
LIKE = 0.4
"""From this correlation on a tune is heard: alone it has 0.9, another one 0.2, two together 0.7 each."""
THIN = 16
SILENT = 1
"""What PulseAudio's dither may leave."""

Samples = NDArray[np.int16]


@cache
def tune(name: str) -> Samples:
    """One period of it, one channel."""
    random = np.random.default_rng(list(name.encode()))
    spectrum = np.zeros(RATE * SECONDS // 2 + 1, np.complex128)
    tones = slice(LOWEST_HZ * SECONDS, HIGHEST_HZ * SECONDS)
    spectrum[tones] = np.exp(2j * np.pi * random.random(tones.stop - tones.start))
    noise = np.fft.irfft(spectrum)
    samples: Samples = (noise * LOUD / noise.std()).astype(np.int16)
    return samples


@cache
def _spectrum(name: str) -> NDArray[np.complex128]:
    return np.conj(np.fft.rfft(tune(name).astype(np.float64)))


def write(name: str, file: Path) -> None:
    """As raw stereo for programs that play it."""
    file.write_bytes(np.repeat(tune(name), 2).tobytes())
    file.chmod(0o644)


def write_wav(name: str, file: Path) -> None:
    """As a file that any player knows."""
    with wave.open(str(file), "wb") as into:
        into.setparams((1, 2, RATE, 0, "NONE", ""))
        into.writeframes(tune(name).tobytes())
    file.chmod(0o644)


@dataclass(frozen=True)
class Match:
    """How much of a tune is in a window, from 0 to 1, and which of its samples is the window's first."""

    likeness: float
    position: float


def match(window: Samples, name: str) -> Match:
    """Look for a tune by circular cross-correlation; a parabola through the highest three finds the place between
    samples."""
    padded = np.zeros(RATE * SECONDS)
    padded[: len(window)] = window
    # The spectrum is the conjugate of the tune's: the peak is where the window, moved by that much, lies in the tune.
    correlation = np.fft.irfft(np.conj(np.fft.rfft(padded) * _spectrum(name)), len(padded))
    peak = int(np.argmax(correlation))
    before, top, after = (correlation[(peak + n) % len(correlation)] for n in (-1, 0, 1))
    bend = before - 2 * top + after
    norm = float(np.linalg.norm(window.astype(np.float64)) * LOUD * np.sqrt(len(window)))
    return Match(float(top) / norm if norm else 0.0, peak + (0.5 * (before - after) / bend if bend else 0.0))


def heard(window: Samples, names: tuple[str, ...]) -> set[str]:
    """Which of the tunes are in it; a set with "?" where it is neither silent nor any of them."""
    if len(window) == 0 or np.abs(window).max() <= SILENT:
        return set()
    thin = _thinned(window)
    spectrum = np.conj(np.fft.rfft(thin, RATE * SECONDS // THIN))
    norm = float(np.linalg.norm(thin) * np.sqrt(len(thin)))
    return {name for name in names if _highest(spectrum, name) / norm > LIKE} or {"?"}


def _highest(spectrum: NDArray[np.complex128], name: str) -> float:
    """Of the correlation with a tune, where both have every 16th sample only: enough to know it by, and cheap."""
    thin = _thinned(tune(name))
    return float(np.fft.irfft(spectrum * np.fft.rfft(thin), len(thin)).max() / thin.std())


def _thinned(samples: Samples) -> NDArray[np.float64]:
    whole = len(samples) // THIN * THIN
    thinned: NDArray[np.float64] = samples[:whole].reshape(-1, THIN).mean(axis=1)
    return thinned


def gaps(recording: Samples, longer_ms: float = 20.0) -> list[tuple[int, int]]:
    """Runs of silence: where each begins, and how many samples it lasts."""
    loud = np.flatnonzero(np.abs(recording) > SILENT)
    edges = np.concatenate(([-1], loud, [len(recording)]))
    lengths = np.diff(edges) - 1
    return [
        (int(edges[n]) + 1, int(lengths[n])) for n in np.flatnonzero(lengths > longer_ms * RATE / 1000)
    ]  # fmt: skip
