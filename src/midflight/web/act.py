"""An act: what somebody is asked before something is changed, and how it is changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from midflight.errors import StepBlocked, UsageError
from midflight.web.gatherer import Picture, Source

Tell = Callable[[str], None]
"""Takes one line of what was done."""


@dataclass(frozen=True)
class Scene:
    """What an act is about: what is known, and the fields of the form; trust nothing in those."""

    picture: Picture
    fields: Mapping[str, str]

    def field(self, name: str) -> str:
        """What a form says. Raises UsageError where it says nothing."""
        value = self.fields.get(name, "").strip()
        if not value:
            raise UsageError(reason=f"received no {name}")
        return value


S = TypeVar("S", bound=Scene)


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
class Act(Generic[S]):
    """One act, at ``/act/NAME``. ``ask`` raises UsageError or StepBlocked where it must not be done; it is called
    again, with the picture of that moment, before ``do``, which is given an operator, and raises what goes wrong."""

    name: str
    title: str
    ask: Callable[[S], Question]
    do: Callable[[Any, S, Tell], Awaitable[None]]
    beside: tuple[Source[Any], ...] = ()
    """What it has to know beside what is always asked for."""

    def check(self, scene: S) -> None:
        """Whether it may be done now, as it was confirmed. Raises UsageError and StepBlocked."""
        question = self.ask(scene)
        if question.word is not None and scene.fields.get("word", "").strip() != question.word:
            raise StepBlocked(step=self.title, reason=f"it was not confirmed by typing {question.word!r}")
