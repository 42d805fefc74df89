"""Fuzz the decoders, guided by coverage: ``python -m tests.fuzz [SECONDS]``.

It begins with the kept corpus. What it finds on its way stays in build/fuzz; what it crashes with is printed and kept
there too, and belongs into tests/fuzz/corpus once it is mended.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["midflight"]):
    from tests.fuzz.targets import feed

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path("build/fuzz")


def main() -> None:
    """Exits with 0 when the time is over, and with 77 after a crash."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    FOUND.mkdir(parents=True, exist_ok=True)
    bounds = [f"-max_total_time={seconds}", "-timeout=5", "-rss_limit_mb=1024", "-max_len=8192", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(FOUND), str(CORPUS), f"-artifact_prefix={FOUND}/", *bounds], feed)
    atheris.Fuzz()


main()
