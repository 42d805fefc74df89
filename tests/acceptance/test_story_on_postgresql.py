from __future__ import annotations

from pathlib import Path

from tests.acceptance.small import demo
from tests.acceptance.test_story import left_behind


async def test_an_upgrade_on_postgresql(tmp_path: Path) -> None:
    """A fleet of juno becomes one of kilo for good, on a server of the run's own, which is gone afterwards; nobody
    notices. (What of the road is liberty's is the same on both databases.)"""
    run = await demo(tmp_path, db="postgresql", until="kilo contract")
    assert run.zeros == dict.fromkeys(run.zeros, 0), run.output
    assert run.report["stopped"] == ""
    assert [step["step"] for step in run.report["steps"]][-2:] == ["kilo contract", "look"]
    assert min(run.report[name] for name in ("migrated", "deferred")) > 0
    assert run.report["engine"]["database"].startswith("PostgreSQL 15")
    assert left_behind(tmp_path / "run") == []
