"""An act: what somebody is asked before the fleet is changed, and how it is changed, as the command line does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from midflight.conductor.interface import Fleet
from midflight.errors import StepBlocked, UsageError
from midflight.upgrade.aim import Aim
from midflight.upgrade.operator import Operator
from midflight.upgrade.parked import Parked

Tell = Callable[[str], None]
"""Takes one line of what was done."""


@dataclass(frozen=True)
class Scene:
    """What an act is about: the fleet as it is, the aim, and the fields of the form; trust nothing in those. What is
    parked is there for acts about that only."""

    fleet: Fleet
    aim: Aim
    fields: Mapping[str, str]
    parked: Sequence[Parked] = ()

    def field(self, name: str) -> str:
        """What a form says. Raises UsageError where it says nothing."""
        value = self.fields.get(name, "").strip()
        if not value:
            raise UsageError(reason=f"received no {name}")
        return value


@dataclass(frozen=True)
class Field:
    """Something that is asked. With ``options`` one of them is chosen; ``hidden`` ones go with the form as they are."""

    name: str
    label: str = ""
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    """Value and label of each."""
    hidden: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Question:
    """What somebody reads before confirming. ``word`` has to be typed for what cannot be undone."""

    words: str
    command: str
    """What the command line calls it."""
    confirm: str
    fields: Sequence[Field] = ()
    know: Sequence[str] = ()
    """What is good to know before."""
    word: str | None = None


@dataclass(frozen=True)
class Act:
    """One act, at ``/act/NAME``. ``ask`` raises UsageError or StepBlocked where it must not be done; it is called
    again, with the fleet of that moment, before ``do``, which raises what goes wrong."""

    name: str
    title: str
    ask: Callable[[Scene], Question]
    do: Callable[[Operator, Scene, Tell], Awaitable[None]]
    about_parked: bool = False

    def check(self, scene: Scene) -> None:
        """Whether it may be done now, as it was confirmed. Raises UsageError and StepBlocked."""
        question = self.ask(scene)
        if question.word is not None and scene.fields.get("word", "").strip() != question.word:
            raise StepBlocked(step=self.title, reason=f"it was not confirmed by typing {question.word!r}")
