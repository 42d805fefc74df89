"""What one push of the console costs: from a fleet that was gathered to the text that every browser is sent."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime

from midflight.conductor.interface import Fleet
from midflight.console.pages import PAGES
from midflight.console.site import console
from midflight.console.soaking import SoakClock
from midflight.console.sources import FLEET
from midflight.console.speeds import Speeds
from midflight.console.view import FleetView
from midflight.upgrade.aim import Aim
from midflight.web.access import ANYONE
from midflight.web.gatherer import Picture, Sight
from midflight.web.rendering import Renderer

PUSHES = 5


def console_push(fleet: Fleet, aim: Aim) -> dict[str, float]:
    """All pages anew, once: milliseconds, microseconds for each member, and the largest page's kilobytes."""
    renderer = Renderer(console("bench", aim))
    picture = Picture(1, {FLEET: Sight(fleet, datetime.now(UTC))})
    took: list[float] = []
    sizes: list[int] = []
    for number in range(PUSHES):
        view = FleetView(replace(picture, number=number + 2), {}, ANYONE, aim, SoakClock(), Speeds(), ())
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
