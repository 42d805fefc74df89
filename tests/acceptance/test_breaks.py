from __future__ import annotations

import asyncio
from pathlib import Path

from demo import raw, road
from demo.changes import History, histories
from demo.observer import observe
from demo.report import ZEROS, wrong
from demo.size import parse
from demo.stage import Stage, staged
from demo.step import Step

from tests.acceptance.small import SIZE, demo


async def test_wrong_pin(tmp_path: Path) -> None:
    """One API that speaks kilo too early is found: report and both ends' logs name it, and the soak stops the road."""
    run = await demo(tmp_path, **{"break": "wrongpin"})
    assert run.code == 3
    assert run.report["rejected_versions"] > 0
    assert run.report["stopped"].startswith(("kilo control", "kilo soak"))
    rejected = run.report["details"]["rejected"]
    assert {(one["sender"], one["sender_release"]) for one in rejected} == {("api@api-1", "kilo")}
    for one in rejected:
        assert one["receiver"].startswith("compute@agent-")
        assert one["method"].startswith("compute.")
        assert one["requested"] == "4.0"
        assert one["understood"] == "3.35"
        assert int(one["pin_epoch"]) > 0
    for receiver in {one["receiver"] for one in rejected}:
        logs = [log for one in rejected if one["receiver"] == receiver for log in one["receiver_logs"]]
        assert named(tmp_path, logs, "receiver") == {"api@api-1"}
    assert named(tmp_path, [log for one in rejected for log in one["sender_logs"]], "sender") == {"api@api-1"}


def named(build: Path, logs: list[str], side: str) -> set[str]:
    """The senders whom these logs name in what they say of rejections."""
    events = [event for log in logs for event in raw.lines(build / "run" / "logs" / log)]
    return {e["sender"] for e in events if e.get("event") == "rpc.version_rejected" and e["side"] == side}


async def test_a_killed_instance(tmp_path: Path) -> None:
    """An instance whose process is killed is seen to be interrupted."""
    run = await demo(tmp_path, **{"break": "kill", "until": "kilo control"})
    assert run.code == 3
    assert run.report["instances_interrupted"] == 1
    assert "instances_interrupted is 1, not 0" in run.output


async def test_a_lost_change(tmp_path: Path) -> None:
    """An acknowledged resize that somebody undid behind the framework's back is seen to be lost, however short the
    road."""
    size = parse([f"--{name}={value}" for name, value in {**SIZE, "break": "lose"}.items()], {})
    resized = Step("work", "until an instance is resized", until_resized)
    async with staged(size, tmp_path / "run", lambda _: None) as stage:
        assert await road.walk(stage, lambda *_: None, (*road.until("kilo expand"), resized)) == ""
    figures = observe(tmp_path / "run") | {"stopped": "", "broken": "lose"}
    assert {name: figures[name] for name in ZEROS} == {**dict.fromkeys(ZEROS, 0), "lost_updates": 1}
    assert "lost_updates is 1, not 0" in wrong(figures, size.requests)


async def until_resized(stage: Stage) -> None:
    """Until users of the cloud have been told so, of some that live."""
    log = stage.run / "load.jsonl"
    while sum(is_resized(life) for life in histories(raw.requests(log))) < 3:
        await asyncio.sleep(0.2)


def is_resized(life: History) -> bool:
    """Whether the last flavor that was promised is not the first one."""
    last, _ = life.promised("resize")
    return life.ended is None and last is not None and last.op == "resize"


async def test_stale_forms(tmp_path: Path) -> None:
    """Reading the new form while juno still writes only the old one loses what juno was promised to have changed."""
    run = await demo(tmp_path, **{"break": "stale", "until": "kilo back"})
    assert run.code == 3
    assert run.report["lost_updates"] > 0
    assert run.report["instances_interrupted"] == 0
    assert any("flavor should be" in loss for loss in run.report["details"]["lost"])
