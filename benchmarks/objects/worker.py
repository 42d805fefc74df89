"""One contender in a process of its own: told on standard input what to time, it answers on standard output.

``NAME SECONDS`` is answered by the microseconds that one run took, over about so many seconds; ``weigh COUNT`` by the
bytes that one object takes; ``bytes`` by its size on the wire; ``names`` by all figures.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from benchmarks.objects.payload import REPEATS


def microseconds(work: Callable[[], object], seconds: float) -> float:
    """What one run takes, over about ``seconds`` of runs."""
    times, ran = 1, 0.0
    while ran < seconds / 4:
        began = time.perf_counter()
        for _ in range(times):
            work()
        ran = time.perf_counter() - began
        if ran < seconds / 4:
            times *= 4
    return ran / times * 1e6


def weight(make: Callable[[int], list[object]], count: int) -> float:
    """Bytes of memory for one object, when there are ``count``."""
    gc.collect()
    tracemalloc.start()
    kept = make(count)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / len(kept)


def _runs_in(name: str) -> int:
    """How many runs one call of a figure makes."""
    return REPEATS if name.startswith(("read", "assign")) else 1


def main(contender: str) -> None:
    """Serve until standard input ends."""
    module = importlib.import_module(f"benchmarks.objects.{contender}")
    figures: dict[str, Callable[[], object]] = module.figures()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        name, _, argument = line.strip().partition(" ")
        answer: Any
        if name == "names":
            answer = list(figures)
        elif name == "weigh":
            answer = weight(module.objects, int(argument))
        elif name == "bytes":
            answer = module.wire_bytes()
        else:
            answer = microseconds(figures[name], float(argument)) / _runs_in(name)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
