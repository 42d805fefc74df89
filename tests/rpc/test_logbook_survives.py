"""A model of the logbook: whatever is noted, in whatever order, and whoever is killed when, the next one knows it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from midflight.rpc import logbook
from midflight.rpc.logbook import Logbook
from midflight.rpc.repeats import State
from tests.rpc.test_logbook import receipt

NAMES = st.sampled_from("abcde")


class LogbookMachine(RuleBasedStateMachine):
    """``known`` is what a perfect memory knows: how far each cast came, and which process said so."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.compact, logbook.COMPACT_BYTES = logbook.COMPACT_BYTES, 600
        self.processes = 0
        self.known: dict[str, tuple[str, int]] = {}
        self.start()

    def start(self) -> None:
        self.processes += 1
        self.book = Logbook(Path(self.folder.name), "compute@h1", str(self.processes))
        self.book.open()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @rule(name=NAMES)
    def begin(self, name: str) -> None:
        self.run(self.book.begin(receipt(name)))
        self.known[name] = State.BEGUN, self.processes

    @rule(name=NAMES, state=st.sampled_from([State.DONE, State.PARKED, None]))
    def end(self, name: str, state: State | None) -> None:
        self.run(self.book.end(receipt(name), state))
        self.known.pop(name, None)
        if state is not None:
            self.known[name] = state, self.processes

    @rule(torn=st.binary(max_size=20))
    def killed(self, torn: bytes) -> None:
        """With half a line at the end of its file, and a successor at once."""
        self.book.close()
        for path in Path(self.folder.name).iterdir():
            with path.open("ab") as file:
                file.write(b'{"id":"a","dig' + torn.replace(b"\n", b""))
        self.start()

    @invariant()
    def what_is_known_is_known(self) -> None:
        for name in "abcde":
            note = self.run(self.book.find(name))
            state, by = self.known.get(name, ("", 0))
            in_hand = state == State.BEGUN and by == self.processes
            assert (note and (note.state, note.in_hand)) == ((state, in_hand) if state else None)

    def teardown(self) -> None:
        logbook.COMPACT_BYTES = self.compact
        self.book.close()
        self.loop.close()
        self.folder.cleanup()


TestLogbook = LogbookMachine.TestCase
TestLogbook.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLogbook.__doc__ = "Begun, done, parked, forgotten, compacted and torn: nothing is known wrongly."
