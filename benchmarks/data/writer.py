"""``python -m benchmarks.data.writer URL ROWS``: somebody changes rows until a line comes. Prints JSON."""

from __future__ import annotations

import json
import random
import sys
import threading
import time

from sqlalchemy import text

from midflight.db.engine import create, parse

PAUSE = 0.002
"""Seconds between two changes."""
_TOUCH = text("UPDATE instances SET touched = touched + 1 WHERE id = :row")


def write(url: str, rows: int, over: threading.Event) -> list[float]:
    """How long each change took, in seconds."""
    engine = create(parse(url))
    took: list[float] = []
    with engine.connect().execution_options(writes=True, isolation="READ COMMITTED") as connection:
        while not over.is_set():
            begun = time.perf_counter()
            with connection.begin():
                connection.execute(_TOUCH, {"row": random.randint(1, rows)})
            took.append(time.perf_counter() - begun)
            time.sleep(PAUSE)
    engine.dispose()
    return took


def p99(took: list[float]) -> float:
    """The hundredth part took longer."""
    return sorted(took)[int(len(took) * 0.99)]


def main() -> None:
    """Say that it begins, and write until a line comes."""
    over = threading.Event()
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    threading.Thread(target=lambda: (sys.stdin.readline(), over.set()), daemon=True).start()
    took = write(sys.argv[1], int(sys.argv[2]), over)
    sys.stdout.write(json.dumps({"p99_ms": p99(took) * 1000, "worst_ms": max(took) * 1000, "changes": len(took)}))


if __name__ == "__main__":
    main()
