"""What one push of the console costs: from a fleet that was gathered to the text that every browser is sent."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime

from midflight.conductor.interface import Fleet
from midflight.console.access import ANYONE
from midflight.console.gatherer import FLEET, Picture, Sight
from midflight.console.page import View
from midflight.console.pages import PAGES
from midflight.console.rendering import Renderer
from midflight.console.soaking import SoakClock
from midflight.console.speeds import Speeds
from midflight.upgrade.aim import Aim

PUSHES = 5


def console_push(fleet: Fleet, aim: Aim) -> dict[str, float]:
    """All pages anew, once: milliseconds, microseconds for each member, and the largest page's kilobytes."""
    renderer = Renderer("bench", PAGES)
    picture = Picture(1, {FLEET: Sight(fleet, datetime.now(UTC))})
    took: list[float] = []
    sizes: list[int] = []
    for number in range(PUSHES):
        view = View(replace(picture, number=number + 2), {}, ANYONE, aim, SoakClock(), Speeds(), ())
        began = time.perf_counter()
        texts = [renderer.live(page, view) for page in PAGES]
        took.append(time.perf_counter() - began)
        sizes.append(max(len(text.encode()) for text in texts))
    push = statistics.median(took)
    return {
        "console_push_ms": 1e3 * push,
        "console_push_us_per_member": 1e6 * push / len(fleet.members),
        "console_push_kb": max(sizes) / 1024,
    }
