from __future__ import annotations

from pathlib import Path

from demo import raw

from tests.acceptance.small import demo


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
    """An acknowledged resize that somebody undid behind the framework's back is seen to be lost."""
    run = await demo(tmp_path, **{"break": "lose", "until": "kilo control"})
    assert run.code == 3
    assert run.zeros == {**dict.fromkeys(run.zeros, 0), "lost_updates": 1}
    assert "lost_updates is 1, not 0" in run.output


async def test_stale_forms(tmp_path: Path) -> None:
    """Reading the new form while juno still writes only the old one loses what juno was promised to have changed."""
    run = await demo(tmp_path, **{"break": "stale", "until": "kilo back"})
    assert run.code == 3
    assert run.report["lost_updates"] > 0
    assert run.report["instances_interrupted"] == 0
    assert any("flavor should be" in loss for loss in run.report["details"]["lost"])
