from __future__ import annotations

from pathlib import Path

from tests.acceptance.small import demo
from tests.acceptance.test_story import check_the_road, left_behind


async def test_the_whole_road_on_postgresql(tmp_path: Path) -> None:
    """The same on a server of the run's own, which is gone afterwards."""
    run = await demo(tmp_path, db="postgresql")
    assert run.code == 0, run.output
    check_the_road(run)
    assert run.report["engine"]["database"].startswith("PostgreSQL 15")
    assert left_behind(tmp_path / "run") == []
