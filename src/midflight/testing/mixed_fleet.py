"""A fleet of real processes of several releases that goes along a plan, while random things happen to its members."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

from midflight.errors import InvalidValue, UsageError
from midflight.spelling import meant
from midflight.testing.plans import CASES, Act, Plan, drawn, read, said, shortest
from midflight.testing.processes import PlanFailed
from midflight.testing.real_fleet import RealFleet

if TYPE_CHECKING:
    import pytest

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
    def plans(cls, count: int = 2, *, always: Sequence[str] = ()) -> Callable[..., None]:
        """A test for pytest, with a case for each plan: those that are ``always`` tried, in the words in which a
        failure told them once, and as many random ones, whose seeds count from 1. midflight's options of pytest say
        otherwise: see ``midflight.testing.plugin``.

        A plan that fails is made as short as it can be and still fail. The test raises InvalidValue for a plan that is
        none of this fleet's. Raises UsageError where there is no plan at all.
        """
        if count + len(always) < 1:
            raise UsageError(reason=f"{cls.__name__}.plans: received {count} and none that are always tried: no test")

        def test_plan(midflight_plan: int | str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
            """The fleet comes through whatever the plan does to it."""
            __tracebackhide__ = True
            test = request.node.nodeid.partition("[")[0]
            cls._test(midflight_plan, test, tmp_path)

        vars(test_plan)[CASES] = (count, always)
        return test_plan

    @classmethod
    def _test(cls, case: int | str, test: str, folder: Path) -> None:
        __tracebackhide__ = True
        plan = cls._checked(read(case)) if isinstance(case, str) else cls.plan_of(case)
        if (failure := cls._failure(plan, folder / "all")) is not None:
            found, wrong, tries = cls._shortened(plan, *failure, folder)
            again = f"pytest {shlex.quote(test)} --midflight-plan={shlex.quote(said(found))}"
            origin = f"seed {case}, " if isinstance(case, int) else ""
            raise PlanFailed(
                f"{type(wrong).__name__}: {wrong}\n  plan    {said(found) or 'no act at all'}\n"
                f"  again   {again}\n  from    {origin}{len(plan)} acts, {tries} tries"
            ) from wrong

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
                        path=f"plan {said((act,))!r}", received=repr(received),
                        expected=f"one of {cls.__name__}'s: {', '.join(known)}{meant(received, known)}",
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
    def _shortened(
        cls, plan: Plan, wrong: BaseException, has_acted: bool, folder: Path
    ) -> tuple[Plan, BaseException, int]:
        """The shortest plan that fails, how it does, and how many were tried. What failed before its first act fails
        without any, and none but the whole is tried."""
        last: list[tuple[Plan, BaseException]] = [(plan if has_acted else (), wrong)]
        tried: list[Plan] = []

        def fails(shorter: Plan) -> bool:
            failure = cls._failure(shorter, folder / f"try-{len(tried)}")
            tried.append(shorter)
            if failure is None or not failure[1]:
                return False
            last.append((shorter, failure[0]))
            return True

        shortest(last[0][0], fails, TRIES)
        return *last[-1], len(tried)

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
