"""The fleet, its load and its observer are the demo's, a package of apps/compute that is imported from there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "apps" / "compute"))
