"""The demo in small: the same road, 30 instances, 2 agents."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPUTE = Path(__file__).parents[2] / "apps" / "compute"
SIZE = {
    "instances": 30,
    "agents": 2,
    "requests": 300,
    "rate": 14,
    "workers": 4,
    "soak": 3,
    "resizes": 8,
    "resize-seconds": 2,
    "chunk": 4,
}


@dataclass(frozen=True)
class Ended:
    """A run of the demo that has ended."""

    code: int
    output: str
    report: dict[str, Any]

    @property
    def zeros(self) -> dict[str, int]:
        """The figures that ought to be 0."""
        names = ("failed", "instances_interrupted", "lost_updates", "rejected_versions")
        return {name: self.report[name] for name in names}


async def demo(build: Path, **more: str) -> Ended:
    """Run ``python -m demo`` in small."""
    arguments = [f"--{name}={value}" for name, value in {**SIZE, "build": build, **more}.items()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo", *arguments),
        cwd=COMPUTE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    report = build / "report.json"
    figures = json.loads(report.read_text()) if report.exists() else {}
    return Ended(process.returncode or 0, output.decode(), figures)
