"""The demo is a package of apps/compute, and is imported from there."""

from __future__ import annotations

import sys
from pathlib import Path

COMPUTE = Path(__file__).parents[2] / "apps" / "compute"
sys.path.insert(0, str(COMPUTE))
