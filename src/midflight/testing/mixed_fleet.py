"""A fleet of real processes of several releases that goes along a plan, while random things happen to its members."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import final

import pytest

from midflight.errors import InvalidValue
from midflight.testing.plans import Act, Plan, drawn, read, said, shortest
from midflight.testing.processes import PlanFailed
from midflight.testing.real_fleet import RealFleet

TRIES = 20
"""How often a failing plan is tried to be shorter."""


class MixedFleet(RealFleet):
    """A fleet that is upgraded from release to release while members are restarted, killed and rolled back.

    A test derives from it and says what is upgraded; what it does with its fleet stands in the hooks, which may use
    ``guest`` and raise whatever an assertion raises. ``test_upgrades = MyFleet.plans()`` makes tests of it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._plan: Plan = ()
        self._has_acted = False

    @final
    @classmethod
    def plans(cls, count: int = 2) -> Callable[..., None]:
        """A parametrised test for pytest, one case a plan. Seeds count from 1.

        The environment says otherwise: MIDFLIGHT_PLANS how many, MIDFLIGHT_SEED from where on, and MIDFLIGHT_PLAN is
        one plan in words, as a failure prints it. A plan that fails is made as short as it can be and still fail.
        Raises InvalidValue for numbers that are none; the test does for a plan that is none of this fleet's.
        """
        first, many = _number("MIDFLIGHT_SEED", 1, least=0), _number("MIDFLIGHT_PLANS", count, least=1)
        given = os.environ.get("MIDFLIGHT_PLAN")

        @pytest.mark.parametrize("seed", [0] if given is not None else range(first, first + many))
        def test_plan(seed: int, tmp_path: Path) -> None:
            """The fleet comes through whatever the plan does to it."""
            __tracebackhide__ = True
            plan = cls._checked(read(given)) if given is not None else cls.plan_of(seed)
            print(f"seed {seed}: {said(plan)}")  # noqa: T201  # pytest shows it where the test fails
            if (failure := cls._failure(plan, tmp_path / "all")) is not None:
                raise cls._shortened(seed, plan, *failure, tmp_path)

        return test_plan

    @final
    @classmethod
    def plan_of(cls, seed: int) -> Plan:
        """What a seed stands for."""
        return drawn(seed, [*cls.releases][1:], cls.names())

    @classmethod
    def _checked(cls, plan: Plan) -> Plan:
        """A plan that was given. Raises InvalidValue where it is another fleet's."""
        releases, members = [*cls.releases][1:], cls.names()
        for act in plan:
            for received, known in ((act.release, releases), (act.member, members)):
                if received not in known:
                    raise InvalidValue(
                        path=f"{said((act,))!r} in MIDFLIGHT_PLAN", received=repr(received),
                        expected=f"one of {cls.__name__}'s: {', '.join(known)}",
                    )  # fmt: skip
        return plan

    @classmethod
    def _failure(cls, plan: Plan, folder: Path) -> tuple[BaseException, bool] | None:
        """How it fails, and whether anything had happened to a member by then."""
        folder.mkdir(parents=True)
        fleet = cls(folder)
        try:
            fleet.go(plan)
        except Exception as wrong:  # noqa: BLE001  # whatever a hook raises
            return wrong, fleet._has_acted
        return None

    @classmethod
    def _shortened(cls, seed: int, plan: Plan, wrong: BaseException, has_acted: bool, folder: Path) -> PlanFailed:
        """What failed before its first act fails without any, and none but the whole is tried."""
        last = [(plan if has_acted else (), wrong)]

        def fails(shorter: Plan) -> bool:
            failure = cls._failure(shorter, folder / f"try-{len(tried)}")
            tried.append(shorter)
            if failure is None or not failure[1]:
                return False
            last.append((shorter, failure[0]))
            return True

        tried: list[Plan] = []
        shortest(last[0][0], fails, TRIES)
        found, why = last[-1]
        failed = PlanFailed(
            f"{type(why).__name__}: {why}\n  plan    {said(found) or 'no act at all'}\n"
            f"  again   MIDFLIGHT_PLAN={said(found)!r}\n  from    seed {seed}, {len(plan)} acts, {len(tried)} tries"
        )
        failed.__cause__ = why
        return failed

    # One plan.

    @final
    def go(self, plan: Plan) -> None:
        """Go along a plan in the folder. Raises PlanFailed, and what a hook raises."""
        self._plan = plan
        self._live()

    def _hop(self, old: str, new: str) -> None:
        self.command("db", "expand", release=new)
        self.command("pin", "set", old, release=new, accept=(0, 1))
        self.pinned = old
        self._look()
        for act in self._plan:
            if (act.release, act.phase) == (new, "pinned"):
                self._do(act, old, new)
        for name in self.names():
            self._do(Act(new, "pinned", "upgrade", name), old, new)
        self.command("pin", "clear", release=new, accept=(0, 1))
        self.pinned = ""
        self.after_unpin()
        self._look()
        for act in self._plan:
            if (act.release, act.phase) == (new, "unpinned"):
                self._do(act, old, new)
        if self.project.migrations:
            self._persist("data", "run", release=new, accept=(0,))
        self._persist("upgrade", "finalize", "--yes", release=new, accept=(0, 1))
        self.after_finalize()
        self._look()

    def _do(self, act: Act, old: str, new: str) -> None:
        self._has_acted = True
        running = self.running[act.member]
        wanted = {"upgrade": new, "roll back": old}.get(act.verb, running.release.name)
        if act.verb in ("upgrade", "roll back") and running.release.name == wanted:
            return
        if act.verb == "kill":
            running.look()
            with self.traffic.kill():
                running.kill()
                self.running[act.member] = self._started(act.member, wanted)
        else:
            self._replace(act.member, wanted)
        if len({each.release.name for each in self.running.values()}) > 1:
            self.on_mixed()
        self._look()


def _number(variable: str, default: int, *, least: int) -> int:
    """What the environment says. Raises InvalidValue."""
    if (text := os.environ.get(variable)) is None:
        return default
    if not text.isdecimal() or int(text) < least:
        raise InvalidValue(path=variable, received=repr(text), expected=f"a whole number, {least} or more")
    return int(text)
