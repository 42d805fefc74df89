"""A model of the inbox on a real database: whoever is given a message, and is killed between whichever steps, its
effect is there once, and whether it is done is never told wrongly."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import Connection, select

from midflight.conductor.inbox import Inbox
from midflight.db.engine import Database
from midflight.db.journal import write
from midflight.db.schema.runner import SchemaRunner
from midflight.db.tables import journal
from midflight.errors import IdReused
from midflight.rpc.limits import FREE
from midflight.rpc.noted import Noted
from midflight.rpc.repeats import Interrupted, Once, State, Unsettled
from midflight.rpc.work import Work
from tests.conductor.test_inbox import receipt

NAMES, PROCESSES = st.sampled_from("abc"), st.integers(0, 1)
STEPS = st.sampled_from(["before", "between", "after", "never"])
"""When a process is killed, or its handler fails: before its first transaction, between its two, after both."""


class Killed(BaseException):
    """The process ends here, and notes nothing more."""


class InboxMachine(RuleBasedStateMachine):
    """Each message has two effects, in two transactions. ``known`` is what a perfect memory knows of each message;
    ``effects`` is how many each has had."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        url = f"sqlite:///{Path(self.folder.name) / 'inbox.db'}"
        SchemaRunner(url, None, None, "kilo").expand()
        self.databases = [self.run(Database.open(url)) for _ in range(2)]
        self.run(self.databases[0].write(lambda connection: connection.execute(journal.delete()) and None))
        self.started = 0
        self.processes = [self.process(at) for at in range(2)]
        self.known: dict[str, State] = {}
        self.effects: Counter[str] = Counter()
        self.due: Counter[str] = Counter()
        """How often each was to be run: once, and again by each word of an operator."""

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def process(self, at: int) -> Once:
        """A new one. Its name is new as well, and a predecessor's is in no list of those who live."""
        self.started += 1
        return Once(Inbox(self.databases[at], f"member-{self.started}"), Noted())

    def work(self, name: str, at: int, step: str, wrong: type[BaseException], arguments: bytes = b"\x80") -> Work:
        async def handler(_: object) -> None:
            for point in ("before", "between"):
                if step == point:
                    raise wrong
                await self.databases[at].write(write, "effect", {"of": name})
                self.effects[name] += 1
            if step == "after":
                raise wrong

        form: Any = SimpleNamespace(spec=SimpleNamespace(idempotent=False), what="conductor.run")
        nothing: Any = None
        return Work(receipt(name, arguments=arguments).request, nothing, form, handler, nothing, {}, FREE)

    @rule(name=NAMES, at=PROCESSES, step=STEPS, by_word=st.booleans())
    def given(self, name: str, at: int, step: str, by_word: bool) -> None:
        """To one of two processes, which is killed in the middle, or not."""
        before = self.known.get(name)
        due = before is None or (before is State.PARKED and by_word)
        self.due[name] += due
        try:
            found = self.run(self.processes[at].run(self.work(name, at, step, Killed), name, by_word=by_word))
            assert found == (State.DONE if due else before)
            self.known[name] = found
        except Killed:
            self.processes[at] = self.process(at)
            if step != "before":
                self.known[name] = State.BEGUN
        except Interrupted:
            assert before is State.BEGUN

    @rule(name=NAMES, at=PROCESSES, step=STEPS)
    def failing(self, name: str, at: int, step: str) -> None:
        """A handler that raises leaves all as it was before its first transaction, and is unsettled after it; then it
        is parked, as what was interrupted is."""
        before = self.known.get(name)
        self.due[name] += before is None
        try:
            found = self.run(self.processes[at].run(self.work(name, at, step, ZeroDivisionError), name))
        except ZeroDivisionError:
            assert (before, step) == (None, "before")
        except Unsettled as unsettled:
            self.run(self.processes[at].park(unsettled.receipt))
            self.known[name] = State.PARKED
            was = State.BEGUN if isinstance(unsettled, Interrupted) else None
            assert before is was  # where a rule may end in several ways
        else:
            assert found == (before or State.DONE)
            self.known[name] = found

    @rule(name=NAMES, at=PROCESSES)
    def reused(self, name: str, at: int) -> None:
        """Another request under a used id is refused, and has no effect."""
        if name in self.known:
            try:
                self.run(self.processes[at].run(self.work(name, at, "never", Killed, b"\x81\xa1a\x01"), name))
            except IdReused:
                return
            raise AssertionError("it was taken for the first one")

    @invariant()
    def effects_are_what_they_were(self) -> None:
        """Those that were committed, and no others; what is done has both."""

        def found(connection: Connection) -> Counter[str]:
            return Counter(facts["of"] for (facts,) in connection.execute(select(journal.c.facts)))

        assert self.run(self.databases[0].read(found)) == self.effects
        for name in "abc":
            assert self.effects[name] <= 2 * self.due[name]
            assert self.effects[name] >= {None: 0, State.DONE: 2}.get(self.known.get(name), 1)

    def teardown(self) -> None:
        for database in self.databases:
            self.run(database.close())
        self.loop.close()
        self.folder.cleanup()


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestInbox.__doc__ = "Run, killed, failed, parked, replayed, reused: an effect is there once for each run that was due."
